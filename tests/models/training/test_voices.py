"""Training and evaluation stay apart by voice and by speaker."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from models.training.recordings import (
    KINDS,
    NOBODY,
    Recording,
    read_manifest,
    speakers_apart,
)
from models.training.voices import (
    MANDARIN,
    evaluation_voice,
    mandarin_voice,
    neural_voice,
    reserved_speakers,
    training_voice,
)

MANIFEST = Path(__file__).parents[4] / "shared" / "data" / "MANIFEST.tsv"


def test_no_training_voice_is_reserved() -> None:
    random = Random(0)
    learned = {training_voice(random, 0.2, statistical=0.2).speaker for _ in range(5000)}
    assert len(learned) > 60 and {"rhvoice-bdl", "pico-en-US"} <= learned
    assert not learned & reserved_speakers()


def test_every_evaluation_voice_is_reserved() -> None:
    random = Random(0)
    drawn = {evaluation_voice(random).speaker for _ in range(500)}
    neural = {neural_voice(random, chinese=n % 2 == 0, held_out=True).speaker for n in range(500)}
    assert drawn | neural == reserved_speakers()


def test_neural_voices_are_apart() -> None:
    random = Random(0)
    learned = {neural_voice(random, chinese=n % 2 == 0).speaker for n in range(1000)}
    assert len(learned) == 25 and not learned & reserved_speakers()


def test_chinese_voices_are_apart_by_variant() -> None:
    random = Random(0)
    learned = {mandarin_voice(random).speaker for _ in range(3000)}
    asked = [mandarin_voice(random, held_out=True) for _ in range(300)]
    assert len(learned) > 60 and not learned & reserved_speakers()
    assert {voice.speaker for voice in asked} <= reserved_speakers()
    assert {voice.accent for voice in asked} == {MANDARIN}


def test_people_are_in_one_split_only() -> None:
    if not MANIFEST.exists():
        pytest.skip("no recordings beside the repository")
    splits: dict[str, set[str]] = {}
    for recording in speakers_apart(read_manifest(MANIFEST)):
        if recording.label in KINDS and recording.speaker != NOBODY:
            splits.setdefault(recording.speaker, set()).add(recording.split)
    assert {"train"} in splits.values() and {"dev"} in splits.values()
    assert all(len(found) == 1 for found in splits.values())


def test_training_recordings_of_a_kept_back_speaker_are_left_out() -> None:
    named = [("train", "ann"), ("dev", "ann"), ("train", "bob"), ("train", "-"), ("dev", "-")]
    every = [Recording(Path("x.wav"), split, "query", who, "") for split, who in named]
    assert [(each.split, each.speaker) for each in speakers_apart(every)] == [
        ("dev", "ann"), ("train", "bob"), ("train", "-"), ("dev", "-"),
    ]  # fmt: skip
