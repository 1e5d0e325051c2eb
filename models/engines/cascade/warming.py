"""A language model reads what was said so far before it is asked for a reply."""

from __future__ import annotations

import asyncio

from models.base import Conversation, Item
from models.engines.cascade.language import ChatModel


class PrefixWarming:
    """Lets a language model read one stream's conversation, the newest only."""

    def __init__(self, chat: ChatModel) -> None:
        self._chat = chat
        self._task: asyncio.Task[None] | None = None
        self._read: tuple[Item, ...] = ()  # what it was last given to read

    def begin(self, conversation: Conversation) -> None:
        """Let the model read this, unless it was the last that it read."""
        if conversation.items is self._read:
            return
        self.stop()
        self._read = conversation.items
        self._task = asyncio.create_task(self._chat.warm(conversation), name="warm")

    def stop(self) -> asyncio.Task[None] | None:
        """Let the model be; gives the task that ends for it."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        return task
