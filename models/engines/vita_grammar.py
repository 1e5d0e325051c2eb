"""How conversations are written for the language model of a VITA checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from models.base import FunctionCall, Item, Tool
from models.engines.grammar import Grammar, PromptState
from models.engines.prompt import EMPTY, Feature, Piece, Prompt
from models.vita.prompt import VitaPrompt
from models.vita.system_prompts import Sight


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
