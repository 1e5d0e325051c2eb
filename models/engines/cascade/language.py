"""What the cascade knows about a language model, whatever computes it.

A language model is given the whole conversation as text with every request and keeps nothing of it
that the caller can see. Spoken turns of the user arrive as models.base.UserSound with `words` set.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from models.base import AnswerOptions, Conversation, FunctionCall


@dataclass(frozen=True, slots=True)
class ReplyEnd:
    """The last part of a reply. "length": it was broken off after `AnswerOptions.max_tokens`;
    "filtered": the model's operator withheld the rest."""

    reason: Literal["stop", "length", "filtered"] = "stop"


ReplyPart: TypeAlias = str | FunctionCall | ReplyEnd


class ChatModel(Protocol):
    """A model that replies to a conversation in text. Instances of a cascade may share one."""

    @property
    def name(self) -> str:
        """The model's name, for people."""
        ...

    @property
    def capacity(self) -> int:
        """Tokens that a request and its reply may have together."""
        ...

    def reply(
        self, conversation: Conversation, options: AnswerOptions
    ) -> AsyncGenerator[ReplyPart, None]:
        """The reply to the end of `conversation`: pieces of text as they are generated, function
        calls as they become complete, one ReplyEnd at last. `options.instructions` and
        `options.tools`, where they are set, stand in for those of the conversation.

        Closing the generator, or cancelling the task that waits for it, stops the computing.
        Raises InstanceFailed with a reason that may be shown to the client.
        """
        ...

    async def warm(self, conversation: Conversation) -> None:
        """Read `conversation`, so that a reply that begins with it starts sooner; may do nothing.
        It may be cancelled and never raises for a model that fails."""
        ...

    async def close(self) -> None: ...
