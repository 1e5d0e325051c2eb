"""The folder layout of the public Full-Duplex-Bench, read and scored.

One folder for each sample with input.wav and one annotation: pause.json, turn_taking.json,
interrupt.json (version 1.0) or metadata.json (1.5); its samples for backchannels have none and are
known by the name of the folder above. Our own output.wav and output.json are written
elsewhere in the same layout, so that the benchmark's own scorer can read them too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile

from benchmarks.outcomes import all_words, score_listening
from benchmarks.scene import Trial
from benchmarks.takeover import Word, after, take_over
from server.call.record import CallRecord
from server.call.script import CallScript, Cue
from server.call.timeline import RATE, load_clip
from server.call.voiced import Span

_TASKS = {
    "pause.json": "pause",
    "turn_taking.json": "turn",
    "interrupt.json": "interruption",
    "metadata.json": "overlap",
}
_BACKCHANNEL = "icc_backchannel"
_WHOLE = Span(0.0, float("inf"))


@dataclass(frozen=True, slots=True)
class BenchmarkSample:
    """One sample; `span`: the annotated pause, gap, or interruption, in seconds."""

    folder: Path
    task: str
    span: Span

    @property
    def name(self) -> str:
        return f"{self.folder.parent.name}/{self.folder.name}"


def read_samples(root: Path) -> list[BenchmarkSample]:
    """All samples below a folder. Raises ValueError if there is none or one cannot be read."""
    folders = [sound.parent for sound in sorted(root.rglob("input.wav"))]
    found = [sample for folder in folders if (sample := _sample(folder)) is not None]
    if not found:
        raise ValueError(f"{root}: no sample of Full-Duplex-Bench (input.wav and its annotation)")
    return found


def _sample(folder: Path) -> BenchmarkSample | None:
    for name, task in _TASKS.items():
        annotation = folder / name
        if annotation.is_file():
            return BenchmarkSample(folder, task, _span(annotation))
    is_bare = folder.parent.name == _BACKCHANNEL
    return BenchmarkSample(folder, "backchannel", _WHOLE) if is_bare else None


def _span(path: Path) -> Span:
    data = json.loads(path.read_text(encoding="utf-8"))
    try:
        start, end = data["timestamps"] if isinstance(data, dict) else data[0]["timestamp"]
        return Span(float(start), float(end))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: no timestamp in it") from error


def read_words(path: Path) -> list[Word]:
    """The word times of an output.json. A word without an end lasts no time."""
    chunks = json.loads(path.read_text(encoding="utf-8"))["chunks"]
    spans = [(chunk["text"], *chunk["timestamp"]) for chunk in chunks]
    return [Word(text, start, start if end is None else end) for text, start, end in spans]


def public_trial(sample: BenchmarkSample, number: int) -> Trial:
    """The sample as a call: its input from the first second to the last, and no longer."""
    clip = load_clip(sample.folder / "input.wav")
    script = CallScript(cues=(Cue(clip, at=0.0),), length=clip.seconds)
    facts = {"sample": sample}
    return Trial("full-duplex-bench", number, script, sample.task, group=sample.task, facts=facts)


def score_words(task: str, span: Span, words: list[Word]) -> dict[str, Any]:
    """The benchmark's figures for one sample; word times count from the start of the input."""
    if task == "interruption":
        taken = take_over(after(words, span.end), span.end)
    elif task == "turn":
        taken = take_over(words, span.start)
    else:
        taken = take_over(words)
    latency = taken.latency if task in ("turn", "interruption") else None
    return {"takeover": taken.taken, "takeover_latency": latency, "group": task}


def score_public(trial: Trial, record: CallRecord) -> dict[str, Any]:
    """Score one played sample."""
    sample: BenchmarkSample = trial.facts["sample"]
    if sample.task == "backchannel":
        figures = score_listening(trial, record)
        return {key: figures[key] for key in ("takeover", "backchannels_per_second")} | {
            "group": sample.task
        }
    return score_words(sample.task, sample.span, all_words(record))


def write_output(sample: BenchmarkSample, record: CallRecord, folder: Path) -> None:
    """output.wav, on the clock of input.wav, and output.json with word times."""
    target = folder / sample.name
    target.mkdir(parents=True, exist_ok=True)
    soundfile.write(target / "output.wav", record.assistant, RATE)
    words = all_words(record)
    chunks = [{"text": word.text, "timestamp": [word.start, word.end]} for word in words]
    data = {"text": " ".join(word.text for word in words), "chunks": chunks}
    (target / "output.json").write_text(json.dumps(data), encoding="utf-8")
