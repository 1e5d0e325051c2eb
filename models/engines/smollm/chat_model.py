"""SmolLM2 in this process, as the language model of a cascade."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from models.base import (
    AnswerOptions,
    Conversation,
    InstanceFailed,
    Item,
    OutOfRoom,
    Tool,
    Verdict,
)
from models.capabilities import Capabilities
from models.engines.cascade.language import ReplyPart
from models.engines.jobs import Priority
from models.engines.smollm.reply import ReadingSteps, ReplySteps
from models.engines.smollm.slots import CacheSlots, ChatNetwork
from models.engines.worker import Worker
from models.smollm.conversation import before_words, fitted, num_fitting, prompt, verdict

logger = logging.getLogger(__name__)
CAPACITY = 1024  # tokens of a conversation and its reply
LONGEST_REPLY = 192  # tokens
SLOTS = 8  # conversations whose caches are kept; each takes up to 47 MB, 46 KB a token


class SmolChatModel:
    """A models.engines.cascade.language.ChatModel. All conversations share one thread, on which the
    beginnings of replies go first."""

    name = "smollm2"

    def __init__(
        self, network: ChatNetwork, *, capacity: int = CAPACITY, slots: int = SLOTS
    ) -> None:
        self._network, self.capacity = network, capacity
        self._slots = CacheSlots(network, capacity, slots)
        self._worker = Worker(self.name)

    @property
    def capabilities(self) -> Capabilities:
        """It reads English, and sees no pictures."""
        return Capabilities(pictures=False, context=self.capacity, languages=("en",))

    def fitted(self, item: Item) -> Item:
        """See models.capabilities.Measuring."""
        return fitted(self._network.chat, item, self.capacity // 4)

    def num_fitting(self, tools: Sequence[Tool]) -> int:
        """See models.capabilities.Measuring."""
        return num_fitting(self._network.chat, tools, self.capacity // 2)

    async def reply(
        self, conversation: Conversation, options: AnswerOptions
    ) -> AsyncGenerator[ReplyPart, None]:
        """Raises InstanceFailed."""
        options = replace(options, max_tokens=min(options.max_tokens, LONGEST_REPLY))
        room = self.capacity - options.max_tokens
        ids = prompt(self._network.chat, conversation, options, room)
        tools = conversation.tools if options.tools is None else options.tools
        try:
            async with self._slots.borrowed(ids) as slot:
                steps = ReplySteps(self._network, slot, ids, options, tools)
                async with aclosing(self._worker.iterate(steps)) as parts:
                    async for part in parts:
                        yield part
        except OutOfRoom as error:
            raise InstanceFailed("the conversation is too long") from error

    async def warm(self, conversation: Conversation) -> None:
        """Read a conversation up to where the user's words will stand."""
        room = self.capacity - LONGEST_REPLY
        ids = before_words(self._network.chat, conversation, room)
        try:
            async with self._slots.borrowed(ids) as slot:
                steps = ReadingSteps(self._network, slot, ids, Priority.RUNNING)
                async with aclosing(self._worker.iterate(steps)) as parts:
                    async for _ in parts:
                        pass
        except (InstanceFailed, OutOfRoom) as error:
            logger.warning("reading ahead failed: %s", error)

    async def judge(self, conversation: Conversation, words: str, heard: int) -> Verdict:
        """Whether a user who has said `words` next has said a whole query; `heard`: the samples of
        which these are the words. A reply to them begins sooner after it. Raises InstanceFailed."""
        chat = self._network.chat
        room = self.capacity - LONGEST_REPLY
        said = chat.encode(words.strip())[: room // 2]
        ids = [*before_words(chat, conversation, room - len(said)), *said]
        async with self._slots.borrowed(ids) as slot:
            steps = ReadingSteps(self._network, slot, ids, Priority.HEARING)
            async with aclosing(self._worker.iterate(steps)) as parts:
                scores = [part async for part in parts][-1]
        return verdict(chat, scores, words, heard)

    async def close(self) -> None:
        self._worker.close()
