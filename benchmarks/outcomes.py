"""What one trial's record says, by the rule that its scene names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from benchmarks.scene import Trial
from benchmarks.takeover import Word, after, backchannel_take_over, take_over
from server.call.latency import MeasuredTurn, interrupted, turns
from server.call.record import CallRecord, RecordedAnswer
from server.call.timeline import RATE, Placed
from server.call.voiced import Span

Figure: TypeAlias = bool | float | str | None
Outcome: TypeAlias = dict[str, Figure]

DISTURBED = 0.6  # seconds at reduced gain from which a listener is disturbed
AFTER_PAUSE = 1.0  # seconds after a pause in which sound still counts as talking into it
_SECONDS_A_WORD = 0.33
_NEAR = 0.25  # seconds by which two ways to find a voice's edges may differ


def words_of(answer: RecordedAnswer) -> list[Word]:
    """The words of an answer that were played, spread evenly over its sound."""
    if answer.audible is None or not len(answer.received):
        return []
    span = answer.audible
    texts = answer.transcript.split()
    if texts:
        share = min(1.0, answer.seconds_played / (len(answer.received) / RATE))
        texts = texts[: max(1, round(len(texts) * share))]
    else:
        texts = ["?"] * max(1, round(span.seconds / _SECONDS_A_WORD))
    step = span.seconds / len(texts)
    starts = [span.start + index * step for index in range(len(texts))]
    return [Word(text, at, at + step) for text, at in zip(texts, starts, strict=True)]


def all_words(record: CallRecord, until: float = float("inf")) -> list[Word]:
    """Every word that was played, in order, as far as a moment of the call."""
    found = [word for answer in record.answers for word in words_of(answer)]
    return sorted((word for word in found if word.start < until), key=lambda word: word.start)


def score(trial: Trial, record: CallRecord) -> Outcome:
    """The figures of one trial. Raises KeyError on a rule that does not exist."""
    return _RULES[trial.score](trial, record)


# ------------------------------------------------------------------------------------- rules


def score_turn(trial: Trial, record: CallRecord) -> Outcome:
    """One query with a clear end."""
    turn = _turn_of(record, "query")
    taken = take_over(all_words(record), turn.last_voiced)
    return {
        "answered": turn.answered,
        "takeover": taken.taken,
        "takeover_latency": taken.latency,
        "response": turn.response,
        "answered_too_early": turn.response is not None and turn.response < 0,
    }


def score_pause(trial: Trial, record: CallRecord) -> Outcome:
    """A query with a pause inside: nobody may talk into it, nor shortly after it."""
    _, placed = _cue_of(record, "query")
    assert trial.pause is not None
    pause = trial.pause.shifted(placed.start)
    until = min(pause.end + AFTER_PAUSE, placed.voiced.end)
    window = Span(pause.start, until)
    sounding = [
        True
        for answer in record.answers
        if answer.audible is not None and answer.audible.overlap(window) > 0
    ]
    turn = _turn_of(record, "query")
    return {
        "sound_in_pause": bool(sounding),
        "takeover": take_over(all_words(record, placed.voiced.end)).taken,
        "answered": any(
            answer.audible is not None and answer.audible.end > placed.voiced.end
            for answer in record.answers
        ),
        "response": turn.response if turn.response is not None and turn.response >= 0 else None,
    }


def score_interruption(trial: Trial, record: CallRecord) -> Outcome:
    """A real query over an answer."""
    turn = _turn_of(record, "interruption")
    if not turn.over_answer:
        return {"no_answer_to_interrupt": True}
    # The benchmark crops the output at the end of the interruption; what is left of the old answer
    # there is no word of a new one.
    placed = next(placed for cue, placed in record.cues if cue.label == "interruption")
    old = interrupted(placed, record.answers)
    new = [word for answer in record.answers if answer is not old for word in words_of(answer)]
    words = after(sorted(new, key=lambda word: word.start), turn.last_voiced)
    taken = take_over(words, turn.last_voiced)
    return {
        "no_answer_to_interrupt": False,
        "missed": not turn.stopped,
        "answered": turn.answered,
        "takeover": taken.taken,
        "takeover_latency": taken.latency,
        "stop": turn.stop,
        "stopped_while_user_speaks": turn.stop is not None
        and turn.first_voiced + turn.stop < turn.last_voiced,
        "duck": turn.duck,
        "interruption": turn.interruption,
    }


def score_overlap(trial: Trial, record: CallRecord) -> Outcome:
    """A sound over an answer that is not meant for the assistant."""
    sounds = [pair for pair in record.cues if not pair[0].expects_answer]
    if not sounds:  # the answer was over before the sound's moment came
        return {"no_answer_to_disturb": True}
    cue, placed = sounds[-1]
    old = interrupted(placed, record.answers)
    if old is None:
        return {"no_answer_to_disturb": True}
    onset = placed.voiced.start
    ducked = ducked_seconds(record, Span(onset, placed.voiced.end + 1.0))
    later = [a for a in record.answers if a is not old and a.created > onset]
    return {
        "no_answer_to_disturb": False,
        "false_interruption": old.cut,
        "stopped_within_1s": old.cut and old.played_until <= onset + 1.0,
        "disturbed": ducked > DISTURBED,
        "ducked": ducked,
        "false_answer": any(answer.audible is not None for answer in later),
        "kind": cue.label,
    }


def score_stop(trial: Trial, record: CallRecord) -> Outcome:
    """A stop word over an answer: it ends, and nothing is spoken over it."""
    turn = _turn_of(record, "stop")
    if not turn.over_answer:
        return {"no_answer_to_stop": True}
    return {
        "no_answer_to_stop": False,
        "stopped": turn.stopped,
        "stop": turn.stop,
        "silent_afterwards": not turn.answered,
    }


def score_silence(trial: Trial, record: CallRecord) -> Outcome:
    """A sound in silence that is no query."""
    _, placed = record.cues[-1]
    spoken = [a.audible for a in record.answers if a.audible is not None]
    return {"false_answer": bool(spoken), "seconds": record.seconds, "clip": placed.clip.name}


def score_listening(trial: Trial, record: CallRecord) -> Outcome:
    """Somebody speaks for long, to nobody here: Full-Duplex-Bench's backchannel axis.

    Its distance from when people put in a "mhm" is 1 by its definition where none was heard.
    """
    segments = [a.audible for a in record.answers if a.audible is not None]
    taken, backchannels = backchannel_take_over(segments, all_words(record))
    return {
        "false_answer": bool(segments),
        "takeover": taken,
        "backchannels_per_second": backchannels / record.seconds,
        "seconds": record.seconds,
    }


def score_stall(trial: Trial, record: CallRecord) -> Outcome:
    """The line was dead for a while: the answer comes soon after it lives again, to all of the
    question."""
    turn = _turn_of(record, "query")
    stall = trial.script.stall
    assert stall is not None
    alive = max(turn.last_voiced, stall.at + stall.seconds)
    heard = [event.event for event in record.events("antiphon.decision")]
    spans = [(event["audio_start_ms"] / 1000, event["audio_end_ms"] / 1000) for event in heard]
    return {
        "answered": turn.answered,
        "caught_up": None if turn.response is None else turn.last_voiced + turn.response - alive,
        "nothing_dropped": any(
            abs(start - turn.first_voiced) < _NEAR and abs(end - turn.last_voiced) < _NEAR
            for start, end in spans
        ),
    }


def score_echo(trial: Trial, record: CallRecord) -> Outcome:
    """The answer comes back to the microphone: the assistant must not stop for itself."""
    spoken = [answer for answer in record.answers if answer.audible is not None]
    if not spoken:
        return {"no_answer_to_hear": True}
    return {
        "no_answer_to_hear": False,
        "self_interruption": spoken[0].cut,
        "self_answer": len(spoken) > 1,
        "disturbed": ducked_seconds(record, Span(0.0, record.seconds)) > DISTURBED,
    }


def score_endpoint(trial: Trial, record: CallRecord) -> Outcome:
    """Where a turn was committed: at a pause inside it (a false cut-off), or after its end."""
    _, placed = _cue_of(record, "query")
    commits = [happening.now for happening in record.events("input_audio_buffer.committed")]
    ends = [now - placed.voiced.end for now in commits]
    later = [end for end in ends if end >= 0]
    return {
        "false_cut_off": any(end < 0 for end in ends),
        "ended": bool(later),
        "commit": later[0] if later else None,
    }


_RULES: dict[str, Callable[[Trial, CallRecord], Outcome]] = {
    "turn": score_turn,
    "pause": score_pause,
    "interruption": score_interruption,
    "overlap": score_overlap,
    "silence": score_silence,
    "listening": score_listening,
    "stall": score_stall,
    "stop": score_stop,
    "echo": score_echo,
    "endpoint": score_endpoint,
}


# ------------------------------------------------------------------------------------- parts


def ducked_seconds(record: CallRecord, window: Span) -> float:
    """How long the answer was at reduced gain inside a window, by the server's own word."""
    total, since = 0.0, None
    for happening in record.events("antiphon.duck"):
        is_ducked = bool(happening.event.get("ducked"))
        if is_ducked and since is None:
            since = happening.now
        elif not is_ducked and since is not None:
            total += Span(since, happening.now).overlap(window)
            since = None
    if since is not None:
        total += Span(since, record.seconds).overlap(window)
    return total


def reasons(record: CallRecord) -> dict[str, int]:
    """How many segments ended for which reason."""
    counts: dict[str, int] = {}
    for happening in record.events("antiphon.decision"):
        reason = str(happening.event.get("reason"))
        counts[reason] = counts.get(reason, 0) + 1
    return counts


def _cue_of(record: CallRecord, label: str) -> tuple[str, Placed]:
    return next((cue.label, placed) for cue, placed in record.cues if cue.label == label)


def _turn_of(record: CallRecord, label: str) -> MeasuredTurn:
    found = [turn for turn in turns(record) if turn.label == label]
    if found:
        return found[0]
    # The cue waited for an answer that never came.
    return MeasuredTurn(label, "", 0.0, 0.0, over_answer=False, stopped=False, answered=False)
