"""A trace as a story, what was heard and why the session did what it did."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from duplex import actions, events
from duplex.trace import Record
from models.base import SPEAK_RATE, Verdict

WHY = {
    actions.Reason.ANSWERED: "a finished query: it is answered",
    actions.Reason.STOPPED: "it took the turn and asked for nothing: the answer ends",
    actions.Reason.IGNORED_NOISE: "noise: the monitor found no query in it",
    actions.Reason.IGNORED_SIDE_TALK: "words that were not meant for the assistant",
    actions.Reason.IGNORED_OTHER_SPEAKER: "another voice than the user's, without a clear query",
    actions.Reason.IGNORED_BACKCHANNEL: "listening, not asking",
    actions.Reason.ECHO: "our own output, heard by the microphone",
    actions.Reason.ABANDONED: "too short, or never finished",
    actions.Reason.SUPERSEDED: "something newer took its place",
    actions.Reason.NOT_REQUESTED: "the client did not want an answer (create_response false)",
    actions.Reason.FAILED: "the models failed",
}


_LONGEST_QUOTE = 80  # letters


@dataclass(frozen=True, slots=True)
class StoryLine:
    """One thing that happened, for people. `side`: user, monitor, assistant or client."""

    now: float
    side: str
    text: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A state and how long it lasted, in seconds of session time."""

    name: str
    start: float
    end: float


@dataclass(slots=True)
class Story:
    """A whole session. `voice`: (session time, probability, echo) of each window."""

    lines: list[StoryLine] = field(default_factory=list)
    voice: list[tuple[float, float, bool]] = field(default_factory=list)
    verdicts: list[tuple[float, Verdict]] = field(default_factory=list)
    decisions: list[tuple[float, actions.Decide]] = field(default_factory=list)
    user: list[Stretch] = field(default_factory=list)
    assistant: list[Stretch] = field(default_factory=list)
    swaps: list[float] = field(default_factory=list)
    seconds: float = 0.0


def tell(records: Iterable[Record]) -> Story:
    """The story of a trace."""
    story = Story()
    states = {"user": ("silent", 0.0), "assistant": ("listening", 0.0)}
    ducked: set[int] = set()
    for record in records:
        story.seconds = max(story.seconds, record.now)
        _take(story, record)
        if isinstance(record.payload, actions.ShowState):
            _move(story, states, record.payload, record.now)
        if isinstance(record.payload, actions.SendAudio):
            _note_duck(story, ducked, record.payload, record.now)
    _move(story, states, None, story.seconds)
    return story


def swap_seconds(records: Iterable[Record]) -> list[float]:
    """From each StartAnswer (speculation apart) to the first text or sound of that answer."""
    begun: dict[int, float] = {}
    found = []
    for record in records:
        payload = record.payload
        if isinstance(payload, actions.StartAnswer) and not payload.speculative:
            begun[payload.response_id] = record.now
        elif isinstance(payload, events.AnswerTextMade | events.AnswerSoundMade):
            since = begun.pop(payload.response_id, None)
            if since is not None:
                found.append(record.now - since)
    return found


def _take(story: Story, record: Record) -> None:
    now, payload = record.now, record.payload
    if isinstance(payload, events.VoiceMeasured):
        story.voice.append((now, payload.probability, payload.echo))
    elif isinstance(payload, events.VerdictGiven):
        story.verdicts.append((now, payload.verdict))
    elif isinstance(payload, actions.Decide):
        story.decisions.append((now, payload))
    elif isinstance(payload, actions.ShowSwap):
        story.swaps.append(now)
    write = _WRITERS.get(type(payload))
    if write is not None:
        story.lines.append(write(payload, now))


def _move(
    story: Story, states: dict[str, tuple[str, float]], new: actions.ShowState | None, now: float
) -> None:
    """Close the stretches of the states that end here (all of them at the end of the trace)."""
    for side, stretches in (("user", story.user), ("assistant", story.assistant)):
        name, since = states[side]
        following = getattr(new, side) if new is not None else None
        if following != name:
            if now > since:
                stretches.append(Stretch(name, since, now))
            states[side] = (str(following), now)


def _note_duck(story: Story, ducked: set[int], sent: actions.SendAudio, now: float) -> None:
    number = sent.response_id
    at = f"at {sent.start / SPEAK_RATE:.2f} s of it"
    if sent.ducked and number not in ducked:
        ducked.add(number)
        story.lines.append(
            StoryLine(
                now, "assistant", f"answer {number} ducks {at}", "a voice over it, undecided yet"
            )
        )
    elif not sent.ducked and number in ducked:
        ducked.discard(number)
        story.lines.append(StoryLine(now, "assistant", f"answer {number} is back {at}"))


def scores(verdict: Verdict | None) -> str:
    """A verdict in one line."""
    if verdict is None:
        return "no verdict"
    parts = {
        "query": verdict.query,
        "noise": verdict.noise,
        "text": verdict.text,
        "unfinished": verdict.unfinished,
    }
    shown = " ".join(f"{name} {score:.2f}" for name, score in parts.items() if score >= 0.005)
    return f"{shown} “{verdict.words}”" if verdict.words else shown


def _decided(decision: actions.Decide, now: float) -> StoryLine:
    span = f"{decision.start:.2f}-{decision.end:.2f} s of the user's sound"
    why = f"{WHY[decision.reason]} ({scores(decision.verdict)})"
    return StoryLine(
        now, "monitor", f"segment {decision.segment} is {decision.reason.value}: {span}", why
    )


def _ended(end: actions.ResponseEnded, now: float) -> StoryLine:
    heard = f"{end.heard_ms / 1000:.2f} s heard"
    words = end.heard if len(end.heard) <= _LONGEST_QUOTE else f"{end.heard[:_LONGEST_QUOTE]}…"
    said = f" “{words}”" if words else ""
    text = f"answer {end.response_id} {end.status.value}, {heard}{said}"
    return StoryLine(now, "assistant", text, end.reason or "")


def _started(start: actions.StartAnswer, now: float) -> StoryLine:
    text = f"answer {start.response_id} is begun"
    why = "held back: the pause is not confirmed yet" if start.speculative else ""
    return StoryLine(now, "assistant", text, why)


def _cancelled(cancel: actions.CancelAnswer, now: float) -> StoryLine:
    why = "the user went on: it never was" if cancel.rewind else ""
    return StoryLine(now, "assistant", f"answer {cancel.response_id} is no longer made", why)


_WRITERS: dict[type, Callable[[Any, float], StoryLine]] = {
    actions.BeginHearing: lambda a, now: StoryLine(
        now, "user", f"a voice: segment {a.segment} opens"
    ),
    actions.FlushHearing: lambda a, now: StoryLine(
        now, "user", f"a pause in segment {a.segment} at {a.until:.2f} s"
    ),
    actions.StartAnswer: _started,
    actions.ConfirmAnswer: lambda a, now: StoryLine(
        now, "assistant", f"answer {a.response_id} may sound", "the pause is confirmed"
    ),
    actions.CancelAnswer: _cancelled,
    actions.ReplaceMonitor: lambda a, now: StoryLine(
        now,
        "monitor",
        "the monitor is replaced",
        "it did not stop" if a.segment is None else f"no verdict on segment {a.segment} in time",
    ),
    actions.ShowSwap: lambda a, now: StoryLine(
        now, "monitor", "generator and monitor change places", f"for answer {a.response_id}"
    ),
    actions.ShowAnswerTimes: lambda a, now: StoryLine(
        now,
        "assistant",
        f"answer {a.response_id} has its first sound {a.times.first_sound * 1000:.0f} ms after "
        "it was asked for",
        f"first token {a.times.first_token * 1000:.0f} ms, "
        f"first clause {a.times.first_clause * 1000:.0f} ms",
    ),
    actions.Decide: _decided,
    actions.ResponseEnded: _ended,
    actions.Refuse: lambda a, now: StoryLine(
        now, "client", f"a request is refused: {a.message}", a.code
    ),
    events.HearingFailed: lambda e, now: StoryLine(now, "monitor", "hearing failed", e.reason),
    events.AnswerFailed: lambda e, now: StoryLine(
        now, "assistant", f"answer {e.response_id} failed", e.reason
    ),
    events.CancelRequested: lambda e, now: StoryLine(now, "client", "asks to cancel the answer"),
    events.CommitRequested: lambda e, now: StoryLine(now, "client", "commits the buffer"),
    events.ItemTruncateRequested: lambda e, now: StoryLine(
        now, "client", f"truncates {e.item_id} at {e.audio_end_ms} ms"
    ),
    events.ResponseRequested: lambda e, now: StoryLine(now, "client", "asks for an answer"),
}
