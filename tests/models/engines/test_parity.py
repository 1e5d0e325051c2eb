"""tests: the exported tiny model does what its torch modules do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.engines.bundle import Bundle
from models.training.export import Parts
from models.training.parity import compare

pytestmark = pytest.mark.timeout(300)  # the first of all exports a model

QUESTIONS = ("what is the capital of france", "hello there", "tell me a story")


@pytest.fixture(scope="module")
def exact(exact_folder: Path) -> Bundle:
    """Without 8-bit weights, so that only the form differs."""
    return Bundle.read(exact_folder)


def test_the_form_changes_nothing(parts: Parts, exact: Bundle) -> None:
    random = np.random.default_rng(5)
    clips = [(0.1 * random.standard_normal(n)).astype(np.float32) for n in (9_000, 20_480)]
    sentences = ["paris.", "it is the capital of france."]
    pictures = [np.full((20, 30, 3), tone, np.uint8) for tone in (20, 220)]
    report = compare(parts, exact, QUESTIONS, clips, sentences, pictures)
    assert report.holds
    assert report.answers == 3 + 2 + 2
    assert report.codes > 10
    assert report.codes_equal == report.codes
    assert report.state_difference < 1e-4


def test_eight_bits_change_little(parts: Parts, bundle: Bundle) -> None:
    random = np.random.default_rng(5)
    clips = [(0.1 * random.standard_normal(9_000)).astype(np.float32)]
    report = compare(parts, bundle, (), clips, ["it is the capital of france."])
    assert report.state_difference < 0.1
    assert report.codes_equal > 0.8 * report.codes


def test_a_difference_is_seen(parts: Parts, exact: Bundle) -> None:
    """A comparison that cannot fail would be worth nothing."""
    other = exact.table[::-1].copy()
    broken = replace(exact, table=other)
    report = compare(parts, broken, QUESTIONS)
    assert report.answers_equal < report.answers
    assert not report.holds
