"""Has the user finished? Pure functions of verdict, silence and settings."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum

from duplex.settings import Eagerness, Settings
from models.base import Verdict

# From the last voiced sample; the detector's own delay is part of it (DESIGN, Endpointing).
BASE_DELAY = {
    Eagerness.LOW: 0.48,
    Eagerness.MEDIUM: 0.16,
    Eagerness.AUTO: 0.16,
    Eagerness.HIGH: 0.096,
}
# How long an unfinished turn may stay silent (the wire's own figures for eagerness).
PATIENCE = {
    Eagerness.LOW: 8.0,
    Eagerness.MEDIUM: 4.0,
    Eagerness.AUTO: 4.0,
    Eagerness.HIGH: 2.0,
}
# A query that is not sure is committed so much later: meanwhile it is asked anew, or goes on.
DOUBT = 0.12
# What turns to a query only so long after that was not finished by its voice: long silence makes
# any verdict a little more of a query. It must be CERTAIN, or it waits as an unfinished one.
LATE = 0.25
CERTAIN = 0.8
# Who talks to somebody else goes on doing so: what follows so soon must be CERTAIN, too.
TALK_GOES_ON = 3.0
# A segment that is no query is closed after this much silence.
CLOSE_AFTER = 0.5
# Below this share of what a query needs, an unfinished turn is given up, not answered.
LEAST_QUERY = 0.9
# A click shorter than this is nobody's turn.
LEAST_VOICE = 0.064
# A monitor that says nothing for so long after a pause has failed.
VERDICT_PATIENCE = 2.0
# A segment never grows beyond this; encoder positions are finite.
LONGEST_SEGMENT = 30.0


class Endpoint(Enum):
    WAIT = "wait"
    COMMIT = "commit"
    IGNORE = "ignore"
    ABANDON = "abandon"
    FAIL = "fail"


def bar(settings: Settings, *, amid_talk: bool) -> Settings:
    """The settings that a segment is judged by; higher where talk to somebody else came before."""
    if not amid_talk:
        return settings
    return replace(
        settings,
        query_threshold=max(settings.query_threshold, CERTAIN),
        sure_threshold=max(settings.sure_threshold, CERTAIN),
    )


def is_query(verdict: Verdict, settings: Settings) -> bool:
    """Is it finished and meant for the assistant?"""
    return verdict.query >= settings.query_threshold


def is_sure(verdict: Verdict, settings: Settings) -> bool:
    """Is it so surely a query that nothing is left to wait for?"""
    return verdict.query >= max(settings.query_threshold, settings.sure_threshold)


def takes(verdict: Verdict, settings: Settings) -> bool:
    """Does it stop an answer when it ends? Who wants the turn says it clearly."""
    return verdict.query >= settings.take_threshold


def is_noise(verdict: Verdict | None, settings: Settings) -> bool:
    """Has it been judged, and as nothing for the assistant?"""
    return verdict is not None and verdict.noise >= settings.noise_threshold


def endpoint_delay(settings: Settings) -> float:
    """Silence after which a finished query is committed, seconds."""
    if settings.endpoint_delay is not None:
        return settings.endpoint_delay
    return BASE_DELAY[settings.eagerness]


def judge_silence(
    verdict: Verdict | None, silence: float, settings: Settings, *, over_answer: bool = False
) -> Endpoint:
    """Decide what a silence of `silence` seconds means for a segment with this verdict."""
    if verdict is None:
        return Endpoint.FAIL if silence >= VERDICT_PATIENCE else Endpoint.WAIT
    if is_query(verdict, settings):
        if silence < next_look(verdict, settings, silence, over_answer=over_answer):
            return Endpoint.WAIT
        return Endpoint.IGNORE if over_answer and not takes(verdict, settings) else Endpoint.COMMIT
    if is_noise(verdict, settings):
        return Endpoint.IGNORE if silence >= CLOSE_AFTER else Endpoint.WAIT
    if silence < PATIENCE[settings.eagerness]:
        return Endpoint.WAIT
    least = LEAST_QUERY * settings.query_threshold
    if verdict.query >= least and verdict.query > verdict.noise:
        return Endpoint.COMMIT
    return Endpoint.ABANDON


def next_look(
    verdict: Verdict | None, settings: Settings, silence: float = 0.0, *, over_answer: bool = False
) -> float:
    """Silence at which `judge_silence`, having waited at `silence`, changes its mind, seconds."""
    if verdict is None:
        return VERDICT_PATIENCE
    if is_query(verdict, settings):
        return _look_at_query(verdict, settings, silence, over_answer)
    if is_noise(verdict, settings):
        return CLOSE_AFTER
    return PATIENCE[settings.eagerness]


def _look_at_query(
    verdict: Verdict, settings: Settings, silence: float, over_answer: bool
) -> float:
    if over_answer and not takes(verdict, settings):
        return CLOSE_AFTER
    delay = endpoint_delay(settings)
    if _came_late(verdict, silence, settings):
        return max(PATIENCE[settings.eagerness], delay)
    return delay if is_sure(verdict, settings) else delay + DOUBT


def _came_late(verdict: Verdict, silence: float, settings: Settings) -> bool:
    return silence > endpoint_delay(settings) + DOUBT + LATE and verdict.query < CERTAIN


def is_ripe(verdict: Verdict, silence: float, settings: Settings) -> bool:
    """May its answer be prepared? A stream that has begun to answer judges no more."""
    return is_sure(verdict, settings) and not _came_late(verdict, silence, settings)
