"""Does an exported folder do what the trained modules do?

The torch modules are the reference: greedy answers to typed and spoken questions, the scores of
the state tokens, and the codes of spoken sentences are compared one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audio.features import FilterBank
from models.base import AnswerOptions, Samples, UserImage, UserText
from models.engines.bundle import Bundle
from models.engines.embedded import no_device
from models.engines.memory import PromptMemory
from models.engines.nano_model import NanoModel
from models.engines.wording import NanoWording
from models.engines.writing import TokenWriter
from models.training.export import Parts
from models.vita.cache import growing
from models.vita.images import Pixels, normalise, tiles
from models.vita.letters import Spelling, spell
from models.vita.nano_prompt import END, SLOW, SPECIAL
from models.vita.speech_decoder import SpeechDecoder
from models.vita.spoken_chunk import BOS, PADDING, START, CodeChoice, SpokenChunkDecoder
from models.vita.spoken_chunk import END as END_OF_SPEECH

ASKED = "what do you see"


@dataclass(frozen=True, slots=True)
class Parity:
    """What was compared. `state_difference` is the largest in the share of a state token; `codes`
    are compared after the same (reference) codes each."""

    answers: int
    answers_equal: int
    clips: int
    states_equal: int
    state_difference: float
    codes: int
    codes_equal: int

    @property
    def holds(self) -> bool:
        """The promise of models/nano: the same greedy answers and states, codes at least 99 %."""
        same = self.answers == self.answers_equal and self.clips == self.states_equal
        return same and self.codes_equal >= 0.99 * self.codes


def compare(
    parts: Parts,
    bundle: Bundle,
    questions: Sequence[str],
    clips: Sequence[Samples] = (),
    sentences: Sequence[str] = (),
    pictures: Sequence[Pixels] = (),
    *,
    max_tokens: int = 48,
) -> Parity:
    """`clips` are whole questions, [n] at 16 kHz; each is answered too, and so is ASKED of each of
    the pictures."""
    with torch.inference_mode():
        typed = [_typed_equal(parts, bundle, text, max_tokens) for text in questions]
        heard = [_heard(parts, bundle, clip, max_tokens) for clip in clips]
        seen = [_seen_equal(parts, bundle, picture, max_tokens) for picture in pictures]
        spoken = [_codes_equal(parts, bundle, text) for text in sentences]
    differences = [difference for _, _, difference in heard]
    return Parity(
        answers=len(typed) + len(seen) + len(heard),
        answers_equal=sum(typed) + sum(seen) + sum(equal for equal, _, _ in heard),
        clips=len(heard),
        states_equal=sum(equal for _, equal, _ in heard),
        state_difference=max(differences, default=0.0),
        codes=sum(count for count, _ in spoken),
        codes_equal=sum(equal for _, equal in spoken),
    )


def _typed_equal(parts: Parts, bundle: Bundle, text: str, max_tokens: int) -> bool:
    prompt, memory = bundle.prompt, _memory(bundle)
    for _ in memory.reading(UserText(text)):
        pass
    ids = [*prompt.user(), *prompt.typed(text), *prompt.state(False)]
    vectors = parts.language.embed(torch.tensor([ids]))
    return _greedy(parts, bundle, vectors, max_tokens) == _written(bundle, memory, max_tokens)


def _seen_equal(parts: Parts, bundle: Bundle, pixels: Pixels, max_tokens: int) -> bool:
    prompt, memory, embed = bundle.prompt, _memory(bundle), parts.language.embed
    assert parts.eyes is not None
    for item in (UserImage(pixels), UserText(ASKED)):
        for _ in memory.reading(item):
            pass
    tile = normalise(tiles(pixels, 1, parts.eyes.vision.config.image))
    before, behind = [*prompt.user(), *prompt.image()], prompt.typed(ASKED) + prompt.state(False)
    placed = (embed(torch.tensor([before])), parts.eyes(torch.from_numpy(tile)),
              embed(torch.tensor([behind])))  # fmt: skip
    answer = _greedy(parts, bundle, torch.cat(placed, 1), max_tokens)
    return answer == _written(bundle, memory, max_tokens)


def _heard(
    parts: Parts, bundle: Bundle, clip: Samples, max_tokens: int
) -> tuple[bool, bool, float]:
    """Is the answer the same, is the state the same, how far are the states apart?"""
    prompt, memory = bundle.prompt, _memory(bundle)
    memory.hear(clip)
    verdict = memory.flush()
    shares = np.array([verdict.query, verdict.noise, verdict.text, verdict.unfinished])
    opening = parts.language.embed(torch.tensor([prompt.user()]))
    vectors = torch.cat((opening, _sound_vectors(parts, clip)), 1)
    hidden = parts.language(vectors)
    scores = parts.language.logits(hidden[:, -1])[0, list(bundle.model.states.ids)]
    expected = scores.softmax(0).numpy()
    difference = float(np.abs(expected - shares[: len(expected)]).max())
    state = parts.language.embed(torch.tensor([prompt.state(True)]))
    answer = _greedy(parts, bundle, torch.cat((vectors, state), 1), max_tokens)
    same_state = bool(expected.argmax() == shares.argmax())
    return answer == _written(bundle, memory, max_tokens), same_state, difference


def _sound_vectors(parts: Parts, clip: Samples) -> Tensor:
    """[1, n, width], one-shot."""
    features = torch.from_numpy(FilterBank()(clip))[None]
    frames, counts = parts.tower.encoder(features, torch.tensor([features.shape[1]]))
    blend = getattr(parts.tower, "blend", None)
    vectors: Tensor = parts.tower.adpter(frames if blend is None else blend(frames), counts)[0]
    return vectors


def _memory(bundle: Bundle) -> PromptMemory:
    return NanoModel(bundle, None, no_device).remember()


def _written(bundle: Bundle, memory: PromptMemory, max_tokens: int) -> list[int]:
    options = AnswerOptions(max_tokens=max_tokens)
    writer = TokenWriter(memory, NanoWording(bundle.prompt, (), options), options)
    while not writer.done:
        writer.step()
    return writer.ids


def _greedy(parts: Parts, bundle: Bundle, vectors: Tensor, max_tokens: int) -> list[int]:
    """The reference's answer: token ids without the end and without the wish to be slow."""
    ids, end, slow = list[int](), bundle.prompt.ids[END], bundle.prompt.ids[SLOW]
    barred = [bundle.prompt.ids[name] for name in SPECIAL if name not in (END, SLOW)]
    past, start = parts.language.start(), 0
    while len(ids) < max_tokens:
        hidden, past = parts.language.read(vectors, past, start)
        start += vectors.shape[1]
        logits = parts.language.logits(hidden[0, -1])
        logits[barred if start == vectors.shape[1] else [*barred, slow]] = -torch.inf
        if (token := int(logits.argmax())) == end:
            break
        if token != slow:
            ids.append(token)
        vectors = parts.language.embed(torch.tensor([[token]]))
    return ids


def _codes_equal(parts: Parts, bundle: Bundle, text: str) -> tuple[int, int]:
    """Codes of one sentence, and how many of them the export chooses too."""
    cache = bundle.speech_cache()
    assert parts.speech is not None and cache is not None
    spelling = spell(text)
    reference = _reference_codes(parts.speech, spelling)
    cache.begin(spelling.ids)
    equal, codes = 0, [START, *reference[:-1]]
    for place, (before, expected) in enumerate(zip(codes, reference, strict=True)):
        scores = cache.advance(before)[0].copy()
        scores[[BOS, START, PADDING] if place else [BOS, START, END_OF_SPEECH, PADDING]] = -np.inf
        equal += int(scores.argmax()) == expected
    return len(reference), equal


def _reference_codes(speech: SpeechDecoder, spelling: Spelling) -> list[int]:
    ids = torch.tensor([spelling.ids])
    _, flat = speech.prefill(speech.embed_text(ids))
    recital, code, layers = SpokenChunkDecoder(spelling, CodeChoice(top_k=1)), START, growing(flat)
    while True:
        place = torch.tensor([1 + ids.shape[1] + len(recital.codes)])
        logits, weights = speech.step(torch.tensor([[code]]), place, layers)
        assert weights is not None
        taken = recital.take(logits[0].numpy(), weights[0].numpy())
        if taken is None:
            return recital.codes
        code = taken
        layers = growing([tensor for layer in layers for tensor in layer.whole])
