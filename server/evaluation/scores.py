"""From what was heard of each recording to the figures. Pure.

The rules for slots are the skill's own: an order counts if every slot is right and none is extra.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from models.order_slots import SlotScore, digit_of, parse_label, slots_of
from server.evaluation.manifest import LabelledRecording

QUERY = frozenset({"query"})
NOISE = frozenset({"noise", "music", "babble"})
TALK = frozenset({"read_speech", "conversation", "isolated_word", "nonquery", "word"})
DIGIT = frozenset({"digit"})
ECHO = frozenset({"residual_echo", "echo"})
_LONGEST_QUOTE = 160  # letters of a wrong answer
LABELS = QUERY | NOISE | TALK | DIGIT | ECHO


@dataclass(frozen=True, slots=True)
class EvaluatedClip:
    """What came of one recording. `acted`: some verdict in it would have been answered (or was);
    `answer`: the text that followed."""

    recording: LabelledRecording
    acted: bool
    answer: str = ""


def commands(heard: Iterable[EvaluatedClip], suffix: str = "") -> dict[str, Any]:
    """Orders: whole ones that are exactly right, and the F1 over their slots."""
    whole: list[tuple[EvaluatedClip, bool]] = []
    score = SlotScore()
    for one in heard:
        wanted, given = parse_label(one.recording.tag), slots_of(one.answer)
        whole.append((one, wanted == given))
        score = score.plus(given, wanted)
    return share(f"command_accuracy{suffix}", whole) | {
        f"slot_accuracy{suffix}": score.slot_f1 if whole else None,
        f"slot_accuracy{suffix}_count": score.wanted,
        f"slot_accuracy{suffix}_misses": [
            f"{one.recording.name}: wanted {one.recording.tag}, answered {_quoted(one)}"
            for one, is_right in whole
            if not is_right
        ],
    }


def digits(heard: Iterable[EvaluatedClip], suffix: str = "") -> dict[str, Any]:
    """Spoken digits: the answer names that number and no other one."""
    judged = [(one, digit_of(one.answer) == int(one.recording.tag)) for one in heard]
    return share(f"digit_accuracy{suffix}", judged)


def acted(name: str, heard: Iterable[EvaluatedClip], *, should: bool) -> dict[str, Any]:
    """The share of recordings that were acted on; a miss is one where that was wrong."""
    kept = list(heard)
    return {
        name: sum(one.acted for one in kept) / len(kept) if kept else None,
        f"{name}_count": len(kept),
        f"{name}_misses": [one.recording.name for one in kept if one.acted is not should],
    }


def share(name: str, judged: Sequence[tuple[EvaluatedClip, bool]]) -> dict[str, Any]:
    """The share that is right, of how many, and the names of the others with what was answered."""
    return {
        name: sum(right for _, right in judged) / len(judged) if judged else None,
        f"{name}_count": len(judged),
        f"{name}_misses": [
            f"{one.recording.name}: {one.recording.tag} <- {_quoted(one)}"
            for one, right in judged
            if not right
        ],
    }


def unreached(failed: Sequence[tuple[LabelledRecording, str]], called: int) -> dict[str, Any]:
    """The share of calls that came to nothing, and why; they are in none of the other figures."""
    return {
        "calls_failed": len(failed) / called if called else None,
        "calls_failed_count": called,
        "calls_failed_misses": [f"{recording.name}: {reason}" for recording, reason in failed],
    }


def figures(
    model: Sequence[EvaluatedClip], system: Sequence[EvaluatedClip] | None
) -> dict[str, Any]:
    """All figures. Those without a suffix and those in `_model` are the model's own: queries taken
    or not on the whole clip, answers on its voiced part. `_system` went the full path, with voice
    activity detection and turn-taking."""
    found = (
        commands(_of(model, QUERY))
        | acted("query_recall", _of(model, QUERY), should=True)
        | digits(_of(model, DIGIT))
    )
    for suffix, heard in (("_model", model), ("_system", system)):
        if heard is None:
            continue
        for name, labels in (("noise", NOISE), ("talk", TALK), ("echo", ECHO)):
            found |= acted(f"{name}_false_query{suffix}", _of(heard, labels), should=False)
    if system is not None:
        found |= commands(_of(system, QUERY), "_system")
        found |= acted("query_recall_system", _of(system, QUERY), should=True)
        found |= digits(_of(system, DIGIT), "_system")
    return found


def _quoted(one: EvaluatedClip) -> str:
    return repr(one.answer[:_LONGEST_QUOTE])


def _of(heard: Iterable[EvaluatedClip], labels: frozenset[str]) -> list[EvaluatedClip]:
    return [one for one in heard if one.recording.label in labels]
