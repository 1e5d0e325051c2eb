"""Measures a listener in torch: answers, verdicts, orders and letters on clips it never learned."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audio.features import Features
from models.order_slots import SlotScore, digit_of, parse_label, slots_of
from models.training import augmentation
from models.training.clips import Clip, ClipStore
from models.training.listener import ALPHABET, Listener
from models.training.material import person_exchange, restored
from models.training.pinyin import is_chinese, words_of
from models.training.scoring import Verdicts
from models.training.skills.exchange import Exchange
from models.training.skills.registry import judge
from models.vita.nano_prompt import CALL, END, SLOW, NanoPrompt

STATES = ("query", "noise", "text", "unfinished")
ANSWER_TOKENS = 44  # enough for all but stories, of which the beginning is compared
LEAD, TRAIL = 25, 30  # frames of quiet around a synthetic clip: the server hears that much


@dataclass(slots=True)
class Report:
    """Shares and their counts, and what went wrong."""

    figures: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    misses: list[tuple[str, str, str]] = field(default_factory=list)
    states: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)

    def put(self, name: str, right: int, count: int) -> None:
        if count:
            self.figures[name], self.counts[name] = round(right / count, 4), count

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1))


class Examiner:
    """Asks a listener, as the engine would: opening, sound, verdict, answer."""

    def __init__(self, listener: Listener, prompt: NanoPrompt) -> None:
        self.listener, self.prompt = listener.eval().float(), prompt
        self.report = Report()
        self.verdicts: defaultdict[str, Verdicts] = defaultdict(Verdicts)

    @torch.no_grad()
    def hear(self, features: Features) -> tuple[Tensor, str]:
        """Sound vectors [1, n, w] and the letters spelled."""
        batch = torch.from_numpy(np.asarray(features, np.float32))[None]
        frames, scores, counts = self.listener.frames(batch, torch.tensor([len(features)]))
        vectors, _ = self.listener.tower.adpter(self.listener.tower.blend(frames), counts)
        return vectors, collapse(scores[0].argmax(-1).tolist())

    @torch.no_grad()
    def ask(
        self,
        before: list[int],
        vectors: Tensor,
        tokens: int = ANSWER_TOKENS,
        *,
        spoken: bool = True,
    ) -> tuple[list[float], list[int]]:
        """Probabilities of the four states after the turn, and the answer to it as a query."""
        language = self.listener.language
        past = language.embed(torch.tensor([[*before, *self.prompt.user()]]))
        joined = torch.cat((past, vectors), 1)
        hidden, cache = language.read(joined, language.start(), 0)
        scores = language.logits(hidden[:, -1])[0, list(self.prompt.states)].softmax(-1)
        ids, place, token = [], joined.shape[1], self.prompt.state(spoken)[0]
        for _ in range(tokens):
            hidden, cache = language.read(language.embed(torch.tensor([[token]])), cache, place)
            token, place = int(language.logits(hidden[:, -1]).argmax()), place + 1
            if token == self.prompt.ids[END]:
                break
            ids.append(token)
        return scores.tolist(), ids

    def said(self, ids: list[int]) -> tuple[str, tuple[str, str] | None]:
        """The words of an answer, or its function call."""
        if ids and ids[0] == self.prompt.ids[CALL]:
            call = self.prompt.parse_call(ids[1:])
            return "", (call.name, call.arguments) if call else ("", "")
        return self.prompt.decode(ids), None

    def dialogues(self, store: ClipStore, most: int) -> None:
        """Spoken questions in reserved voices; the same questions typed, for their state."""
        right: Counter[str] = Counter()
        asked: Counter[str] = Counter()
        for entry in store.extra["dialogues"][:most]:
            history = self.prompt.opening_of("", entry["tools"])
            for each in entry["exchanges"]:
                exchange = restored(each)
                if not exchange.cut:
                    language = language_of(exchange.question)
                    name = f"{language} {exchange.skill}"
                    ok = self._spoken(exchange, store.features(each["clip"]), history)
                    self._typed_state(history, exchange.question)
                    asked[name] += 1
                    asked[language] += 1
                    right[name] += ok
                    right[language] += ok
                history += self._typed(exchange)
        for name, count in asked.items():
            self.report.put(f"right {name}", right[name], count)

    def _spoken(self, exchange: Exchange, features: Features, history: list[int]) -> bool:
        vectors, letters = self.hear(quiet_around(features))
        scores, ids = self.ask(history, vectors)
        self._judge(language_of(exchange.question), "query", scores)
        slow = ids[:1] == [self.prompt.ids[SLOW]]
        right = judge(exchange, *self.said(ids)) and slow == exchange.slow
        if not right:
            heard = f"{exchange.question} [{letters}]"
            self.report.misses.append((exchange.skill, heard, str(self.said(ids))))
        return right

    def _judge(self, language: str, wanted: str, scores: list[float]) -> str:
        """Count a verdict; gives it."""
        given = STATES[int(np.argmax(scores))]
        self.verdicts[language].add(wanted, given)
        return given

    def _typed_state(self, history: list[int], question: str) -> None:
        ids = torch.tensor([self.prompt.typed(question)])
        scores, _ = self.ask(history, self.listener.language.embed(ids), 0)
        self._judge(language_of(question), "text", scores)

    def _typed(self, exchange: Exchange) -> list[int]:
        prompt = self.prompt
        turn = prompt.user() + prompt.typed(exchange.question) + prompt.state(False)
        return turn + prompt.answer(exchange.answer or exchange.report, cut=exchange.cut)

    def unfinished(self, store: ClipStore, most: int) -> None:
        """Questions cut in the middle, with 0.2 s of quiet behind."""
        numbers = [e["exchanges"][0]["clip"] for e in store.extra["dialogues"]][: 2 * most]
        chosen = [n for n in numbers if len(words_of(store.clips[n].text)) > 4][:most]
        for number in chosen:
            clip = store.clips[number]
            cut = clip.onset + (clip.end - clip.onset) // 2
            vectors, _ = self.hear(quiet_around(store.features(number)[:cut], 20))
            self._judge(language_of(clip.text), "unfinished", self.ask([], vectors, 0)[0])

    def talk(self, store: ClipStore, most: int) -> None:
        """Reserved voices that say what is not meant for nano."""
        for number in store.extra["negatives"][:most]:
            text = store.clips[number].text
            vectors, _ = self.hear(quiet_around(store.features(number)))
            scores, _ = self.ask([], vectors, 0)
            if self._judge(language_of(text), "noise", scores) == "query":
                self.report.misses.append(("false query", text, f"{scores[0]:.2f}"))

    def _taken(self, features: Features, name: str) -> bool:
        scores, _ = self.ask([], self.hear(features)[0], 0)
        taken = STATES[int(np.argmax(scores))] == "query"
        if taken:
            self.report.misses.append(("false query", name, f"{scores[0]:.2f}"))
        return taken

    def people(self, store: ClipStore, split: str) -> None:
        """Recordings of people and of noises."""
        orders, digits, heard, queries = SlotScore(), 0, 0, 0
        for clip, features in _of(store, split, ("order", "digit")):
            vectors, letters = self.hear(features)
            scores, ids = self.ask([], vectors)
            answer = self.said(ids)[0]
            ok = judge(person_exchange(clip), answer)
            if clip.kind == "order":
                orders = orders.plus(slots_of(answer), parse_label(clip.text))
                queries += STATES[int(np.argmax(scores))] == "query"
            else:
                heard, digits = heard + 1, digits + (f"{digit_of(answer)}" == _digit(clip))
            if not ok:
                self.report.misses.append((clip.kind, f"{clip.text} [{letters}]", answer))
        self.report.put("command accuracy", orders.exact, orders.orders)
        self.report.put("query recall people", queries, orders.orders)
        self.report.figures["slot f1"] = round(orders.slot_f1, 4)
        self.report.put("digit accuracy", digits, heard)
        for name, kinds in (("noise", ("noise", "echo")), ("talk", ("speech", "word"))):
            found = [
                self._taken(features, clip.path)
                for clip, features in _of(store, split, kinds)
                if clip.speaker != "made"
            ]
            self.report.put(f"false query {name}", sum(found), len(found))


def _of(store: ClipStore, split: str, kinds: tuple[str, ...]) -> Iterable[tuple[Clip, Features]]:
    for number, clip in enumerate(store.clips):
        if clip.split == split and clip.kind in kinds:
            yield clip, store.features(number)


def _digit(clip: Clip) -> str:
    return str(digit_of(clip.text))


def quiet_around(features: Features, trail: int = TRAIL) -> Features:
    """A clip with quiet before and behind, over a faint floor of noise: 45 dB below."""
    padded = augmentation.pad(np.asarray(features, np.float32), LEAD, trail)
    floor = augmentation.noise_floor(np.random.default_rng(len(features)), len(padded))
    return augmentation.add(padded, floor, 45.0, augmentation.level(features))


def collapse(ids: list[int]) -> str:
    """Greedy letters: repeats and blanks out."""
    kept = [now for before, now in zip([0, *ids], ids, strict=False) if now and now != before]
    return "".join(ALPHABET[letter - 1] for letter in kept)


def language_of(text: str) -> str:
    return "Chinese" if is_chinese(text) else "English"


def examine(
    examiner: Examiner, reserved: Iterable[ClipStore], sounds: ClipStore | None, most: int
) -> Report:
    """All measurements of sound; `most` dialogues and clips of each kind in reserved voices."""
    for store in reserved:
        examiner.dialogues(store, most)
        examiner.unfinished(store, most)
        examiner.talk(store, most)
    if sounds is not None:
        examiner.people(sounds, "dev")
    examiner.report.states = {
        language: verdicts.figures() for language, verdicts in examiner.verdicts.items()
    }
    return examiner.report
