"""A conversation as a line, and how each model's grammar goes on with it.

Pure: every step makes a new Talk and leaves the old one whole.
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
    UserText,
)
from models.engines.vllm.folder import FEATURE_TOKENS
from models.engines.vllm.prompt import Array, Feature, Modality, Prompt
from models.vita.nano_prompt import CUT, END, NanoPrompt
from models.vita.prompt import VitaPrompt


@dataclass(frozen=True, slots=True)
class PromptState:
    """Where a conversation stands.

    open       a user turn has begun and is not answered yet
    spoken     there is sound in it
    answering  an answer has begun and not ended
    turn       the sound of the turn; kept until the next one
    """

    line: Prompt
    open: bool = False
    spoken: bool = False
    answering: bool = False
    turn: tuple[Feature, ...] = ()

    def plus(self, *pieces: Sequence[int] | Feature) -> PromptState:
        return replace(self, line=self.line.plus(*pieces))


def features_of(modality: Modality, vectors: Array) -> list[Feature]:
    """Vectors [n, width] as features of a length that an engine takes."""
    starts = range(0, len(vectors), FEATURE_TOKENS)
    return [Feature.of(modality, vectors[at : at + FEATURE_TOKENS]) for at in starts]


class Grammar(ABC):
    """How one family of models wants turns to be written."""

    @abstractmethod
    def opened(self, talk: PromptState) -> PromptState:
        """With an open user turn."""

    @abstractmethod
    def answering(self, talk: PromptState, told: str = "") -> PromptState:
        """With all that stands before the first word of an answer; `told` is for this one only,
        where the model can be told such things."""

    @abstractmethod
    def answered(self, talk: PromptState, *, cut: bool = False) -> PromptState:
        """With the end of an answer."""

    @abstractmethod
    def closing(self) -> list[int]:
        """What stands between a turn's sound and the place where states are judged."""

    @abstractmethod
    def seen(self, talk: PromptState, vectors: Array) -> PromptState:
        """With an image, [n, width]."""

    @abstractmethod
    def _opening(self, talk: PromptState, text: str) -> PromptState: ...

    @abstractmethod
    def _result(self, talk: PromptState, output: str) -> PromptState: ...

    @abstractmethod
    def _encoded(self, text: str) -> list[int]: ...

    @abstractmethod
    def _call(self, call: FunctionCall) -> list[int]: ...

    def heard(self, talk: PromptState, vectors: Array) -> PromptState:
        """With more sound of the user's turn, [n, width]."""
        features, opened = features_of("audio", vectors), self.opened(talk)
        return replace(opened.plus(*features), spoken=True, turn=(*opened.turn, *features))

    def typed(self, talk: PromptState, text: str) -> PromptState:
        return self.opened(talk).plus(self._encoded(text))

    def worded(self, talk: PromptState, words: str) -> PromptState:
        """With sound of which only the words are left."""
        return self.typed(talk, words)

    def read(self, talk: PromptState, item: Item) -> PromptState:
        """With an item that is words. Raises ValueError for sound and images."""
        match item:
            case Instructions(text):
                return self._opening(talk, text)
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


class NanoGrammar(Grammar):
    """The state token follows the sound directly."""

    def __init__(self, prompt: NanoPrompt) -> None:
        self._prompt = prompt

    def opened(self, talk: PromptState) -> PromptState:
        if talk.open:
            return talk
        return PromptState(talk.line.plus(self._broken(talk), self._prompt.user()), open=True)

    def answering(self, talk: PromptState, told: str = "") -> PromptState:
        turn = talk if talk.open else PromptState(talk.line, answering=talk.answering)
        begun = turn.plus(self._broken(turn), self._prompt.state(turn.spoken))
        return replace(begun, open=False, answering=True)

    def answered(self, talk: PromptState, *, cut: bool = False) -> PromptState:
        ids = self._prompt.ids
        end = [ids[CUT], ids[END]] if cut else [ids[END]]
        return replace(talk.plus(end), answering=False)

    def closing(self) -> list[int]:
        return []

    def seen(self, talk: PromptState, vectors: Array) -> PromptState:
        return self.opened(talk).plus(self._prompt.image(), *features_of("image", vectors))

    def _opening(self, talk: PromptState, text: str) -> PromptState:
        return talk.plus(self._prompt.opening(text))

    def _result(self, talk: PromptState, output: str) -> PromptState:
        return PromptState(
            talk.line.plus(self._broken(talk), self._prompt.result(output)), open=True
        )

    def _encoded(self, text: str) -> list[int]:
        return self._prompt.encode(text)

    def _call(self, call: FunctionCall) -> list[int]:
        return self._prompt.call(call)[:-1]

    def _broken(self, talk: PromptState) -> list[int]:
        """What ends an answer that was broken off and never taken back."""
        return [self._prompt.ids[CUT], self._prompt.ids[END]] if talk.answering else []


class VitaGrammar(Grammar):
    """The state token follows the turn's closing and the assistant's opening."""

    def __init__(self, prompt: VitaPrompt) -> None:
        self._prompt = prompt

    def opened(self, talk: PromptState) -> PromptState:
        if talk.open:
            return talk
        broken = self._prompt.ending() if talk.answering else []
        return PromptState(talk.line.plus(broken, self._prompt.user()), open=True)

    def answering(self, talk: PromptState, told: str = "") -> PromptState:
        turn = self.opened(talk)
        closing = self._prompt.closing_told(told) if told else self.closing()
        begun = turn.plus(closing, self._prompt.state(turn.spoken))
        return replace(begun, open=False, answering=True)

    def answered(self, talk: PromptState, *, cut: bool = False) -> PromptState:
        return replace(talk.plus(self._prompt.ending()), answering=False)

    def closing(self) -> list[int]:
        return self._prompt.closing()

    def worded(self, talk: PromptState, words: str) -> PromptState:
        return replace(self.typed(talk, words), spoken=True)

    def seen(self, talk: PromptState, vectors: Array) -> PromptState:
        features = features_of("image", vectors)
        return self.opened(talk).plus(*features, self._prompt.encode("\n"))

    def _opening(self, talk: PromptState, text: str) -> PromptState:
        return talk.plus(self._prompt.opening(text))

    def _result(self, talk: PromptState, output: str) -> PromptState:
        return self.opened(talk).plus(self._prompt.result(output))

    def _encoded(self, text: str) -> list[int]:
        return self._prompt.encode(text)

    def _call(self, call: FunctionCall) -> list[int]:
        return self._prompt.call(call)
