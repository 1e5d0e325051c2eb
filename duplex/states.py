"""The state machines of a conversation, each as one table.

Theory of operation. A conversation has two parties and each has its own machine: the user is
SILENT, SPEAKING or PAUSED; the assistant is LISTENING, PREPARING (an answer is being made, nothing
of it is sent), SPEAKING, or DUCKED (sending at reduced gain while a verdict is awaited). Overlap is
no state of its own: it is the joint state of the two. A segment of the user's sound and a response
have machines of their own, because they outlive the moment: a segment is decided exactly once, and
an answer that is held back becomes audible at most once.

The tables drive: code asks a table whether a step is possible (`Floor.offer_assistant`) or takes
it; nothing else sets a state. A step that a table does not have is a defect and raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar


class UserState(Enum):
    SILENT = "silent"
    SPEAKING = "speaking"
    PAUSED = "paused"


class AssistantState(Enum):
    LISTENING = "listening"
    PREPARING = "preparing"
    SPEAKING = "speaking"
    DUCKED = "ducked"


class UserStep(Enum):
    VOICE = "voice"  # the user is heard (again)
    PAUSE = "pause"  # the voice stopped; the segment is still open
    CLOSE = "close"  # the segment is closed


class AssistantStep(Enum):
    START = "start"  # an answer is being made
    SOUND = "sound"  # it begins to leave
    DUCK = "duck"
    RESUME = "resume"
    END = "end"  # over, for whatever reason


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


class DeliveryState(Enum):
    """What may leave of a response."""

    HELD_BACK = "held back"  # speculative: the pause is not confirmed
    LEAVING = "leaving"
    ENDED = "ended"


class DeliveryStep(Enum):
    CONFIRM = "confirm"
    END = "end"


class MakingState(Enum):
    """How far the model is with a response."""

    MAKING = "making"
    MADE = "made"
    CUT_SHORT = "cut short"  # the model ran into its token limit


class ImpossibleStep(Exception):
    """A machine was asked for a step that its state does not have."""


State = TypeVar("State", bound=Enum)
Step = TypeVar("Step", bound=Enum)

USER_STEPS: dict[tuple[UserState, UserStep], UserState] = {
    (UserState.SILENT, UserStep.VOICE): UserState.SPEAKING,
    (UserState.SPEAKING, UserStep.PAUSE): UserState.PAUSED,
    (UserState.SPEAKING, UserStep.CLOSE): UserState.SILENT,
    (UserState.PAUSED, UserStep.VOICE): UserState.SPEAKING,
    (UserState.PAUSED, UserStep.CLOSE): UserState.SILENT,
}

ASSISTANT_STEPS: dict[tuple[AssistantState, AssistantStep], AssistantState] = {
    (AssistantState.LISTENING, AssistantStep.START): AssistantState.PREPARING,
    (AssistantState.PREPARING, AssistantStep.SOUND): AssistantState.SPEAKING,
    (AssistantState.PREPARING, AssistantStep.END): AssistantState.LISTENING,
    (AssistantState.SPEAKING, AssistantStep.DUCK): AssistantState.DUCKED,
    (AssistantState.SPEAKING, AssistantStep.END): AssistantState.LISTENING,
    (AssistantState.DUCKED, AssistantStep.RESUME): AssistantState.SPEAKING,
    (AssistantState.DUCKED, AssistantStep.END): AssistantState.LISTENING,
}

SEGMENT_STEPS: dict[tuple[SegmentState, SegmentStep], SegmentState] = {
    (SegmentState.PENDING, SegmentStep.ANNOUNCE): SegmentState.ANNOUNCED,
    (SegmentState.PENDING, SegmentStep.COMMIT): SegmentState.COMMITTED,
    (SegmentState.ANNOUNCED, SegmentStep.COMMIT): SegmentState.COMMITTED,
    (SegmentState.PENDING, SegmentStep.DECIDE): SegmentState.DECIDED,
    (SegmentState.ANNOUNCED, SegmentStep.DECIDE): SegmentState.DECIDED,
    (SegmentState.COMMITTED, SegmentStep.DECIDE): SegmentState.DECIDED,
}

OVERLAP_STEPS: dict[tuple[OverlapState, OverlapStep], OverlapState] = {
    (OverlapState.NONE, OverlapStep.MEET): OverlapState.OVER,
    (OverlapState.OVER, OverlapStep.DUCK): OverlapState.DUCKED,
    (OverlapState.OVER, OverlapStep.INTERRUPT): OverlapState.INTERRUPTED,
    (OverlapState.DUCKED, OverlapStep.INTERRUPT): OverlapState.INTERRUPTED,
    (OverlapState.OVER, OverlapStep.LEAVE): OverlapState.NONE,
    (OverlapState.DUCKED, OverlapStep.LEAVE): OverlapState.NONE,
}

DELIVERY_STEPS: dict[tuple[DeliveryState, DeliveryStep], DeliveryState] = {
    (DeliveryState.HELD_BACK, DeliveryStep.CONFIRM): DeliveryState.LEAVING,
    (DeliveryState.HELD_BACK, DeliveryStep.END): DeliveryState.ENDED,
    (DeliveryState.LEAVING, DeliveryStep.END): DeliveryState.ENDED,
}


def following(table: Mapping[tuple[State, Step], State], state: State, step: Step) -> State:
    """The state after this step. Raises ImpossibleStep."""
    try:
        return table[state, step]
    except KeyError:
        raise ImpossibleStep(f"{type(state).__name__} {state.value}: {step.value}") from None


@dataclass(slots=True)
class Floor:
    """The joint state of the two parties: who has the floor."""

    user: UserState = UserState.SILENT
    assistant: AssistantState = AssistantState.LISTENING

    def move_user(self, step: UserStep) -> None:
        self.user = following(USER_STEPS, self.user, step)

    def move_assistant(self, step: AssistantStep) -> None:
        self.assistant = following(ASSISTANT_STEPS, self.assistant, step)

    def offer_user(self, step: UserStep) -> bool:
        """Take the step if the user's state has it; True if it was taken."""
        possible = (self.user, step) in USER_STEPS
        if possible:
            self.move_user(step)
        return possible

    def offer_assistant(self, step: AssistantStep) -> bool:
        """Take the step if the assistant's state has it; True if it was taken."""
        possible = (self.assistant, step) in ASSISTANT_STEPS
        if possible:
            self.move_assistant(step)
        return possible
