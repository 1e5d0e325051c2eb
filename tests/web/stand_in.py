"""A stand-in for the server: the page's files and one rehearsed conversation on the wire.

It plays a scene by the clock of the sound it is sent, so that the page can be tested for what it
draws and for how it fails, without a model.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from fastapi import FastAPI, Response, WebSocket, WebSocketDisconnect
from fastapi.staticfiles import StaticFiles

WEB = Path(__file__).resolve().parents[2] / "server" / "web"
RATE = 24_000
STEP = 0.04  # seconds of sound in one delta
WireEvent = dict[str, Any]


@dataclass(slots=True)
class Stage:
    """What the stand-in does and what it was told. `replies` follow a request for an answer, by
    the same clock as the scene."""

    scene: list[tuple[float, WireEvent]] = field(default_factory=list)
    replies: list[tuple[float, WireEvent]] = field(default_factory=list)
    full: bool = False
    key: str = ""
    close_at: float | None = None  # seconds of user audio
    received: list[WireEvent] = field(default_factory=list)

    def of_type(self, name: str) -> list[WireEvent]:
        return [event for event in self.received if event["type"] == name]


def create_stand_in(stage: Stage) -> FastAPI:
    app = FastAPI()

    @app.get("/readyz")
    async def readyz() -> Response:
        if stage.full:
            return Response('{"status":"full"}', 503, {"Retry-After": "5"})
        return Response('{"status":"ready"}')

    @app.get("/v1/models")
    async def models() -> Response:
        return Response("{}", 401 if stage.key else 200)

    @app.websocket("/v1/realtime")
    async def realtime(socket: WebSocket) -> None:
        offered = socket.headers.get("sec-websocket-protocol", "")
        wrong_key = stage.key and f"openai-insecure-api-key.{stage.key}" not in offered
        if stage.full or wrong_key:
            await socket.close()
            return
        await socket.accept("realtime")
        try:
            await Play(stage, socket).run()
        except WebSocketDisconnect:
            return

    app.mount("/", StaticFiles(directory=WEB, html=True))
    return app


class Play:
    """One connection."""

    def __init__(self, stage: Stage, socket: WebSocket) -> None:
        self.stage = stage
        self.socket = socket
        self.seconds = 0.0  # of user audio
        self.left = sorted(stage.scene, key=lambda entry: entry[0])

    async def run(self) -> None:
        await self.send({"type": "session.created", "session": {"id": "sess_1"}})
        while True:
            event = orjson.loads(await self.socket.receive_text())
            self.stage.received.append(event)
            if event["type"] == "input_audio_buffer.append":
                await self.hear(len(base64.b64decode(event["audio"])) / 2 / RATE)
            elif event["type"] == "session.update":
                await self.send({"type": "session.updated", "session": event["session"]})
            elif event["type"] == "response.create":
                self.left += [(self.seconds + after, reply) for after, reply in self.stage.replies]

    async def hear(self, seconds: float) -> None:
        self.seconds += seconds
        while self.left and self.left[0][0] <= self.seconds:
            await self.send(self.left.pop(0)[1])
        if self.stage.close_at is not None and self.seconds > self.stage.close_at:
            await self.socket.close(1011, "rehearsed")
            await asyncio.Event().wait()

    async def send(self, event: WireEvent) -> None:
        await self.socket.send_text(orjson.dumps({"event_id": "event_1", **event}).decode())


def voice(seconds: float, pitch: float = 130.0) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Something like a voice: harmonics with syllables, [n] at 24 kHz."""
    time = np.arange(int(seconds * RATE)) / RATE
    glide = pitch * (time + 0.02 * np.sin(2 * np.pi * 0.9 * time))
    sound = sum(np.sin(2 * np.pi * k * glide) / k for k in range(1, 9))
    syllables = np.abs(np.sin(2 * np.pi * 1.9 * time)) ** 0.6 * (0.65 + 0.35 * np.sin(5.3 * time))
    return np.asarray(0.22 * sound * syllables, np.float32)


def answer(
    number: int, at: float, seconds: float, words: str, ducks: Sequence[tuple[float, float]] = ()
) -> Iterator[tuple[float, WireEvent]]:
    """One answer's events from `at` on; `ducks`: spans (seconds of the answer) at lower gain."""
    ids = {"response_id": f"resp_{number}", "item_id": f"item_a{number}", "output_index": 0}
    yield at, {"type": "response.created", "response": {"id": ids["response_id"]}}
    sound = voice(seconds, 105.0 + 22 * (number % 2))
    for start_of, end_of in ducks:
        sound[int(start_of * RATE) : int(end_of * RATE)] *= 0.25
    samples = (sound * 32767).astype("<i2")
    step = int(STEP * RATE)
    pieces = words.split(" ")
    for index, start in enumerate(range(0, len(samples), step)):
        moment = at + max(0.0, index * STEP - 0.08)
        delta = base64.b64encode(samples[start : start + step].tobytes()).decode()
        yield moment, {"type": "response.output_audio.delta", **ids, "delta": delta}
        due = round(len(pieces) * index * STEP / seconds)
        if due < round(len(pieces) * (index + 1) * STEP / seconds) and due < len(pieces):
            text = {"type": "response.output_audio_transcript.delta", **ids}
            yield moment, {**text, "delta": pieces[due] + " "}
    yield at + seconds, {"type": "response.output_audio.done", **ids}
    yield from ended(number, at + seconds, "completed")


def ended(number: int, at: float, status: str) -> Iterator[tuple[float, WireEvent]]:
    yield at, {"type": "response.done", "response": {"id": f"resp_{number}", "status": status}}


def heard(
    segment: int, start: float, end: float, scores: dict[str, float], words: str = ""
) -> Iterator[tuple[float, WireEvent]]:
    """Verdicts over [start, end) of user audio, every 160 ms, growing to `scores`."""
    steps = max(1, int((end - start) / 0.16))
    pieces = words.split(" ")
    for step in range(1, steps + 1):
        share = step / steps
        until = start + step * (end - start) / steps
        query = scores.get("query", 0.0) * share**2
        unfinished = scores.get("unfinished", 0.0) * share + (scores.get("query", 0) - query) * 0.85
        verdict = {
            "query": query,
            "noise": 1.0 - query - unfinished,
            "text": 0.0,
            "unfinished": unfinished,
            "words": " ".join(pieces[: round(share * len(pieces))]),
        }
        event = {"type": "antiphon.verdict", "segment": segment, "verdict": verdict}
        yield until + 0.03, event | {"audio_end_ms": round(until * 1000)}


def decided(
    segment: int, reason: str, start: float, end: float, at: float, **more: Any
) -> tuple[float, WireEvent]:
    verdict = {"query": 0.96, "noise": 0.03, "text": 0.0, "unfinished": 0.01, "words": ""}
    if reason.startswith("ignored"):
        verdict |= {"query": 0.04, "noise": 0.95}
    span = {"audio_start_ms": round(start * 1000), "audio_end_ms": round(end * 1000)}
    ids = {"item_id": None, "response_id": None, **more}
    event = {"type": "antiphon.decision", "segment": segment, "reason": reason}
    return at, event | span | ids | {"verdict": verdict}


def state(at: float, user: str, assistant: str) -> tuple[float, WireEvent]:
    return at, {"type": "antiphon.state", "user": user, "assistant": assistant}


def said(item: str, at: float, words: str) -> Iterator[tuple[float, WireEvent]]:
    content = [{"type": "input_audio", "transcript": None}]
    message = {"id": item, "type": "message", "role": "user", "content": content}
    yield at, {"type": "conversation.item.added", "item": message}
    done = "conversation.item.input_audio_transcription.completed"
    yield at + 0.05, {"type": done, "item_id": item, "content_index": 0, "transcript": words}


def rehearsed() -> list[tuple[float, WireEvent]]:
    """A question, its answer, a cough over it, another question over it, and its answer."""
    first = "The Moon goes around the Earth in about twenty seven days, always showing one face."
    cut = [
        entry
        for entry in answer(1, 2.82, 6.5, first, [(2.25, 2.65), (4.75, 6.5)])
        if entry[0] < 8.3
    ]
    return [
        state(1.02, "speaking", "listening"),
        *heard(1, 1.0, 2.6, {"query": 0.96}, "how long does the moon take"),
        (2.79, {"type": "antiphon.swap", "response_id": "resp_1"}),
        *said("item_u1", 2.8, "How long does the moon take?"),
        state(2.82, "silent", "speaking"),
        decided(1, "answered", 1.0, 2.6, 2.8, response_id="resp_1"),
        *cut,
        state(5.02, "speaking", "ducked"),
        *heard(2, 5.0, 5.4, {"query": 0.02}),
        state(5.42, "silent", "speaking"),
        decided(2, "ignored-noise", 5.0, 5.4, 5.45),
        state(7.52, "speaking", "ducked"),
        *heard(3, 7.5, 9.0, {"query": 0.97}, "and how far away is it"),
        (8.3, {"type": "input_audio_buffer.speech_started", "item_id": "item_u2"}),
        *ended(1, 8.31, "cancelled"),
        (
            8.4,
            {
                "type": "conversation.item.retrieved",
                "item": {
                    "id": "item_a1", "type": "message", "role": "assistant",
                    "content": [
                        {
                            "type": "output_audio",
                            "transcript": "The Moon goes around the Earth in about twenty seven",
                        }
                    ],
                },
            },
        ),
        state(8.32, "speaking", "listening"),
        (9.18, {"type": "antiphon.swap", "response_id": "resp_2"}),
        *said("item_u2", 9.19, "And how far away is it?"),
        decided(3, "answered", 7.5, 9.0, 9.2, response_id="resp_2"),
        state(9.2, "silent", "speaking"),
        *answer(2, 9.21, 3.4, "It is about three hundred and eighty thousand kilometres away."),
        state(12.7, "silent", "listening"),
    ]  # fmt: skip


def microphone_sound() -> np.ndarray[Any, np.dtype[np.float32]]:
    """What the user says in `rehearsed`, [n] at 24 kHz, and a long silence after it."""
    sound = np.zeros(30 * RATE, np.float32)
    for start, part in ((1.0, voice(1.6, 190)), (7.5, voice(1.5, 190)), (5.0, cough())):
        first = int(start * RATE)
        sound[first : first + len(part)] = part
    return sound


def cough() -> np.ndarray[Any, np.dtype[np.float32]]:
    noise = np.random.default_rng(7).normal(0, 0.25, int(0.4 * RATE))
    return np.asarray(noise * np.exp(-np.linspace(0, 5, len(noise))), np.float32)
