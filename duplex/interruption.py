"""Voice over an answer: does it take the turn, or does the answer go on? Pure."""

from __future__ import annotations

from enum import Enum

from duplex.actions import Reason
from duplex.settings import Settings
from models.base import Verdict

# The first verdicts rest on padding and the first syllable; a cough looks like a word there.
LEAST_HEARD = 0.30
# Without a verdict for so long the answer comes back and the monitor is ill (DESIGN, Duck).
VERDICT_DEADLINE = 0.4
# Before so much of an answer was heard, the user was still in the middle of the turn.
GOING_ON = 0.5
# Sure enough to stop before LEAST_HEARD.
CERTAIN = 0.9

BACKCHANNELS = frozenset(
    "mhm mm mmhm hm hmm uh-huh uhuh huh yeah yes yep ok okay right sure i see ah oh wow really "
    "嗯 嗯嗯 哦 噢 啊 对 对对 好 好的 是 是的 行".split()
)


class Interruption(Enum):
    WAIT = "wait"
    TAKE = "take"
    RESUME = "resume"


def judge_overlap(verdict: Verdict, heard: float, paused: bool, settings: Settings) -> Interruption:
    """`heard`: seconds of voice in the segment so far. Query plus unfinished is the evidence."""
    evidence = verdict.query + verdict.unfinished
    if evidence >= CERTAIN and heard >= LEAST_HEARD / 2:
        return Interruption.TAKE
    if evidence >= settings.take_threshold and (heard >= LEAST_HEARD or paused):
        return Interruption.TAKE
    if verdict.noise >= settings.noise_threshold and (heard >= LEAST_HEARD or paused):
        return Interruption.RESUME
    return Interruption.RESUME if paused else Interruption.WAIT


def name_ignored(verdict: Verdict, over_answer: bool) -> Reason:
    """A label for people: what kind of ignored sound was it?"""
    words = verdict.words.lower().replace(",", " ").replace(".", " ").split()
    if not words:
        return Reason.IGNORED_NOISE
    if over_answer and len(words) <= 3 and all(word in BACKCHANNELS for word in words):
        return Reason.IGNORED_BACKCHANNEL
    return Reason.IGNORED_SIDE_TALK
