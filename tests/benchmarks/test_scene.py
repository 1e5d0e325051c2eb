"""Scenes: every committed file is read, and trials are built the same way each time."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import typer

from benchmarks.duplex import _plans
from benchmarks.material import (
    Material,
    MissingMaterial,
    at_level,
    broken_off,
    in_room,
    longest_gap,
    softest,
    stretched,
)
from benchmarks.outcomes import _RULES
from benchmarks.scene import build, read_scene, read_scenes, sentences
from server.call.timeline import RATE, TimelineClip
from tests.benchmarks.calls import beep

_JUDGED_AFTERWARDS = {"history", "resume"}


def gapped() -> TimelineClip:
    """Two sounds of 0.5 s with 0.2 s of faint room between them."""
    room = np.random.default_rng(0).standard_normal(round(0.2 * RATE)) * 0.0005
    return TimelineClip.of(
        "gapped", np.concatenate((beep(0.5), room.astype(np.float32), beep(0.5)))
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    lines = ["path\tsplit\tlabel\tspeaker\ttranscript_or_tag\tseconds\tsource\tlicence"]
    for number in range(3):
        for split in ("train", "dev"):
            name = f"{split}{number}.wav"
            soundfile.write(tmp_path / name, gapped().samples, RATE)
            lines.append(f"{name}\t{split}\tquery\ts{number}\ttag\t1.2\tx\ty")
    (tmp_path / "MANIFEST.tsv").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


def test_every_scene_file_is_sound() -> None:
    scenes = read_scenes()
    assert len(scenes) >= 20
    for scene in scenes:
        assert scene.about and scene.trials > 0
        assert scene.score in _RULES or scene.score in _JUDGED_AFTERWARDS
        assert not scene.typed or sentences(scene.typed)
        assert scene.sounds or scene.typed
        for sound in scene.sounds:
            assert sound.labels or sound.clips or sentences(sound.texts)


def test_trials_are_the_same_for_the_same_seed_and_of_one_split(data: Path) -> None:
    scene = next(scene for scene in read_scenes() if scene.name == "turn-taking")
    first, again, other = (
        [trial.script.cues[0].clip.name for trial in build(scene, Material(data, split), seed=seed)]
        for split, seed in (("dev", 1), ("dev", 1), ("train", 1))
    )
    assert first == again
    assert len(first) == scene.trials
    assert set(first) == {"dev0", "dev1", "dev2"}
    assert set(other) == {"train0", "train1", "train2"}


def test_pauses_are_stretched_in_turn(data: Path) -> None:
    scene = next(scene for scene in read_scenes() if scene.name == "pause")
    trials = build(scene, Material(data, "dev"), limit=3)
    assert [trial.group for trial in trials] == ["0.5 s", "1.0 s", "1.5 s"]
    for trial, seconds in zip(trials, (0.5, 1.0, 1.5), strict=True):
        assert trial.pause is not None
        assert trial.pause.seconds == pytest.approx(seconds, abs=0.02)
        voiced = trial.script.cues[0].clip.voiced
        assert voiced is not None
        assert voiced.end == pytest.approx(1.0 + seconds, abs=0.03)


def test_a_stretched_gap_is_the_room_and_nothing_else_changes() -> None:
    clip = gapped()
    gap = longest_gap(clip)
    assert gap is not None
    assert (gap.start, gap.end) == pytest.approx((0.5, 0.7), abs=0.011)
    longer, pause = stretched(clip, gap, 1.0)
    more = len(longer.samples) - len(clip.samples)
    assert more == pytest.approx(0.8 * RATE, abs=0.02 * RATE)
    middle = longer.samples[round(0.52 * RATE) : round(1.48 * RATE)]
    assert 0 < float(np.max(np.abs(middle))) < 0.01
    assert np.array_equal(longer.samples[: round(0.5 * RATE)], clip.samples[: round(0.5 * RATE)])
    assert np.array_equal(longer.samples[-round(0.5 * RATE) :], clip.samples[-round(0.5 * RATE) :])
    assert pause.seconds == pytest.approx(1.0)
    assert stretched(clip, gap, 0.1) == (clip, gap)
    assert longest_gap(TimelineClip.of("whole", beep(1.0))) is None


def test_a_word_is_not_torn_where_speech_is_broken_off() -> None:
    clip = gapped()
    moment = softest(clip.samples, 0.52)
    assert 0.5 <= moment <= 0.56
    longer, pause = broken_off(clip, moment, 1.0)
    assert pause.seconds == pytest.approx(1.0)
    assert len(longer.samples) == len(clip.samples) + RATE
    middle = longer.samples[round(pause.start * RATE) : round(pause.end * RATE)]
    assert not middle.any()
    kept = round(0.49 * RATE)
    assert np.array_equal(longer.samples[:kept], clip.samples[:kept])
    assert longer.voiced is not None
    assert longer.voiced.end == pytest.approx(2.2, abs=0.03)


def test_each_setting_is_played_with_the_same_sounds(data: Path) -> None:
    scene = next(scene for scene in read_scenes() if scene.name == "eagerness")
    trials = build(scene, Material(data, "dev"), limit=9)
    names = [trial.script.cues[0].clip.name for trial in trials]
    assert names[0] == names[1] == names[2] != names[3]
    assert [trial.group for trial in trials[:4]] == [
        "eagerness low",
        "eagerness medium",
        "eagerness high",
        "eagerness low",
    ]


def test_a_typed_question_needs_no_sound_of_its_own() -> None:
    scene = next(scene for scene in read_scenes() if scene.name == "echo")
    trials = build(scene, Material(None, "dev"), limit=3)
    assert len({trial.question for trial in trials}) == 3
    for trial in trials:
        assert trial.question in sentences("long")
        assert trial.script.echo is not None
        assert trial.alone(4.0).cues == ()
        assert trial.alone(4.0).limit == 4.0


def test_levels_and_rooms() -> None:
    sound = beep(0.5)
    for level in (-43.0, -20.0):
        rms = float(np.sqrt(np.mean(at_level(sound, level) ** 2)))
        assert 20 * np.log10(rms) == pytest.approx(level, abs=0.1)
    assert float(np.max(np.abs(at_level(sound, 20.0)))) <= 0.9
    echo = np.zeros(100, dtype=np.float32)
    echo[40] = 0.5
    wet = in_room(TimelineClip.of("dry", sound), echo)
    assert np.allclose(wet.samples[40:], sound[:-40], atol=0.01)


def test_missing_material_is_named(data: Path) -> None:
    noise = next(scene for scene in read_scenes() if scene.name == "noise-in-silence")
    with pytest.raises(MissingMaterial, match="noise"):
        build(noise, Material(data, "dev"))
    with pytest.raises(MissingMaterial, match="ANTIPHON_DATA"):
        build(noise, Material(None, "dev"))


def test_a_misspelt_scene_is_named(tmp_path: Path) -> None:
    path = tmp_path / "odd.toml"
    path.write_text('about = "x"\nscore = "turn"\ntrials = 1\n[[sound]]\nrole = "q"\ntxets = "a"')
    with pytest.raises(ValueError, match=r"odd\.toml.*txets"):
        read_scene(path)


@pytest.mark.skipif(not shutil.which("flite"), reason="flite is not installed")
def test_spoken_scenes_need_no_data() -> None:
    scene = next(scene for scene in read_scenes() if scene.name == "interruption")
    trial = build(scene, Material(None, "dev"), limit=1)[0]
    (interruption,) = trial.script.cues
    assert interruption.clip.seconds > 0.5
    assert interruption.after_answer is not None
    assert 1.0 <= interruption.after_answer <= 3.0


def test_scenes_are_asked_for_by_name_and_number(data: Path) -> None:
    plans = _plans(Material(data, "dev"), ["turn-taking:2", "noise-in-silence"], 0, 5, None)
    (first, trials), (second, why) = plans
    assert (first, len(trials), second) == ("turn-taking", 2, "noise-in-silence")
    assert "noise" in str(why)
    for wrong in ("turn-taking:none", "no-such-scene"):
        with pytest.raises(typer.BadParameter):
            _plans(Material(data, "dev"), [wrong], 0, None, None)
