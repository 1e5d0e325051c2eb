"""How conversations are written for nano's language model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

from models.base import FunctionCall, FunctionOutput, Instructions, Item, Tool
from models.engines.grammar import Grammar, PromptState
from models.engines.prompt import EMPTY, Feature, Prompt
from models.vita.nano_prompt import CUT, END, INSTRUCTION_TOKENS, RESULT_TOKENS, NanoPrompt


@dataclass(frozen=True, slots=True)
class NanoState(PromptState):
    """Where a conversation with nano stands, and what its opening was made from.

    instructions, tools  of the conversation
    shown                those of the functions that stand in the opening
    words                token ids of the words in the open turn, typed or recognised
    """

    instructions: str = ""
    tools: tuple[Tool, ...] = ()
    shown: tuple[Tool, ...] = ()
    words: tuple[int, ...] = ()


class NanoGrammar(Grammar):
    """The state token follows the sound directly; everything stands where it arrived.

    Where there is no room for all functions, the beginning of the conversation is written anew with
    those that the words of a turn are about, before it is answered.
    """

    def __init__(self, prompt: NanoPrompt, *, reads_words: bool = False) -> None:
        """`reads_words`: a recogniser's words may stand behind the sound."""
        self._prompt, self._reads_words = prompt, reads_words

    def begun(self, instructions: str, tools: Sequence[Tool] = ()) -> NanoState:
        shown = self._prompt.shown(tools)
        line = EMPTY.plus(self._prompt.opening(instructions, shown))
        return NanoState(line, instructions=instructions, tools=tuple(tools), shown=shown)

    def opened(self, talk: PromptState) -> NanoState:
        state = _nano(talk)
        if state.open:
            return state
        line = state.line.plus(self._broken(state), self._prompt.user())
        return replace(
            state, line=line, open=True, spoken=False, answering=False, turn=(), words=()
        )

    def judged(self, talk: PromptState) -> Prompt:
        return talk.line

    def recognised(self, talk: PromptState, words: str) -> PromptState:
        ids = self._prompt.recognised(words) if self._reads_words else []
        return self._written(talk, ids) if ids else talk

    def dictated(self, talk: PromptState) -> Prompt:
        return talk.line.plus(self._prompt.dictation())

    def answering(self, talk: PromptState, told: str = "") -> PromptState:
        state = self._shown_for(_nano(talk))
        turn = state if state.open else replace(state, spoken=False, turn=())
        begun = turn.plus(self._broken(turn), self._prompt.state(turn.spoken))
        return replace(begun, open=False, answering=True)

    def _shown_for(self, state: NanoState) -> NanoState:
        """With the functions that the words of the turn are about in the opening."""
        is_all = len(state.shown) in (0, len(state.tools))
        if is_all or not (state.open and state.words):
            return state
        words = self._prompt.decode(state.words)
        shown = self._prompt.shown(state.tools, words)
        opening = self._prompt.opening(state.instructions, shown)
        return replace(state, shown=shown, line=EMPTY.plus(opening, *state.line.pieces[1:]))

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
        state = _nano(talk)
        ids = chain.from_iterable(piece for piece in pieces if not isinstance(piece, Feature))
        return replace(state, line=state.line.plus(*pieces), words=(*state.words, *ids))

    def _result(self, talk: PromptState, output: str) -> PromptState:
        state = _nano(talk)
        line = state.line.plus(self._broken(state), self._prompt.result(output))
        return replace(
            state, line=line, open=True, spoken=False, answering=False, turn=(), words=()
        )

    def _encoded(self, text: str) -> list[int]:
        return self._prompt.encode(text)

    def _call(self, call: FunctionCall) -> list[int]:
        return self._prompt.call(call)[:-1]

    def _broken(self, talk: PromptState) -> list[int]:
        """What ends an answer that was broken off and never taken back."""
        return [self._prompt.ids[CUT], self._prompt.ids[END]] if talk.answering else []


def _nano(talk: PromptState) -> NanoState:
    assert isinstance(talk, NanoState)
    return talk
