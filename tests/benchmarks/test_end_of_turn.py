"""The comparison of ends of turns: what is counted as what, and the server's own rule is asked."""

from __future__ import annotations

import numpy as np
import pytest

from audio.frame import HEAR_RATE
from benchmarks.end_of_turn import FIRST_ASKED_S, CutOrder, EndDecisions, ask_model
from models.base import Verdict
from tests.engine_script import EngineScript, ScriptedSegment
from tests.scripted_engine import ScriptedInstance

QUERY = Verdict(query=0.97, noise=0.01, unfinished=0.02)
UNSURE = Verdict(query=0.55, noise=0.05, unfinished=0.4)
UNFINISHED = Verdict(query=0.05, noise=0.05, unfinished=0.9)
SAID = np.ones(HEAR_RATE, np.float32) * 0.1
TAIL = np.zeros(HEAR_RATE, np.float32)


def cut(*, is_end: bool = True, is_whole: bool = True) -> CutOrder:
    return CutOrder("one", SAID, TAIL, is_end, is_whole)


def test_ends_and_pauses_are_counted_apart() -> None:
    found = EndDecisions()
    found.add(cut(), 0.2, 0.01, 0.1)
    found.add(cut(), None, 0.01, 0.1)
    found.add(cut(is_end=False, is_whole=False), 0.2, 0.01, 0.1)
    found.add(cut(is_end=False), None, 0.01, 0.1)
    figures = found.figures()
    assert (figures["ends_taken"]["hits"], figures["ends_taken"]["count"]) == (1, 2)
    assert figures["pauses_taken"]["rate"] == 1.0
    assert figures["whole_pauses_taken"]["rate"] == 0.0
    assert figures["silence_before_end"]["p50_ms"] == pytest.approx(200)
    assert figures["cpu"]["count"] == 4


@pytest.mark.parametrize(("verdict", "waited"), [(QUERY, 0.16), (UNSURE, 0.23), (UNFINISHED, None)])
async def test_the_servers_own_rule_is_asked(verdict: Verdict, waited: float | None) -> None:
    instance = ScriptedInstance(EngineScript(verdict=lambda _: verdict))
    assert (await ask_model(instance, cut()))[0] == pytest.approx(waited)


async def test_a_model_that_becomes_sure_is_taken_then() -> None:
    def rule(segment: ScriptedSegment) -> Verdict:
        return QUERY if len(segment.samples) > 1.25 * HEAR_RATE else UNFINISHED

    waited, cpu, whole = await ask_model(ScriptedInstance(EngineScript(verdict=rule)), cut())
    assert waited is not None and 0.25 < waited < 0.25 + 2 * FIRST_ASKED_S
    assert 0.0 <= cpu <= whole
