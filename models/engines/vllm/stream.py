"""One session's stream: its past is a value here, and what was computed of it
is in the engine's cache."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from models.base import (
    AnswerChunk,
    AnswerOptions,
    AnswerPart,
    Conversation,
    Instructions,
    Item,
    Mark,
    OutOfRoom,
    Samples,
    Tool,
    UserImage,
    UserSound,
    Verdict,
)
from models.engines.answering import AnswerVoice
from models.engines.exclusive_access import ExclusiveAccess
from models.engines.grammar import PromptState
from models.engines.hearing import HearingState
from models.engines.jobs import Priority
from models.engines.memory import verdict_of
from models.engines.prompt import Prompt, digest, features_of
from models.engines.snapshots import Snapshot, Snapshots
from models.engines.vllm.answering import VoicedAnswer, Written
from models.engines.vllm.frontend import ModelFrontend
from models.engines.vllm.host import EngineHost, EngineProcess
from models.engines.vllm.input_validator import InputValidator
from models.engines.vllm.requests import Urgency, answering
from models.engines.vllm.session import Reader
from models.engines.wording import Wording
from models.synthesizers.recitation import spoken
from models.vita.prompt import told_for_one_answer

Result = TypeVar("Result")
ENDING = 8  # tokens that the end of an answer may take


class Home(Protocol):
    """What a stream uses of its instance."""

    @property
    def frontend(self) -> ModelFrontend: ...
    @property
    def validator(self) -> InputValidator: ...
    def forget(self, stream: VllmStream) -> None: ...

    async def run(self, work: Callable[[], Result], priority: Priority) -> Result: ...


class VllmStream:
    """A models.base.Stream on one life of one engine."""

    def __init__(self, home: Home, host: EngineHost, process: EngineProcess) -> None:
        frontend = home.frontend
        self._home, self._host, self._life = home, host, process
        self._grammar, self._audio_frontend = frontend.grammar, frontend.audio_frontend()
        self.reader = Reader(host, process, frontend.states)
        self._guard = ExclusiveAccess()
        self._state = HearingState(self._grammar.begun(""))
        self._tools: tuple[Tool, ...] = ()
        self._places: Snapshots[HearingState] = Snapshots()
        self._speech_cache: Any = None
        self._is_cut = False  # the last answer, at max_tokens

    async def begin(self, conversation: Conversation) -> None:
        """Read a conversation from its beginning."""
        self._tools = conversation.tools
        said = " ".join(i.text for i in conversation.items if isinstance(i, Instructions))
        self._state = HearingState(self._grammar.begun(said, conversation.tools))
        for item in conversation.items:
            if not isinstance(item, Instructions):
                await self._read(item)
        await self._prefill()

    # ------------------------------------------------------------------------------ hearing

    async def hear(self, chunk: Samples, *, last: bool = False) -> Verdict:
        with self._guard.call("hear"):
            samples = np.asarray(chunk, np.float32)
            state = await self._judged(await self._urgent(partial(self._heard, samples)))
            if last:
                flushed = await self._urgent(partial(self._audio_frontend.flush, state))
                state = await self._judged(flushed)
            self._state = state
            return state.verdict or verdict_of([0.0] * len(self._home.frontend.states))

    async def end_segment(self) -> None:
        with self._guard.call("end_segment"):
            await self._end_segment()

    def _heard(self, samples: Samples) -> HearingState:
        return self._audio_frontend.hear(self._state, samples)

    async def _judged(self, state: HearingState) -> HearingState:
        """With the verdict that is asked for."""
        question = state.question
        if question is None:
            return state
        self._home.validator.check(question.line)
        streamed = self._home.frontend.is_streamed and not question.fleeting
        ask = self.reader.read if streamed else self.reader.probe
        scores = await ask(question.line, Urgency.HEARING)
        return state.answered(verdict_of(scores, question.words, question.heard))

    async def _end_segment(self) -> None:
        if self._state.segment is not None:
            flushed = await self._urgent(partial(self._audio_frontend.flush, self._state))
            self._home.validator.check(flushed.talk.line)
            self._state = HearingState(flushed.talk)

    # ------------------------------------------------------------------------------ reading

    async def read(self, item: Item) -> None:
        with self._guard.call("read"):
            await self._read(item)
            await self._prefill()

    async def _read(self, item: Item) -> None:
        await self._end_segment()
        before, talk = self._state, self._state.talk
        match item:
            case UserSound():
                talk = await self._read_sound(item, talk)
            case UserImage():
                look = partial(self._home.frontend.see, item, self.room())
                vectors = await self._home.run(look, Priority.RUNNING)
                features = features_of("image", vectors, f"{digest(item.pixels)} {len(vectors)}")
                talk = self._grammar.seen(talk, features, is_frame=item.is_frame)
            case _:
                talk = self._grammar.read(talk, item)
        if talk.line.length:
            self._home.validator.check(talk.line)
        self._state = replace(before, talk=talk, verdict=None)

    async def _read_sound(self, sound: UserSound, talk: PromptState) -> PromptState:
        if sound.embedded is not None:
            vectors = np.asarray(sound.embedded, np.float32)
            return self._grammar.heard(talk, features_of("audio", vectors))
        if sound.samples is None:
            return self._grammar.worded(talk, sound.words)
        heard = partial(
            self._audio_frontend.hear, HearingState(talk), np.asarray(sound.samples, np.float32)
        )
        state = await self._home.run(heard, Priority.RUNNING)
        return (
            await self._home.run(partial(self._audio_frontend.flush, state), Priority.RUNNING)
        ).talk

    async def _prefill(self) -> None:
        """What was read is in the engine's cache when the sound comes."""
        await self.reader.prefill(self._state.talk.line)

    # ---------------------------------------------------------------------------- answering

    async def answer(self, options: AnswerOptions) -> AsyncGenerator[AnswerPart, None]:
        with self._guard.call("answer"):
            synthesizer = self._home.frontend.synthesizer if options.speak else None
            voice = await self._voice(options) if options.speak else None
            async with (
                aclosing(self._write(options, voice)) as written,
                aclosing(VoicedAnswer(written, voice, self._home.run).parts()) as parts,
            ):
                if synthesizer is None:
                    async for part in parts:
                        yield part
                else:
                    async with aclosing(spoken(parts, synthesizer, options.speed)) as voiced:
                        async for part in voiced:
                            yield part
            if self._is_cut:
                yield AnswerChunk(cut_short=True)

    async def _voice(self, options: AnswerOptions) -> AnswerVoice | None:
        if self._speech_cache is None:
            self._speech_cache = await self._home.run(
                self._home.frontend.speech_cache, Priority.FIRST
            )
        return (
            None
            if self._speech_cache is None
            else self._home.frontend.voice(self._speech_cache, options)
        )

    async def _write(
        self, options: AnswerOptions, voice: AnswerVoice | None
    ) -> AsyncGenerator[Written, None]:
        """What is said goes into the past token by token: it is right whenever this ends."""
        await self._end_segment()
        tools = self._tools if options.tools is None else options.tools
        wording = self._home.frontend.wording(tools, options, voice)
        opened = self._grammar.answering(self._state.talk).plus(wording.forced)
        asked = self._told(options).plus(wording.forced)
        self._state = HearingState(opened)
        said: list[int] = []
        async with aclosing(self._tokens(asked.line, wording, options)) as tokens:
            async for token in tokens:
                if wording.is_end(token):
                    break
                text = wording.take(token)
                said.append(token)
                self._state = HearingState(opened.plus(said))
                if text:
                    yield text
        self._is_cut = wording.is_cut
        rest = wording.end()
        self._state = HearingState(self._grammar.answered(opened.plus(said)))
        if rest:
            yield rest
        if wording.call is not None:
            yield wording.call

    def _told(self, options: AnswerOptions) -> PromptState:
        """The opening of an answer for which the model is told something that is not kept."""
        told = told_for_one_answer(options, self._tools)
        return self._grammar.answering(self._state.talk, told)

    async def _tokens(
        self, line: Prompt, wording: Wording, options: AnswerOptions
    ) -> AsyncGenerator[int, None]:
        """Token by token. Where the first one may be another than the rest, it is a request of its
        own; the prefix cache makes that cheap. Raises OutOfRoom after the last that fits."""
        validator, asked = (
            self._home.validator,
            options.max_tokens + 2,
        )  # a call's mark and an end beside them
        while True:
            barred = wording.barred()
            validator.check(line, 1 + ENDING)
            most = min(asked, validator.capacity - line.length - ENDING)
            params = answering(options, most, wording.ends, barred)
            outputs = self._host.request(self._life, line, params, Urgency.ANSWERING)
            async with aclosing(outputs):
                async for token in _single(outputs):
                    yield token
                    line = line.plus([token])
                    if wording.barred() != barred:
                        break
                else:
                    raise OutOfRoom(f"{line.length + ENDING} tokens of {validator.capacity}")

    # -------------------------------------------------------------------------------- marks

    async def mark(self) -> Mark:
        with self._guard.call("mark"):
            return self._places.keep(Snapshot(self._state, self._state.talk.line.length))

    async def rewind(self, mark: Mark) -> None:
        """Raises UnknownMark."""
        with self._guard.call("rewind"):
            self._state = self._places.back_to(mark).state

    def embedded(self) -> npt.NDArray[np.float32] | None:
        parts = [feature.vectors for feature in self._state.talk.turn]
        return np.concatenate(parts) if parts else None

    def room(self) -> int:
        return self._home.validator.capacity - self._state.talk.line.length

    async def close(self) -> None:
        if self._guard.close():
            self._home.forget(self)
            await self.reader.close()

    async def _urgent(self, work: Callable[[], Result]) -> Result:
        return await self._home.run(work, Priority.HEARING)


async def _single(outputs: AsyncIterator[Any]) -> AsyncGenerator[int, None]:
    async for output in outputs:
        for token in output.outputs[0].token_ids:
            yield token
