"""The caller's microphone and speaker: samples on one time line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio.frame import Samples
from server.call.speaker import Speaker
from server.call.timeline import RATE, Timeline, TimelineClip, load_clip


def ones(seconds: float, value: float = 0.5) -> Samples:
    return np.full(round(seconds * RATE), value, dtype=np.float32)


def test_sound_that_comes_early_queues_and_late_sound_leaves_a_gap() -> None:
    speaker = Speaker()
    speaker.push("r", "i", ones(0.1), 1.0)
    second = speaker.push("r", "i", ones(0.1), 1.02)
    assert second.at == round(1.1 * RATE)
    assert speaker.queued(1.02) == pytest.approx(0.18)
    third = speaker.push("r", "i", ones(0.1), 1.25)
    assert third.at == round(1.25 * RATE)
    assert speaker.underruns == 1
    assert speaker.underrun_seconds == pytest.approx(0.05)


def test_a_flush_keeps_what_was_heard_and_no_sample_more() -> None:
    speaker = Speaker()
    speaker.push("r", "i", ones(0.2), 0.0)
    speaker.push("r", "i", ones(0.2), 0.1)
    assert speaker.flush(0.3) == "i"
    assert speaker.flush(0.3) is None
    assert speaker.played("i", 9.0) == round(0.3 * RATE)
    line = speaker.read(0, RATE)
    assert np.count_nonzero(line) == round(0.3 * RATE)
    assert len(speaker.received("i")) == round(0.4 * RATE)
    assert speaker.push("s", "j", ones(0.1), 0.31).at == round(0.31 * RATE)


def test_played_counts_only_what_has_left_by_now() -> None:
    speaker = Speaker()
    speaker.push("r", "i", ones(0.5), 1.0)
    assert speaker.played("i", 1.2) == round(0.2 * RATE)
    assert speaker.played("other", 1.2) == 0


def test_timeline_lays_clips_over_the_room() -> None:
    timeline = Timeline(seed=3)
    quiet = timeline.read(0, 480)
    placed = timeline.place(TimelineClip.of("x", ones(0.01)), 0.005)
    heard = timeline.read(0, 480)
    assert np.array_equal(heard[:120], quiet[:120])
    assert np.allclose(heard[120:360] - quiet[120:360], 0.5, atol=1e-6)
    assert placed.start == 0.005
    assert np.array_equal(heard, timeline.read(0, 480))
    assert np.array_equal(timeline.read(240, 240), heard[240:])


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (44100, 2), (48000, 1)])
def test_any_file_becomes_a_mono_clip(tmp_path: Path, rate: int, channels: int) -> None:
    path = tmp_path / "q.wav"
    steps = np.arange(rate) / rate
    sound = np.where((steps > 0.3) & (steps < 0.8), np.sin(2 * np.pi * 300 * steps) * 0.5, 0)
    soundfile.write(path, np.repeat(sound[:, None], channels, axis=1), rate)
    clip = load_clip(path)
    assert clip.seconds == pytest.approx(1.0, abs=0.001)
    assert clip.voiced is not None
    assert (clip.voiced.start, clip.voiced.end) == pytest.approx((0.3, 0.8), abs=0.02)


def test_bad_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(ValueError, match=r"text\.wav"):
        load_clip(tmp_path / "text.wav")
    with pytest.raises(FileNotFoundError, match=r"gone\.wav"):
        load_clip(tmp_path / "gone.wav")
