"""models.training: measures a folder as it is served, on sound, in voices that were kept back.

Every question goes through the embedded engine in chunks, as in a call, with the recogniser where
it is installed: so what is measured is what a caller meets, without turn-taking.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from rich.progress import track

from audio.frame import Samples
from models.base import (
    HEAR_CHUNK,
    HEAR_RATE,
    AnswerChunk,
    AnswerOptions,
    AssistantText,
    Conversation,
    FunctionCall,
    Tool,
    UserText,
    Verdict,
)
from models.engines.embedded import EmbeddedInstance, load
from models.training.corpus import VoiceShares
from models.training.pinyin import is_chinese, toned
from models.training.skills.exchange import Dialogue
from models.training.skills.registry import AIDS, dialogue, judge, not_meant
from models.training.synthesis import speak
from models.training.voices import Voice

LEAD, TRAIL, CUT_TRAIL = 0.25, 0.3, 0.2  # seconds of quiet before, behind, and behind what is cut
_FLOOR = 0.0005  # of noise in that quiet
_OPTIONS = AnswerOptions(speak=False, max_tokens=44)


@dataclass(slots=True)
class ServedReport:
    """Right answers and verdicts by language and kind of voice: (right, of)."""

    right: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    verdicts: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    misses: list[tuple[str, str, str, str]] = field(default_factory=list)

    def count(self, name: str, *, is_right: bool) -> None:
        self.right[name].update({"of": 1, "right": int(is_right)})

    def as_json(self) -> dict[str, Any]:
        return {
            "right": {name: dict(counts) for name, counts in sorted(self.right.items())},
            "verdicts": {name: dict(counts) for name, counts in sorted(self.verdicts.items())},
            "misses": self.misses,
        }


async def measure(
    folder: Path, most: int, neural: float, seed: int, *, alone: bool = False
) -> ServedReport:
    """`most` dialogues and half as many statements of each language; `neural`: the share spoken by
    Kokoro's reserved voices. `alone`: without the recogniser."""
    bundle = load(folder)
    if alone:
        object.__setattr__(bundle, "recogniser", None)
    instance, report = EmbeddedInstance(bundle, "measured"), ServedReport()
    shares = VoiceShares(neural=neural)
    try:
        for chinese in (0.0, 1.0):
            for number in track(range(most), "questions"):
                await _asked(
                    instance, report, Random(f"{seed} {chinese} {number}"), shares, chinese
                )
            for number in track(range(most // 2), "talk"):
                random = Random(f"talk {seed} {chinese} {number}")
                text = not_meant(random, chinese)
                voice = shares.draw(random, True, text)
                samples = in_voice(text, voice)
                if samples is not None:
                    verdict, _ = await _heard(instance, Conversation(), _quiet(samples, TRAIL))
                    _judged(report, text, voice, "noise", verdict)
    finally:
        await instance.close()
    return report


async def _asked(
    instance: EmbeddedInstance,
    report: ServedReport,
    random: Random,
    shares: VoiceShares,
    chinese: float,
) -> None:
    """The last question of a dialogue, spoken; what went before is read. Also cut in the middle."""
    made = dialogue(random, random.random() < 0.5, chinese=chinese)
    exchange = made.exchanges[-1]
    voice = shares.draw(random, True, exchange.question)
    samples = in_voice(exchange.question, voice)
    if exchange.skill in AIDS or exchange.cut or samples is None:
        return
    verdict, said = await _heard(instance, _before(made), _quiet(samples, TRAIL), answers=True)
    _judged(report, exchange.question, voice, "query", verdict)
    ok = judge(exchange, *said)
    report.count(_kind(exchange.question, voice), is_right=ok)
    report.count(f"{_language(exchange.question)} {exchange.skill}", is_right=ok)
    if not ok:
        report.misses.append((voice.speaker, exchange.question, verdict.words, str(said)))
    if len(exchange.question) > 12 and samples.size > HEAR_RATE:
        half = samples[: samples.size // 2]
        cut, _ = await _heard(instance, Conversation(), _quiet(half, CUT_TRAIL))
        _judged(report, exchange.question, voice, "unfinished", cut)


def _before(made: Dialogue) -> Conversation:
    items: list[UserText | AssistantText] = []
    for exchange in made.exchanges[:-1]:
        items.append(UserText(exchange.question))
        items.append(AssistantText(exchange.answer or exchange.report, exchange.cut))
    tools = tuple(_tool(signature) for signature in made.tools)
    return Conversation(tuple(items), tools)


def _tool(signature: str) -> Tool:
    name, _, rest = signature.partition("(")
    names = [each.strip() for each in rest.rstrip(")").split(",") if each.strip()]
    return Tool(name, "", {"properties": {each: {} for each in names}})


async def _heard(
    instance: EmbeddedInstance, before: Conversation, samples: Samples, *, answers: bool = False
) -> tuple[Verdict, tuple[str, tuple[str, str] | None]]:
    """The verdict at the end of a sound, and the answer to it: words, or a function call."""
    stream = await instance.open(before)
    try:
        for start in range(0, samples.size, HEAR_CHUNK):
            last = start + HEAR_CHUNK >= samples.size
            verdict = await stream.hear(samples[start : start + HEAR_CHUNK], last=last)
        if not answers:
            return verdict, ("", None)
        await stream.end_segment()
        parts = [part async for part in stream.answer(_OPTIONS)]
    finally:
        await stream.close()
    calls = [(part.name, part.arguments) for part in parts if isinstance(part, FunctionCall)]
    text = "".join(part.text for part in parts if isinstance(part, AnswerChunk))
    return verdict, (text, calls[0] if calls else None)


def in_voice(text: str, voice: Voice) -> Samples | None:
    """A text in a voice, [n] at 16 kHz; None where that voice is not installed."""
    written = toned(text) if is_chinese(text) and voice.engine != "kokoro" else text
    try:
        return speak(written, voice).samples
    except (OSError, RuntimeError, ValueError):
        return None


def _quiet(samples: Samples, trail: float) -> Samples:
    """With quiet around it that is not digital silence."""
    parts = (np.zeros(round(LEAD * HEAR_RATE)), samples, np.zeros(round(trail * HEAR_RATE)))
    joined = np.concatenate(parts, dtype=np.float32)
    noise = np.random.default_rng(samples.size).normal(0, _FLOOR, joined.size)
    quiet: Samples = joined + noise.astype(np.float32)
    return quiet


def _language(text: str) -> str:
    return "Chinese" if is_chinese(text) else "English"


def _kind(text: str, voice: Voice) -> str:
    return f"{_language(text)}, {'neural' if voice.engine == 'kokoro' else 'rule-based'} voices"


def _judged(report: ServedReport, text: str, voice: Voice, wanted: str, verdict: Verdict) -> None:
    scores = {
        "query": verdict.query,
        "noise": verdict.noise,
        "text": verdict.text,
        "unfinished": verdict.unfinished,
    }
    given = max(scores, key=lambda name: scores[name])
    report.verdicts[_kind(text, voice)][f"{wanted} taken for {given}"] += 1


def run(folder: Path, most: int, neural: float, seed: int, *, alone: bool) -> ServedReport:
    """`measure`, in an event loop of its own."""
    return asyncio.run(measure(folder, most, neural, seed, alone=alone))
