"""A peer beside our cascade: pipecat's pipeline behind the same wire, with the same parts.

    python -m benchmarks.peer_pipecat --port 8097 --llm http://127.0.0.1:8099/v1
    python -m benchmarks.duplex turn-taking --url ws://127.0.0.1:8097/v1/realtime --out DIR

It runs in an environment of its own (make bench-peer). pipecat (BSD-2-Clause, by Daily) keeps its
own voice detection (Silero), its own end of turn (Smart Turn) and its own defaults. Ours are three
thin adapters: the wire, Moonshine as its transcriber, nano's voice as its synthesizer; the time
inside the last two is written when it ends. One caller at a time.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections import defaultdict
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from pipecat.audio.utils import create_stream_resampler
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import (
    BotStoppedSpeakingFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMMessagesAppendFrame,
    LLMRunFrame,
    OutputAudioRawFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.task import PipelineParams, PipelineTask
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.serializers.base_serializer import FrameSerializer
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.services.settings import TTSSettings
from pipecat.services.stt_service import SegmentedSTTService
from pipecat.services.tts_service import TTSService
from pipecat.transports.websocket.server import (
    SingleClientWebsocketServerParams,
    SingleClientWebsocketServerTransport,
)

from models.base import SPEAK_RATE, AnswerOptions
from models.engines.bundle import Bundle
from models.engines.cascade.speech import NanoSpeechSource
from models.engines.embedded import EmbeddedInstance
from models.moonshine import load
from models.vita.chunker import SpokenChunk

NANO = Path(__file__).resolve().parent.parent / "models" / "nano"
HEARD = 16_000  # samples a second that pipecat's detector and Smart Turn hear
spent: dict[str, list[float]] = defaultdict(list)  # seconds inside our adapters


class RealtimeWire(FrameSerializer):  # type: ignore[misc]
    """The little of the Realtime protocol that the simulated caller needs."""

    def __init__(self) -> None:
        super().__init__()
        self.client: Any = None
        self._resampler = create_stream_resampler()
        self._responses = 0
        self._speaks = False

    async def greet(self, client: Any) -> None:
        self.client, self._speaks = client, False
        await self._send("session.created", session={"id": "peer"})

    async def deserialize(self, data: str | bytes) -> Frame | None:
        event = json.loads(data)
        if event["type"] == "session.update":
            await self._send("session.updated", session={"id": "peer"})
        if event["type"] == "conversation.item.create":
            words = event["item"]["content"][0]["text"]
            return LLMMessagesAppendFrame([{"role": "user", "content": words}])
        if event["type"] == "response.create":
            return LLMRunFrame()
        if event["type"] != "input_audio_buffer.append":
            return None
        sound = base64.b64decode(event["audio"])
        heard = await self._resampler.resample(sound, SPEAK_RATE, HEARD)
        return InputAudioRawFrame(audio=heard, sample_rate=HEARD, num_channels=1)

    async def serialize(self, frame: Frame) -> str | None:
        if not isinstance(frame, OutputAudioRawFrame):
            return None
        if not self._speaks:
            self._speaks, self._responses = True, self._responses + 1
            await self._send("response.created", response=self._response("in_progress"))
        name = f"resp_{self._responses}"
        delta = base64.b64encode(frame.audio).decode()
        place = {"response_id": name, "item_id": f"item_{name}", "delta": delta}
        return json.dumps({"type": "response.output_audio.delta", "event_id": "e", **place})

    async def interrupted(self) -> None:
        await self._send("input_audio_buffer.speech_started", item_id="u", audio_start_ms=0)
        await self.ended("cancelled")

    async def ended(self, status: str = "completed") -> None:
        if self._speaks:
            self._speaks = False
            await self._send("response.done", response=self._response(status))

    def _response(self, status: str) -> dict[str, Any]:
        return {"id": f"resp_{self._responses}", "status": status, "output": []}

    async def _send(self, kind: str, **fields: Any) -> None:
        await self.client.send(json.dumps({"type": kind, "event_id": "e", **fields}))


class WireEvents(FrameProcessor):  # type: ignore[misc]
    """Tells the caller when the bot was interrupted or has ended; stands behind the transport."""

    def __init__(self, wire: RealtimeWire) -> None:
        super().__init__()
        self._wire = wire

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            await self._wire.interrupted()
        elif isinstance(frame, BotStoppedSpeakingFrame):
            await self._wire.ended()
        await self.push_frame(frame, direction)


class MoonshineService(SegmentedSTTService):  # type: ignore[misc]
    """Moonshine as pipecat's transcriber of whole segments."""

    def __init__(self) -> None:
        super().__init__(sample_rate=HEARD)
        self._moonshine = load()

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        began = time.perf_counter()
        pcm = np.frombuffer(audio[44:] if audio[:4] == b"RIFF" else audio, "<i2")
        samples = np.asarray(pcm, np.float32) / np.float32(32768)
        words = await asyncio.to_thread(self._moonshine.transcribe, samples)
        spent["transcriber"].append(time.perf_counter() - began)
        if words:
            yield TranscriptionFrame(words, "caller", time.strftime("%Y-%m-%dT%H:%M:%S"))


class NanoVoiceService(TTSService):  # type: ignore[misc]
    """nano's speech decoder as pipecat's synthesizer."""

    def __init__(self) -> None:
        nothing = TTSSettings(model=None, voice=None, language=None)
        super().__init__(sample_rate=SPEAK_RATE, settings=nothing)
        bundle = Bundle.read(NANO)
        self._source = NanoSpeechSource(bundle, EmbeddedInstance(bundle, "peer").worker)

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        began, is_first = time.perf_counter(), True
        speech = self._source.begin(AnswerOptions())
        for chunks in (speech.say(SpokenChunk(text, inside=False)), speech.end()):
            async for chunk in chunks:
                if chunk.samples is None or not len(chunk.samples):
                    continue
                if is_first:
                    spent["voice, first sound"].append(time.perf_counter() - began)
                    is_first = False
                pcm = (np.clip(chunk.samples, -1, 1) * 32767).astype("<i2").tobytes()
                yield TTSAudioRawFrame(pcm, SPEAK_RATE, 1, context_id=context_id)


async def serve(port: int, llm: str, model: str) -> None:
    """Serve until cancelled."""
    wire = RealtimeWire()
    transport = SingleClientWebsocketServerTransport(
        params=SingleClientWebsocketServerParams(
            serializer=wire,
            audio_in_enabled=True,
            audio_out_enabled=True,
            audio_in_sample_rate=HEARD,
            audio_out_sample_rate=SPEAK_RATE,
        ),
        host="127.0.0.1",
        port=port,
    )
    context = LLMContext()
    aggregators = LLMContextAggregatorPair(
        context, user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer())
    )
    settings = OpenAILLMService.Settings(model=model)
    chat = OpenAILLMService(base_url=llm, api_key="unused", settings=settings)
    pipeline = Pipeline(
        [
            transport.input(),
            MoonshineService(),
            aggregators.user(),
            chat,
            NanoVoiceService(),
            transport.output(),
            WireEvents(wire),
            aggregators.assistant(),
        ]
    )

    @transport.event_handler("on_client_connected")  # type: ignore[untyped-decorator]
    async def connected(_: Any, client: Any) -> None:
        context.set_messages([])
        await wire.greet(client)

    rates = PipelineParams(audio_in_sample_rate=HEARD, audio_out_sample_rate=SPEAK_RATE)
    task = PipelineTask(pipeline, params=rates, cancel_on_idle_timeout=False)
    try:
        await PipelineRunner(handle_sigterm=True).run(task)
    finally:
        for name, seconds in spent.items():
            typer.echo(f"{name}: n {len(seconds)}, p50 {np.median(seconds) * 1000:.0f} ms")


def main(
    port: Annotated[int, typer.Option()] = 8097,
    llm: Annotated[str, typer.Option(help="Address of the language model.")] = "",
    llm_model: Annotated[str, typer.Option()] = "scripted",
) -> None:
    """Serve pipecat's pipeline behind the wire of the simulated caller."""
    asyncio.run(serve(port, llm, llm_model))


if __name__ == "__main__":
    typer.run(main)
