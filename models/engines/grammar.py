"""How a conversation is written for a language model: the one grammar of each model family, as
values. Every engine uses them (pytorch, embedded and vllm); no network is needed.

Pure: every step makes a new PromptState and leaves the old one whole.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

from models.base import (
    AssistantText,
    FunctionCall,
    FunctionOutput,
    Instructions,
    Item,
    Tool,
    UserText,
)
from models.engines.prompt import EMPTY, Feature, Prompt


@dataclass(frozen=True, slots=True)
class PromptState:
    """Where a conversation stands.

    line       all that was written
    open       a user turn has begun and is not answered yet
    spoken     there is sound in it
    answering  an answer has begun and not ended
    turn       the sound of the turn; kept until the next one
    """

    line: Prompt = EMPTY
    open: bool = False
    spoken: bool = False
    answering: bool = False
    turn: tuple[Feature, ...] = ()

    def plus(self, *pieces: Sequence[int] | Feature) -> PromptState:
        return replace(self, line=self.line.plus(*pieces))


class Grammar(ABC):
    """How one family of models wants turns to be written."""

    @abstractmethod
    def begun(self, instructions: str, tools: Sequence[Tool] = ()) -> PromptState:
        """A conversation before its first turn."""

    @abstractmethod
    def opened(self, talk: PromptState) -> PromptState:
        """With an open user turn."""

    @abstractmethod
    def judged(self, talk: PromptState) -> Prompt:
        """An open turn up to the place where states are judged."""

    @abstractmethod
    def answering(self, talk: PromptState, told: str = "") -> PromptState:
        """With all that stands before the first word of an answer; `told` is for this one only,
        where the model can be told such things."""

    @abstractmethod
    def answered(self, talk: PromptState, *, cut: bool = False) -> PromptState:
        """With the end of an answer."""

    @abstractmethod
    def seen(
        self, talk: PromptState, features: Sequence[Feature], *, is_frame: bool = False
    ) -> PromptState:
        """With a picture, or with a frame of a video."""

    @abstractmethod
    def num_fitting(self, tools: Sequence[Tool]) -> int:
        """How many of these functions, from the first on, a conversation has room for."""

    @abstractmethod
    def _cut(self, item: Item, text: str) -> str:
        """The beginning of an item's text that is read."""

    @abstractmethod
    def _instructed(self, talk: PromptState, text: str) -> PromptState: ...

    @abstractmethod
    def _written(self, talk: PromptState, *pieces: Sequence[int] | Feature) -> PromptState:
        """With more in the open turn of the user."""

    @abstractmethod
    def _result(self, talk: PromptState, output: str) -> PromptState: ...

    @abstractmethod
    def _encoded(self, text: str) -> list[int]: ...

    @abstractmethod
    def _call(self, call: FunctionCall) -> list[int]: ...

    def heard(self, talk: PromptState, features: Sequence[Feature]) -> PromptState:
        """With more sound of the user's turn."""
        opened = self._written(self.opened(talk), *features)
        return replace(opened, spoken=True, turn=(*opened.turn, *features))

    def typed(self, talk: PromptState, text: str) -> PromptState:
        """With words that the user typed."""
        return self._written(self.opened(talk), self._encoded(text))

    def fitted(self, item: Item) -> Item:
        """What is read of an item: itself, or one with the beginning of its text."""
        match item:
            case UserText(text) | AssistantText(text) | Instructions(text):
                kept = self._cut(item, text)
                return item if kept == text else replace(item, text=kept)
            case FunctionOutput(output=output):
                kept = self._cut(item, output)
                return item if kept == output else replace(item, output=kept)
            case FunctionCall(arguments=arguments):
                kept = self._cut(item, arguments)
                return item if kept == arguments else replace(item, arguments=kept)
        return item

    def recognised(self, talk: PromptState, words: str) -> PromptState:
        """With a recogniser's words for the sound before, where the model reads such."""
        return talk

    def dictated(self, talk: PromptState) -> Prompt:
        """An open turn up to the place where its words are given, where the model gives such."""
        return talk.line

    def worded(self, talk: PromptState, words: str) -> PromptState:
        """With sound of which only the words are left."""
        return self.typed(talk, words)

    def read(self, talk: PromptState, item: Item) -> PromptState:
        """With an item that is words. Raises ValueError for sound and pictures."""
        match item:
            case Instructions(text):
                return self._instructed(talk, text)
            case UserText(text):
                return self.typed(talk, text)
            case FunctionOutput(_, output):
                return self._result(talk, output)
            case AssistantText(text, cut):
                begun = self.answering(talk).plus(self._encoded(text))
                return self.answered(begun, cut=cut)
            case FunctionCall():
                return self.answered(self.answering(talk).plus(self._call(item)))
        raise ValueError(f"{type(item).__name__} is no words")
