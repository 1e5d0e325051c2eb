"""The public benchmark's folder layout, with samples of our own in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import soundfile

from benchmarks.public import (
    public_trial,
    read_samples,
    read_words,
    score_public,
    score_words,
    write_output,
)
from benchmarks.takeover import Word
from server.call.timeline import RATE
from server.call.voiced import Span
from tests.benchmarks.calls import answer, beep, record


def sample(root: Path, name: str, annotation: str, data: Any) -> Path:
    folder = root / name / "1"
    folder.mkdir(parents=True)
    soundfile.write(folder / "input.wav", beep(2.0), RATE)
    (folder / annotation).write_text(json.dumps(data), encoding="utf-8")
    return folder


def test_all_four_annotations_are_read(tmp_path: Path) -> None:
    sample(tmp_path, "a_pause", "pause.json", [{"text": "[PAUSE]", "timestamp": [3.3, 4.0]}])
    sample(tmp_path, "b_turn", "turn_taking.json", [{"timestamp": [2.01, 2.4]}])
    sample(tmp_path, "c_cut", "interrupt.json", [{"timestamp": [10.5, 13.1], "context": "x"}])
    sample(tmp_path, "d_v15", "metadata.json", {"timestamps": [7.2, 11.4]})
    found = read_samples(tmp_path)
    assert [one.task for one in found] == ["pause", "turn", "interruption", "overlap"]
    assert found[3].span == Span(7.2, 11.4)
    trial = public_trial(found[0], 0)
    assert trial.script.length == pytest.approx(2.0)


def test_backchannel_samples_are_known_by_their_folder(tmp_path: Path) -> None:
    sample(tmp_path, "icc_backchannel", "transcription.json", [])
    (found,) = read_samples(tmp_path)
    assert found.task == "backchannel"
    call = record([], [answer("a", 1.0, 1.4, words=1)], seconds=2.0)
    outcome = score_public(public_trial(found, 0), call)
    assert outcome == {"group": "backchannel", "takeover": False, "backchannels_per_second": 0.5}


def test_a_folder_without_samples_or_times_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no sample"):
        read_samples(tmp_path)
    sample(tmp_path, "x", "pause.json", [{"text": "[PAUSE]"}])
    with pytest.raises(ValueError, match=r"pause\.json"):
        read_samples(tmp_path)


@pytest.mark.parametrize(
    ("task", "span", "latency"),
    [
        ("turn", Span(2.01, 2.4), 1.35),  # from the start of the gap
        ("interruption", Span(1.0, 3.0), 0.36),  # from the interruption's end
        ("pause", Span(2.0, 3.0), None),
    ],
)
def test_latency_counts_from_where_the_benchmark_counts(
    task: str, span: Span, latency: float | None
) -> None:
    words = [Word("w", 3.36 + 0.5 * step, 3.7 + 0.5 * step) for step in range(5)]
    found = score_words(task, span, words)
    assert found["takeover"] is True
    assert found["takeover_latency"] == (None if latency is None else pytest.approx(latency))


def test_output_is_written_as_the_benchmark_reads_it(tmp_path: Path) -> None:
    folder = sample(tmp_path / "in", "turns", "turn_taking.json", [{"timestamp": [0.5, 0.9]}])
    one = read_samples(tmp_path / "in")[0]
    call = record([], [answer("a", 0.8, 2.4, words=4)])
    write_output(one, call, tmp_path / "out")
    words = read_words(tmp_path / "out" / "turns" / folder.name / "output.json")
    assert [word.text for word in words] == ["word"] * 4
    assert words[0].start == pytest.approx(0.8)
    assert score_public(public_trial(one, 0), call)["takeover_latency"] == pytest.approx(0.3)
