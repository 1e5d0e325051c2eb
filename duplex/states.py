"""The state machines of a conversation, each as one table.

Theory of operation. Every state belongs to one thing and ends with it. A segment of the user's
sound has three machines: what is known of it (`SegmentState`), whether its voice goes on
(`UserState`), and what it has done to the answer that played when it began (`OverlapState`). A
response has two: how far the model is with it (`MakingState`) and what may leave of it
(`DeliveryState`).

The joint state of the two parties is kept nowhere: the user is in the state of the open segment's
voice, SILENT where none is open; the assistant is in the state of the current response, LISTENING
where there is none or it is held back (`SessionState.user` and `.assistant` in duplex.core).

The tables drive: code offers a machine a step and goes on according to whether the table has it, or
takes a step that must be possible. Nothing else sets a state.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Generic, TypeVar


class ImpossibleStep(Exception):
    """A machine was asked for a step that its state does not have."""


State = TypeVar("State", bound=Enum)
Step = TypeVar("Step", bound=Enum)


class Machine(Generic[State, Step]):
    """A state, and the table that says which steps lead where."""

    __slots__ = ("_table", "state")

    def __init__(self, table: Mapping[tuple[State, Step], State], state: State) -> None:
        self._table = table
        self.state = state

    def has(self, step: Step) -> bool:
        """True if the step is possible in this state."""
        return (self.state, step) in self._table

    def offer(self, step: Step) -> bool:
        """Take the step if it is possible; True if it was taken."""
        is_possible = self.has(step)
        if is_possible:
            self.state = self._table[self.state, step]
        return is_possible

    def take(self, step: Step) -> None:
        """Take a step that must be possible. Raises ImpossibleStep."""
        if not self.offer(step):
            name = type(self.state).__name__
            raise ImpossibleStep(f"{name} {self.state.value}: {step.value}")


# --------------------------------------------------------------------------------- the user


class UserState(Enum):
    SILENT = "silent"
    SPEAKING = "speaking"
    PAUSED = "paused"


class VoiceStep(Enum):
    PAUSE = "pause"  # the voice stopped; the segment is still open
    RESUME = "resume"  # the user is heard again


VOICE_STEPS = {
    (UserState.SPEAKING, VoiceStep.PAUSE): UserState.PAUSED,
    (UserState.PAUSED, VoiceStep.RESUME): UserState.SPEAKING,
}


class SegmentState(Enum):
    """What the client and the conversation know of a segment."""

    PENDING = "pending"  # heard by the monitor alone
    ANNOUNCED = "announced"  # the client was told that the user speaks
    COMMITTED = "committed"  # a turn of the conversation, its answer not yet decided
    DECIDED = "decided"


class SegmentStep(Enum):
    ANNOUNCE = "announce"
    COMMIT = "commit"
    DECIDE = "decide"


SEGMENT_STEPS = {
    (SegmentState.PENDING, SegmentStep.ANNOUNCE): SegmentState.ANNOUNCED,
    (SegmentState.PENDING, SegmentStep.COMMIT): SegmentState.COMMITTED,
    (SegmentState.ANNOUNCED, SegmentStep.COMMIT): SegmentState.COMMITTED,
    (SegmentState.PENDING, SegmentStep.DECIDE): SegmentState.DECIDED,
    (SegmentState.ANNOUNCED, SegmentStep.DECIDE): SegmentState.DECIDED,
    (SegmentState.COMMITTED, SegmentStep.DECIDE): SegmentState.DECIDED,
}


class OverlapState(Enum):
    """What a segment has done to the answer that played when it began."""

    NONE = "none"  # no answer played
    OVER = "over"  # over an answer, which plays on
    DUCKED = "ducked"  # it has ducked the answer, and never does so again
    INTERRUPTED = "interrupted"  # it has ended the answer


class OverlapStep(Enum):
    MEET = "meet"
    DUCK = "duck"
    INTERRUPT = "interrupt"
    LEAVE = "leave"  # the client ends the segment from now on


OVERLAP_STEPS = {
    (OverlapState.NONE, OverlapStep.MEET): OverlapState.OVER,
    (OverlapState.OVER, OverlapStep.DUCK): OverlapState.DUCKED,
    (OverlapState.OVER, OverlapStep.INTERRUPT): OverlapState.INTERRUPTED,
    (OverlapState.DUCKED, OverlapStep.INTERRUPT): OverlapState.INTERRUPTED,
    (OverlapState.OVER, OverlapStep.LEAVE): OverlapState.NONE,
    (OverlapState.DUCKED, OverlapStep.LEAVE): OverlapState.NONE,
}


# ---------------------------------------------------------------------------- the assistant


class AssistantState(Enum):
    LISTENING = "listening"
    PREPARING = "preparing"  # an answer is being made, nothing of it is sent
    SPEAKING = "speaking"
    DUCKED = "ducked"  # an answer is sent at reduced gain while a verdict is awaited


class DeliveryState(Enum):
    """What may leave of a response, and at which gain."""

    HELD_BACK = "held back"  # speculative: the pause is not confirmed
    PREPARING = "preparing"  # all may leave, no sound has
    SPEAKING = "speaking"
    DUCKED = "ducked"
    ENDED = "ended"


class DeliveryStep(Enum):
    CONFIRM = "confirm"
    SOUND = "sound"  # sound begins to leave
    DUCK = "duck"
    RESUME = "resume"
    END = "end"  # for whatever reason


DELIVERY_STEPS = {
    (DeliveryState.HELD_BACK, DeliveryStep.CONFIRM): DeliveryState.PREPARING,
    (DeliveryState.PREPARING, DeliveryStep.SOUND): DeliveryState.SPEAKING,
    (DeliveryState.SPEAKING, DeliveryStep.DUCK): DeliveryState.DUCKED,
    (DeliveryState.DUCKED, DeliveryStep.RESUME): DeliveryState.SPEAKING,
    (DeliveryState.HELD_BACK, DeliveryStep.END): DeliveryState.ENDED,
    (DeliveryState.PREPARING, DeliveryStep.END): DeliveryState.ENDED,
    (DeliveryState.SPEAKING, DeliveryStep.END): DeliveryState.ENDED,
    (DeliveryState.DUCKED, DeliveryStep.END): DeliveryState.ENDED,
}

# What the current response's delivery says of the assistant.
ASSISTANT_STATES = {
    DeliveryState.HELD_BACK: AssistantState.LISTENING,
    DeliveryState.PREPARING: AssistantState.PREPARING,
    DeliveryState.SPEAKING: AssistantState.SPEAKING,
    DeliveryState.DUCKED: AssistantState.DUCKED,
}


class MakingState(Enum):
    """How far the model is with a response."""

    MAKING = "making"
    MADE = "made"
    CUT_SHORT = "cut short"  # the model ran into its token limit


class MakingStep(Enum):
    FINISH = "finish"
    CUT = "cut"


MAKING_STEPS = {
    (MakingState.MAKING, MakingStep.FINISH): MakingState.MADE,
    (MakingState.MAKING, MakingStep.CUT): MakingState.CUT_SHORT,
}


# --------------------------------------------------------------------------------- machines


def new_progress() -> Machine[SegmentState, SegmentStep]:
    return Machine(SEGMENT_STEPS, SegmentState.PENDING)


def new_voice() -> Machine[UserState, VoiceStep]:
    return Machine(VOICE_STEPS, UserState.SPEAKING)


def new_overlap() -> Machine[OverlapState, OverlapStep]:
    return Machine(OVERLAP_STEPS, OverlapState.NONE)


def new_making() -> Machine[MakingState, MakingStep]:
    return Machine(MAKING_STEPS, MakingState.MAKING)


def new_delivery() -> Machine[DeliveryState, DeliveryStep]:
    return Machine(DELIVERY_STEPS, DeliveryState.HELD_BACK)
