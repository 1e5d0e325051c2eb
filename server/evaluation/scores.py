"""From what was heard of each recording to the figures. Pure.

The rules for slots are the skill's own: an order counts if every slot is right and none is extra.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from models.order_slots import SlotScore, digit_of, parse_label, slots_of
from server.evaluation.manifest import LabelledRecording
from server.evaluation.words import word_errors

QUERY = frozenset({"query"})
UNFINISHED = frozenset({"unfinished"})
BACKCHANNEL = frozenset({"backchannel"})
NOISE = frozenset({"noise", "music", "babble"})
TALK = frozenset({"read_speech", "conversation", "isolated_word", "nonquery", "word", "talk"})
DIGIT = frozenset({"digit"})
ECHO = frozenset({"residual_echo", "echo"})
_LONGEST_QUOTE = 160  # letters of a wrong answer
LABELS = QUERY | NOISE | TALK | DIGIT | ECHO | UNFINISHED | BACKCHANNEL
NOT_MEANT = (  # what must not be answered: the name of its figure, and its labels
    ("noise", NOISE), ("talk", TALK), ("echo", ECHO), ("unfinished", UNFINISHED),
    ("backchannel", BACKCHANNEL),
)  # fmt: skip
_SLOTS = "intent="
_REFUSALS = ("cannot", "can't", "不能回答")


@dataclass(frozen=True, slots=True)
class EvaluatedClip:
    """What came of one recording. `acted`: some verdict in it would have been answered (or was);
    `answer`: the text that followed; `words`: what the user is shown of their own words."""

    recording: LabelledRecording
    acted: bool
    answer: str = ""
    words: str = ""

    @property
    def is_order(self) -> bool:
        """An order, whose tag has slots; other queries have their words as a tag, or none."""
        return self.recording.label in QUERY and self.recording.tag.startswith(_SLOTS)

    @property
    def is_question(self) -> bool:
        return self.recording.label in QUERY and not self.is_order


def questions(heard: Iterable[EvaluatedClip], suffix: str = "") -> dict[str, Any]:
    """Questions about anything: taken or not, answered or refused, and how they were read."""
    kept = list(heard)
    return (
        acted(f"question_recall{suffix}", kept, should=True)
        | share(f"question_answered{suffix}", [(one, bool(one.answer.strip())) for one in kept])
        | share(f"question_refused{suffix}", [(one, is_refusal(one.answer)) for one in kept])
        | reading(f"word_errors{suffix}", kept)
    )


def is_refusal(answer: str) -> bool:
    """Does the answer say that it cannot be given?"""
    return any(word in answer.lower() for word in _REFUSALS)


def reading(name: str, heard: Iterable[EvaluatedClip]) -> dict[str, Any]:
    """Wrong words among the words that were said, and which clips were not read word for word."""
    wrong = said = 0
    misses = []
    for one in heard:
        if one.recording.tag:
            found = word_errors(one.recording.tag, one.words)
            wrong, said = wrong + found.wrong, said + found.said
            if found.wrong:
                misses.append(f"{one.recording.name}: {one.recording.tag} <- {one.words!r}")
    return {
        name: wrong / said if said else None,
        f"{name}_count": said,
        f"{name}_misses": misses,
    }


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
        commands(_orders(model))
        | acted("query_recall", _orders(model), should=True)
        | questions(_questions(model))
        | digits(_of(model, DIGIT))
    )
    for suffix, heard in (("_model", model), ("_system", system)):
        if heard is None:
            continue
        for name, labels in NOT_MEANT:
            found |= acted(f"{name}_false_query{suffix}", _of(heard, labels), should=False)
    if system is not None:
        found |= commands(_orders(system), "_system")
        found |= acted("query_recall_system", _orders(system), should=True)
        found |= questions(_questions(system), "_system")
        found |= digits(_of(system, DIGIT), "_system")
    return found


def _quoted(one: EvaluatedClip) -> str:
    return repr(one.answer[:_LONGEST_QUOTE])


def _of(heard: Iterable[EvaluatedClip], labels: frozenset[str]) -> list[EvaluatedClip]:
    return [one for one in heard if one.recording.label in labels]


def _orders(heard: Iterable[EvaluatedClip]) -> list[EvaluatedClip]:
    return [one for one in heard if one.is_order]


def _questions(heard: Iterable[EvaluatedClip]) -> list[EvaluatedClip]:
    return [one for one in heard if one.is_question]
