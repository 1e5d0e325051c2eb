"""Training and evaluation stay apart by voice and by speaker."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from models.training.recordings import KINDS, read_manifest
from models.training.voices import evaluation_voice, reserved_speakers, training_voice

MANIFEST = Path(__file__).parents[4] / "shared" / "data" / "MANIFEST.tsv"


def test_no_training_voice_is_reserved() -> None:
    random = Random(0)
    learned = {training_voice(random, festival=0.2).speaker for _ in range(5000)}
    assert len(learned) > 60
    assert not learned & reserved_speakers()


def test_every_evaluation_voice_is_reserved() -> None:
    random = Random(0)
    assert {evaluation_voice(random).speaker for _ in range(500)} == reserved_speakers()


# The manifest itself has these in both parts: one reader, and words whose speakers nobody noted.
IN_BOTH = {"lj", "unknown"}


def test_people_are_in_one_split_only() -> None:
    if not MANIFEST.exists():
        pytest.skip("no recordings beside the repository")
    splits: dict[str, set[str]] = {}
    for recording in read_manifest(MANIFEST):
        if recording.label in KINDS and recording.label not in ("noise", "music", "babble"):
            splits.setdefault(recording.speaker, set()).add(recording.split)
    assert splits
    assert {speaker for speaker, found in splits.items() if len(found) > 1} <= IN_BOTH
