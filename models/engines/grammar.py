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
from models.engines.prompt import EMPTY, Feature, Piece, Prompt
from models.vita.nano_prompt import CUT, END, INSTRUCTION_TOKENS, RESULT_TOKENS, NanoPrompt
from models.vita.prompt import VitaPrompt
from models.vita.system_prompts import Sight


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


class NanoGrammar(Grammar):
    """The state token follows the sound directly; everything stands where it arrived."""

    def __init__(self, prompt: NanoPrompt, *, reads_words: bool = False) -> None:
        """`reads_words`: a recogniser's words may stand behind the sound."""
        self._prompt, self._reads_words = prompt, reads_words

    def begun(self, instructions: str, tools: Sequence[Tool] = ()) -> PromptState:
        return PromptState().plus(self._prompt.opening(instructions, tools))

    def opened(self, talk: PromptState) -> PromptState:
        if talk.open:
            return talk
        return PromptState(talk.line.plus(self._broken(talk), self._prompt.user()), open=True)

    def judged(self, talk: PromptState) -> Prompt:
        return talk.line

    def recognised(self, talk: PromptState, words: str) -> PromptState:
        ids = self._prompt.recognised(words) if self._reads_words else []
        return talk.plus(ids) if ids else talk

    def dictated(self, talk: PromptState) -> Prompt:
        return talk.line.plus(self._prompt.dictation())

    def answering(self, talk: PromptState, told: str = "") -> PromptState:
        turn = talk if talk.open else PromptState(talk.line, answering=talk.answering)
        begun = turn.plus(self._broken(turn), self._prompt.state(turn.spoken))
        return replace(begun, open=False, answering=True)

    def answered(self, talk: PromptState, *, cut: bool = False) -> PromptState:
        ids = self._prompt.ids
        end = [ids[CUT], ids[END]] if cut else [ids[END]]
        return replace(talk.plus(end), answering=False)

    def seen(
        self, talk: PromptState, features: Sequence[Feature], *, is_frame: bool = False
    ) -> PromptState:
        return self._written(self.opened(talk), self._prompt.image(), *features)

    def num_fitting(self, tools: Sequence[Tool]) -> int:
        return self._prompt.num_fitting(tools)

    def _cut(self, item: Item, text: str) -> str:
        match item:
            case Instructions():
                return self._prompt.cut(text, INSTRUCTION_TOKENS)
            case FunctionOutput():
                return self._prompt.cut(text, RESULT_TOKENS)
        return self._prompt.cut(text)

    def _instructed(self, talk: PromptState, text: str) -> PromptState:
        return talk.plus(self._prompt.opening(text))

    def _written(self, talk: PromptState, *pieces: Sequence[int] | Feature) -> PromptState:
        return talk.plus(*pieces)

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


@dataclass(frozen=True, slots=True)
class VitaState(PromptState):
    """Where a conversation with a VITA checkpoint stands, and what its parts are.

    instructions, tools, sight   what the opening of the conversation was made from
    start                        what stands before the content of the open turn
    pictures, content            of the open turn: pictures go first, whenever they arrive
    """

    instructions: str = ""
    tools: tuple[Tool, ...] = ()
    sight: Sight = "none"
    start: Prompt = EMPTY
    pictures: tuple[Feature, ...] = ()
    content: tuple[Piece, ...] = ()


class VitaGrammar(Grammar):
    """The state token follows the turn's closing and the assistant's opening.

    As in VITA's training, the pictures of a turn stand together before its text and sound, with one
    line break behind them, and the system prompt is that of what is seen: a first picture writes
    the beginning of the conversation anew.
    """

    def __init__(self, prompt: VitaPrompt) -> None:
        self._prompt = prompt
        self._break = prompt.encode("\n")

    def begun(self, instructions: str, tools: Sequence[Tool] = ()) -> VitaState:
        opening = self._prompt.opening(instructions, tools)
        line = EMPTY.plus(opening)
        return VitaState(line, instructions=instructions, tools=tuple(tools), start=line)

    def opened(self, talk: PromptState) -> VitaState:
        state = _vita(talk)
        if state.open:
            return state
        broken = self._prompt.ending() if state.answering else []
        start = state.line.plus(broken, self._prompt.user())
        return replace(
            state, line=start, start=start, open=True, spoken=False, answering=False, turn=(),
            pictures=(), content=(),
        )  # fmt: skip

    def judged(self, talk: PromptState) -> Prompt:
        return talk.line.plus(self._prompt.closing())

    def answering(self, talk: PromptState, told: str = "") -> VitaState:
        turn = self.opened(talk)
        closing = self._prompt.closing_told(told) if told else self._prompt.closing()
        line = turn.line.plus(closing, self._prompt.state(turn.spoken))
        return replace(turn, line=line, open=False, answering=True)

    def answered(self, talk: PromptState, *, cut: bool = False) -> PromptState:
        return replace(talk.plus(self._prompt.ending()), answering=False)

    def recognised(self, talk: PromptState, words: str) -> PromptState:
        """With a recogniser's words for the sound before, where the model reads such."""
        return talk

    def dictated(self, talk: PromptState) -> Prompt:
        """An open turn up to the place where its words are given, where the model gives such."""
        return talk.line

    def worded(self, talk: PromptState, words: str) -> PromptState:
        return replace(self.typed(talk, words), spoken=True)

    def seen(
        self, talk: PromptState, features: Sequence[Feature], *, is_frame: bool = False
    ) -> VitaState:
        sighted = self._sighted(self.opened(talk), "video" if is_frame else "image")
        return self._laid_out(replace(sighted, pictures=(*sighted.pictures, *features)))

    def _sighted(self, state: VitaState, sight: Sight) -> VitaState:
        """With the system prompt for what is seen; a still picture in a video stays a video."""
        if state.sight in (sight, "video"):
            return state
        opening = tuple(self._prompt.opening(state.instructions, state.tools, sight))
        old = tuple(self._prompt.opening(state.instructions, state.tools, state.sight))
        assert state.start.pieces[0] == old
        start = EMPTY.plus(opening, *state.start.pieces[1:])
        return replace(state, sight=sight, start=start)

    def _written(self, talk: PromptState, *pieces: Sequence[int] | Feature) -> VitaState:
        state = _vita(talk)
        content = (*state.content, *EMPTY.plus(*pieces).pieces)
        return self._laid_out(replace(state, content=content))

    def _laid_out(self, state: VitaState) -> VitaState:
        """The line of an open turn from its parts."""
        behind = self._break if state.pictures else []
        return replace(state, line=state.start.plus(*state.pictures, behind, *state.content))

    def num_fitting(self, tools: Sequence[Tool]) -> int:
        return self._prompt.num_fitting(tools)

    def _cut(self, item: Item, text: str) -> str:
        return self._prompt.cut(text)

    def _instructed(self, talk: PromptState, text: str) -> PromptState:
        return talk.plus(self._prompt.system(text))

    def _result(self, talk: PromptState, output: str) -> PromptState:
        return self._written(self.opened(talk), self._prompt.result(output))

    def _encoded(self, text: str) -> list[int]:
        return self._prompt.encode(text)

    def _call(self, call: FunctionCall) -> list[int]:
        return self._prompt.call(call)


def _vita(talk: PromptState) -> VitaState:
    assert isinstance(talk, VitaState)
    return talk
