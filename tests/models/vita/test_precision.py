"""A checkpoint in the precisions of a GPU, on the CPU, against the float32 reference; and the
released widths, one layer of each part, from the opening of a stream to its sound.

Tolerances are relative to the reference's norm. A number in bfloat16 is off by up to 2^-9 of
itself, one in float16 by up to 2^-12; what is allowed is a few of these for each part, since the
errors of a sum's terms average out.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.gpu_measures import sound
from benchmarks.gpu_model import random_weights
from models.base import (
    AnswerChunk,
    AnswerOptions,
    AssistantText,
    Conversation,
    UserImage,
    UserSound,
)
from models.engines.pytorch import PytorchInstance
from models.vita.checkpoint import load
from models.vita.images import normalise
from tests.models.vita.golden import TINY, expected, needs_golden


def apart(found: Tensor, wanted: Tensor) -> float:
    """The norm of the difference over that of what was wanted."""
    flat = found.flatten().float(), wanted.flatten().float()
    return float((flat[0] - flat[1]).norm() / flat[1].norm())


@needs_golden
@pytest.mark.parametrize(
    ("dtype", "heard", "seen", "logits"),
    [
        (torch.float32, 1e-4, 1e-5, 1e-4),
        (torch.bfloat16, 5e-3, 1.2e-2, 3e-2),  # sound is in float16, the rest in bfloat16
        (torch.float16, 5e-3, 2e-3, 1e-2),
    ],
)
def test_half_precision_stays_near_the_reference(
    dtype: torch.dtype, heard: float, seen: float, logits: float
) -> None:
    wanted, model = expected("vita15_tiny"), load(TINY, dtype).model
    pixels = normalise(wanted["vision.image_uint8"].permute(0, 2, 3, 1).numpy())
    with torch.inference_mode():
        vectors = model.hear(wanted["fbank"])
        tokens = model.see(torch.from_numpy(pixels))
        ids = wanted["e2e.input_ids"].flatten().tolist()
        whole = model.splice(ids, list(tokens), [vectors])[None]
        scores = model.language.logits(model.language(whole))[0, -1]
    reference = wanted["e2e.inputs_embeds"].flatten(0, -2)
    kind = wanted["e2e.input_ids"].flatten().tolist().index(-500)  # where the sound stands
    start = kind + sum(tokens.shape[1] - 1 for token in ids[:kind] if token == -200)
    assert apart(vectors, reference[start : start + len(vectors)]) < heard
    assert apart(tokens, wanted["vision.projected"]) < seen
    assert apart(scores, wanted["e2e.logits_last"]) < logits
    assert int(scores.argmax()) == int(wanted["e2e.greedy_ids"].flatten()[0])


@needs_golden
def test_sound_in_bfloat16_would_be_coarser() -> None:
    """Why the audio tower is in float16: raw log-mel features lose a few hundredths in bfloat16."""
    wanted = expected("vita15_tiny")["audio.adapter_out"]
    features, model = expected("vita15_tiny")["fbank"], load(TINY).model
    with torch.inference_mode():
        exact = model.hear(features)
        kept = load(TINY, torch.bfloat16).model.hear(features)
        rounded = model.audio.to(torch.bfloat16)
        vectors, _ = rounded(features[None].bfloat16(), torch.tensor([len(features)]))
    assert wanted.shape[2] == exact.shape[1]
    assert apart(vectors[0, : len(exact)], exact) > 3 * apart(kept, exact)


@pytest.mark.timeout(240)
async def test_the_released_widths_from_opening_to_sound() -> None:
    """No shape and no precision breaks: hear, judge, speak; the other instance reads the embedded
    sound and the cut answer, hears over it, goes back, sees."""
    torch.set_num_threads(1)
    weights = random_weights("wide", "cpu", slots=1)
    speaking, monitoring = (PytorchInstance(weights, name) for name in "ab")
    stream = await speaking.open(Conversation())
    verdict = await stream.hear(sound(0.5), last=True)
    assert verdict.query + verdict.noise + verdict.text == pytest.approx(1.0)
    samples, text = 0, ""
    async for part in stream.answer(AnswerOptions(max_tokens=3, seed=1)):
        assert isinstance(part, AnswerChunk)
        text += part.text
        samples += 0 if part.samples is None else len(part.samples)
    assert len(text.split()) == 3
    assert samples > 12_000
    embedded = stream.embedded()
    assert embedded is not None and embedded.shape[1] == weights.model.config.language.width
    past = (UserSound(embedded=embedded), AssistantText(text, cut=True))
    monitor = await monitoring.open(Conversation(past))
    mark, room = await monitor.mark(), monitor.room()
    await monitor.hear(sound(0.3, 1), last=True)
    assert monitor.room() < room
    await monitor.rewind(mark)
    assert monitor.room() == room
    await monitor.read(UserImage(np.zeros((64, 96, 3), np.uint8), "low"))
    assert monitor.room() < room - 256
    for instance in (speaking, monitoring):
        await instance.close()
