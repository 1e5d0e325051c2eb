"""What words add to the verdict on a sound: `python -m benchmarks.word_verdicts`.

Sentences that the rules of models.word_evidence were not tuned on are spoken in synthetic voices
that no training has heard, judged by nano from their sound, written down by Moonshine, and judged
again with their words.
"""

from __future__ import annotations

import asyncio
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer
from rich.console import Console
from rich.table import Table

from audio.frame import SPEAK_RATE
from audio.resample import resample
from benchmarks.duplex import RESULTS
from benchmarks.machine import header
from benchmarks.material import MissingMaterial, spoken, voices
from models.base import HEAR_RATE, Conversation, Transcriber, Verdict
from models.engines.bundle import Bundle
from models.engines.embedded import EmbeddedInstance
from models.moonshine import load
from models.training.voices import Voice
from models.word_evidence import evidence_of, weighed
from server.config import BUNDLED_MODEL

SENTENCES: Final = Path(__file__).with_name("held_out_words.toml")
RESULT: Final = "word_verdicts.json"
TAKEN: Final = 0.5  # of a verdict's query score, from which a segment counts as a query


@dataclass(frozen=True, slots=True)
class Judged:
    """One spoken sentence: what it is, and the score of a query by sound alone and with words."""

    kind: str
    text: str
    voice: str
    words: str
    sound: float
    both: float


def held_out() -> dict[str, list[str]]:
    """The sentences of each kind: query, unfinished, noise."""
    found: dict[str, list[str]] = tomllib.loads(SENTENCES.read_text(encoding="utf-8"))
    return found


def spread(speakers: list[Voice], each: int) -> Iterator[tuple[str, str, Voice]]:
    """Kind, text and voice: every sentence in `each` of the voices, which take turns."""
    for kind, texts in held_out().items():
        for number, text in enumerate(texts):
            for turn in range(each):
                yield kind, text, speakers[(number * each + turn) % len(speakers)]


async def judge(instance: EmbeddedInstance, recogniser: Transcriber, each: int) -> list[Judged]:
    """Every sentence. Raises MissingMaterial where nothing can speak."""
    speakers = voices()
    if not speakers:
        raise MissingMaterial("no synthesiser: install espeak-ng or flite")
    found = []
    for kind, text, voice in spread(speakers, each):
        samples = resample(spoken(text, voice).samples, SPEAK_RATE, HEAR_RATE)
        stream = await instance.open(Conversation())
        verdict: Verdict = await stream.hear(samples, last=True)
        await stream.close()
        words = recogniser.transcribe(samples)
        both = weighed(verdict, evidence_of(words))
        found.append(Judged(kind, text, voice.speaker, words, verdict.query, both.query))
    return found


def counts(judged: list[Judged]) -> dict[str, dict[str, int]]:
    """Of each kind, how many there are and how many are taken for a query."""
    found: dict[str, Counter[str]] = {}
    for one in judged:
        kind = found.setdefault(one.kind, Counter(all=0, sound=0, words=0))
        kind["all"] += 1
        kind["sound"] += one.sound > TAKEN
        kind["words"] += one.both > TAKEN
    return {kind: dict(count) for kind, count in found.items()}


def main(
    each: Annotated[int, typer.Option(min=1, help="Voices for each sentence.")] = 2,
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = RESULTS,
) -> None:
    """Count what is taken for a query, by sound alone and with the words."""
    instance = EmbeddedInstance(Bundle.read(BUNDLED_MODEL), "words")
    judged = asyncio.run(judge(instance, load(), each))
    found = counts(judged)
    out.mkdir(parents=True, exist_ok=True)
    wrong = [one for one in judged if (one.both > TAKEN) != (one.kind == "query")]
    report = header() | {"taken_for_a_query": found, "wrong_with_words": wrong}
    (out / RESULT).write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2))
    table = Table("what was said", "clips", "a query by sound", "a query with words")
    for kind, count in found.items():
        table.add_row(kind, str(count["all"]), str(count["sound"]), str(count["words"]))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
