"""pipecat-ai: each feature of the table in a pipeline of its own."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import quickstart
from loguru import logger
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    InputAudioRawFrame,
    InputImageRawFrame,
    InterruptionFrame,
    LLMMessagesAppendFrame,
    LLMRunFrame,
    OutputAudioRawFrame,
    StartFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.services.openai.realtime.events import InputAudioTranscription
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner
from report import KEY, RATE, SCRIPTED_BASE_URL, check, feature, speech, tell

logger.remove()
FRAME_BYTES = RATE // 50 * 2


class Microphone(BaseInputTransport):
    """Gives what was put into it at playing speed, and silence in between."""

    def __init__(self) -> None:
        super().__init__(TransportParams(audio_in_enabled=True, audio_in_sample_rate=RATE))
        self.waiting = bytearray()
        self._task: asyncio.Task[None] | None = None

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)
        self._task = asyncio.create_task(self._stream())

    async def _stream(self) -> None:
        while True:
            piece = bytes(self.waiting[:FRAME_BYTES])
            del self.waiting[:FRAME_BYTES]
            piece += bytes(FRAME_BYTES - len(piece))
            await self.push_audio_frame(InputAudioRawFrame(piece, RATE, 1))
            await asyncio.sleep(0.02)

    async def cleanup(self) -> None:
        if self._task is not None:
            self._task.cancel()
        await super().cleanup()


class Loudspeaker(BaseOutputTransport):
    """Plays nothing, but takes as long as playing would."""

    def __init__(self) -> None:
        super().__init__(TransportParams(audio_out_enabled=True, audio_out_sample_rate=RATE))
        self.played = 0
        self.interruptions = 0

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def process_frame(self, frame: Any, direction: Any) -> None:
        if isinstance(frame, InterruptionFrame):
            self.interruptions += 1
        await super().process_frame(frame, direction)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        self.played += len(frame.audio) // 2
        await asyncio.sleep(len(frame.audio) / 2 / RATE)
        return True


class Line:
    """One running pipeline."""

    def __init__(self, service: Any, context: LLMContext, pair: Any) -> None:
        self.context = context
        self.microphone, self.loudspeaker = Microphone(), Loudspeaker()
        steps = [self.microphone, pair.user(), service, self.loudspeaker, pair.assistant()]
        rates = PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE)
        self.worker = PipelineWorker(Pipeline(steps), params=rates, idle_timeout_secs=None)
        self.errors: list[str] = []

        @self.worker.event_handler("on_pipeline_error")
        async def note(_: Any, frame: Any) -> None:
            self.errors.append(str(frame.error))

    def said(self, role: str = "assistant") -> list[str]:
        messages = [m for m in self.context.get_messages() if isinstance(m, dict)]
        return [str(m["content"]) for m in messages if m.get("role") == role and m.get("content")]

    async def until_said(self, count: int, role: str = "assistant") -> str:
        while len(self.said(role)) < count:
            check(not self.errors, self.errors)
            await asyncio.sleep(0.05)
        return self.said(role)[count - 1]

    async def ask(self, text: Any) -> str:
        count = len(self.said())
        message: Any = {"role": "user", "content": text}
        await self.worker.queue_frames([LLMMessagesAppendFrame([message], run_llm=True)])
        return await self.until_said(count + 1)


async def run(line: Line) -> None:
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(line.worker)
    await runner.run()


@contextlib.asynccontextmanager
async def running(service: Any = None, context: LLMContext | None = None) -> Any:
    context = context or LLMContext([])
    line = Line(service or quickstart.new_service(), context, LLMContextAggregatorPair(context))
    work = asyncio.create_task(run(line))
    try:
        yield line
        check(not line.errors, line.errors)
    finally:
        await line.worker.cancel()
        await asyncio.wait({work}, timeout=10)


async def quick_start() -> str:
    context, pair = quickstart.new_context()
    line = Line(quickstart.new_service(), context, pair)
    work = asyncio.create_task(run(line))
    try:
        await line.worker.queue_frames([LLMRunFrame()])
        return await line.until_said(1)
    finally:
        await line.worker.cancel()
        await asyncio.wait({work}, timeout=10)


def with_words() -> OpenAIRealtimeLLMService:
    """The service with the transcript of the user asked for."""
    from pipecat.services.openai.realtime import events

    audio = events.AudioConfiguration(
        input=events.AudioInput(transcription=InputAudioTranscription())
    )
    properties = events.SessionProperties(audio=audio)
    settings = OpenAIRealtimeLLMService.Settings(session_properties=properties)
    return OpenAIRealtimeLLMService(api_key=KEY, base_url=quickstart.ADDRESS, settings=settings)


async def voice() -> str:
    async with running(with_words()) as line:
        await line.worker.queue_frames([LLMRunFrame()])
        await line.until_said(1)
        line.microphone.waiting += speech("question_en_capital")
        said = await line.until_said(2)
        heard = await line.until_said(1, "user")
    check("capital" in heard.lower(), heard)
    check("paris" in said.lower(), said)
    check(line.loudspeaker.played > RATE, "no sound")
    return f"{heard!r}: {said!r}"


async def interruption() -> str:
    async with running(with_words()) as line:
        story: Any = {"role": "user", "content": "tell me a story about the fox"}
        await line.worker.queue_frames([LLMMessagesAppendFrame([story], run_llm=True)])
        while line.loudspeaker.played < 2 * RATE:
            check(not line.errors, line.errors)
            await asyncio.sleep(0.05)
        line.microphone.waiting += speech("question_en_capital")
        cut = await line.until_said(1)
        answer = await line.until_said(2)
        check(line.loudspeaker.interruptions, "no interruption reached the loudspeaker")
    check(0 < len(cut) < 200, f"more than was heard: {cut}")
    check("paris" in answer.lower(), answer)
    return f"kept {cut!r}"


async def tool() -> str:
    schema = FunctionSchema("get_time", "Tells the current time.", {}, [])
    service = quickstart.new_service()

    async def get_time(params: Any) -> None:
        await params.result_callback({"time": "ten past nine"})

    service.register_function("get_time", get_time)
    context = LLMContext([], tools=ToolsSchema(standard_tools=[schema]))
    async with running(service, context) as line:
        said = await line.ask("what time is it")
        called = [m for m in context.get_messages() if isinstance(m, dict) and m.get("tool_calls")]
        check(called, "no call in the context")
    return said


async def handoff() -> str:
    """A transfer is a function here; the scripted models call it."""
    schema = FunctionSchema("transfer_to_billing", "Hand over to billing.", {}, [])
    address = "ws" + SCRIPTED_BASE_URL.removeprefix("http") + "/realtime"
    service = OpenAIRealtimeLLMService(api_key=KEY, base_url=address)
    called = []

    async def transfer(params: Any) -> None:
        called.append(params.function_name)
        await params.result_callback({"transferred": True})

    service.register_function("transfer_to_billing", transfer)
    context = LLMContext([], tools=ToolsSchema(standard_tools=[schema]))
    async with running(service, context) as line:
        said = await line.ask("I have a question for billing")
    check(called, "the transfer was not called")
    return said


async def text() -> str:
    async with running() as line:
        said = await line.ask("what is the capital of france")
    check("paris" in said.lower(), said)
    return said


async def image() -> str:
    """Pictures go to this service as frames of a video."""
    red = InputImageRawFrame(bytes((208, 16, 16)) * 64 * 64, (64, 64), "RGB")
    async with running() as line:
        await line.worker.queue_frames([red])
        await asyncio.sleep(0.5)
        said = await line.ask("what colour is it")
    check("see" not in said, said)
    return said


async def second_connection() -> str:
    await text()
    return await text()


async def main() -> None:
    await feature("quick start", quick_start)
    await feature("voice, transcript", voice)
    await feature("interruption, history", interruption)
    await feature("tool", tool)
    await feature("handoff", handoff)
    tell("guardrail", "-", "not in this client")
    await feature("text", text)
    await feature("image", image)
    await feature("connects again", second_connection)


asyncio.run(main())
