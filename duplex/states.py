"""The two machines of a conversation, side by side, as one table.

Theory of operation. A conversation has two parties and each has its own machine: the user is
SILENT, SPEAKING or PAUSED; the assistant is LISTENING, PREPARING (an answer is being made, nothing
of it is sent), SPEAKING, or DUCKED (sending at reduced gain while a verdict is awaited). Overlap is
no state of its own: it is the joint state of the two. Nothing but the table moves a machine, and a
step that is not in the table is a defect: it raises.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


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
    CLOSE = "close"  # the segment is decided


class AssistantStep(Enum):
    START = "start"  # an answer is being made
    SOUND = "sound"  # it begins to leave
    DUCK = "duck"
    RESUME = "resume"
    END = "end"  # over, for whatever reason


class ImpossibleStep(Exception):
    """A machine was asked for a step that its state does not have."""


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


@dataclass(slots=True)
class Floor:
    """The joint state: who has the floor."""

    user: UserState = UserState.SILENT
    assistant: AssistantState = AssistantState.LISTENING

    def move_user(self, step: UserStep) -> None:
        try:
            self.user = USER_STEPS[self.user, step]
        except KeyError:
            raise ImpossibleStep(f"user {self.user.value}: {step.value}") from None

    def move_assistant(self, step: AssistantStep) -> None:
        try:
            self.assistant = ASSISTANT_STEPS[self.assistant, step]
        except KeyError:
            raise ImpossibleStep(f"assistant {self.assistant.value}: {step.value}") from None
