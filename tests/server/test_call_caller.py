"""The caller against a small Realtime server of its own, over a real socket."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from typer import Typer
from typer.testing import CliRunner
from websockets.asyncio.server import ServerConnection, serve

from audio.pcm import decode_pcm16, encode_pcm16
from server.call.address import websocket_url
from server.call.caller import Caller, call
from server.call.command import WITH_WORDS, command, parse_interruption
from server.call.conversation import CallFailed
from server.call.latency import turns
from server.call.report import dialogue
from server.call.script import CallScript, ClientBehaviour, Cue
from server.call.timeline import RATE, TimelineClip
from tests.engine_script import EngineScript, ScriptedAnswer
from tests.server.house import KEY, House


def beep(seconds: float) -> Any:
    steps = np.arange(round(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * 200 * steps)).astype(np.float32)


class Answering:
    """Answers with half a second of tone once 200 ms of silence have followed sound."""

    def __init__(self, socket: ServerConnection) -> None:
        self._socket = socket
        self._voiced = False
        self._silent = 0
        self._answers = 0

    async def send(self, kind: str, **fields: Any) -> None:
        await self._socket.send(json.dumps({"type": kind, "event_id": "e", **fields}))

    async def serve(self) -> None:
        await self.send("session.created", session={})
        async for text in self._socket:
            event = json.loads(text)
            if event["type"] == "session.update":
                await self.send("session.updated", session=event["session"])
            elif event["type"] == "conversation.item.retrieve":
                await self.send("conversation.item.retrieved", item={"id": event["item_id"]})
            elif event["type"] == "input_audio_buffer.append":
                await self._hear(decode_pcm16(base64.b64decode(event["audio"])))

    async def _hear(self, samples: Any) -> None:
        loud = float(np.max(np.abs(samples))) > 0.05
        self._voiced, self._silent = self._voiced or loud, 0 if loud else self._silent + 1
        if self._voiced and self._silent == 10:
            self._voiced = False
            self._answers += 1
            name = f"r{self._answers}"
            await self.send("response.created", response={"id": name})
            await self.send("response.output_audio_transcript.delta", response_id=name, delta="hm")
            audio = base64.b64encode(encode_pcm16(beep(0.5))).decode()
            ids = {"response_id": name, "item_id": f"i{self._answers}"}
            await self.send("response.output_audio.delta", **ids, delta=audio)
            await self.send("response.done", response={"id": name, "status": "completed"})


@asynccontextmanager
async def fake_server(refuse: bool = False) -> AsyncIterator[str]:
    async def handle(socket: ServerConnection) -> None:
        if refuse:
            await socket.close(1013, "full")
            return
        await Answering(socket).serve()

    async with serve(handle, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/v1/realtime"


QUESTION = Cue(
    TimelineClip.of("q", np.concatenate((beep(0.4), np.zeros(RATE // 10, np.float32)))), at=0.1
)


async def test_a_real_call_measures_the_answer() -> None:
    items = []

    async def ask_more(caller: Caller, _: Any) -> None:
        items.append(await caller.retrieve("i"))

    async with fake_server() as url:
        record = await call(url, CallScript(cues=(QUESTION,), settle=0.1), after=ask_more)
    turn = turns(record)[0]
    assert turn.transcript == "hm"
    assert turn.response is not None
    # the silence that this server waits for, plus the append that completes it
    assert 0.18 < turn.response < 0.6
    assert items == [{"id": "i"}]
    assert record.answers[0].seconds_played == pytest.approx(0.5)


async def test_refusals_say_why() -> None:
    async with fake_server(refuse=True) as url:
        with pytest.raises(CallFailed, match="full"):
            await call(url, CallScript(cues=(QUESTION,)))
    with pytest.raises(CallFailed, match="no server"):
        await call(url, CallScript(cues=(QUESTION,)))


async def test_the_command_reports_and_records(tmp_path: Path) -> None:
    import asyncio

    question, played = tmp_path / "q.wav", tmp_path / "a.wav"
    soundfile.write(question, np.stack([beep(0.4)] * 2, axis=1), RATE)
    app = Typer()
    app.command()(command)

    def invoke(url: str) -> Any:
        arguments = [str(question), "--json", "--record", str(played), "--url", url]
        return CliRunner().invoke(app, arguments)

    async with fake_server() as url:
        result = await asyncio.to_thread(invoke, url)
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert data["turns"][0]["answered"]
    assert data["turns"][0]["response_latency_ms"] > 100
    samples, rate = soundfile.read(played)
    assert rate == RATE
    assert np.count_nonzero(np.abs(samples) > 0.01) > 0.4 * RATE


@pytest.mark.parametrize("text", ["x:q.wav", "1.5", "-1:q.wav", "1:"])
def test_bad_interruptions_are_explained(text: str) -> None:
    with pytest.raises(ValueError, match="SECONDS:FILE"):
        parse_interruption(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ws://h/v1/realtime", "ws://h/v1/realtime?model=nano"),
        ("ws://h/v1/realtime?x=1", "ws://h/v1/realtime?x=1&model=nano"),
        ("ws://h/v1/realtime?model=big", "ws://h/v1/realtime?model=big"),
        ("http://h:8080", "ws://h:8080/v1/realtime?model=nano"),
        ("https://h/", "wss://h/v1/realtime?model=nano"),
        ("http://h:1/v1", "ws://h:1/v1/realtime?model=nano"),
        ("h:8080", "ws://h:8080/v1/realtime?model=nano"),
        ("localhost", "ws://localhost/v1/realtime?model=nano"),
        ("[::1]:8080", "ws://[::1]:8080/v1/realtime?model=nano"),
        ("wss://h/openai/v1/realtime", "wss://h/openai/v1/realtime?model=nano"),
    ],
)
def test_addresses_as_people_write_them(text: str, expected: str) -> None:
    assert websocket_url(text, "nano") == expected


@pytest.mark.parametrize("text", ["", "ftp://h", "http://", ":8080", "h:port", "h:99999"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        websocket_url(text, "nano")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"key": "wrong-key"}, "--key"),
        ({"key": KEY, "url": "http://HOST/v1/realtim"}, "/v1/realtime"),
        ({"key": KEY, "model": "gpt-4o"}, "--model"),
    ],
)
async def test_refusals_name_the_flag_that_helps(
    house: House, options: dict[str, str], named: str
) -> None:
    url = options.pop("url", "http://HOST").replace("HOST", house.host)
    with pytest.raises(CallFailed) as caught:
        await call(url, CallScript(length=0.1), **options)  # type: ignore[arg-type]
    assert named in str(caught.value)
    assert "HTTP 40" in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["absent.wav"], "absent.wav: no such file"),
        (["."], "no such file"),
        (["--microphone", "--record", "absent/answer.wav"], "no folder absent"),
        (["q.wav", "--record", "answer.doc"], "a sound file is wanted"),
        ([], "a sound file is wanted"),
    ],
)
def test_what_call_cannot_have_is_one_line(arguments: list[str], named: str) -> None:
    app = Typer()
    app.command()(command)
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert named in result.output and "Errno" not in result.output
    assert len(result.output.strip().splitlines()) == 1


async def test_nobody_answers_at_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(CallFailed, match="connection refused; --url") as caught:
        await call(f"127.0.0.1:{port}", CallScript())
    assert "Errno" not in str(caught.value)


async def test_both_sides_words_are_shown_whole() -> None:
    words = "a long answer " * 20
    async with House(EngineScript(answers=[ScriptedAnswer(words, word_seconds=0.02)])) as house:
        cue = Cue(TimelineClip.of("question", beep(0.6)), at=0.3)
        behaviour = ClientBehaviour(session=WITH_WORDS)
        record = await call(house.host, CallScript((cue,), behaviour=behaviour), key=KEY)
    lines = [line.plain for line in dialogue(record)]
    assert [line.split()[0] for line in lines] == ["you", "assistant"]
    assert words.strip() in lines[1]


async def test_hanging_up_in_the_middle_of_an_answer_takes_no_time() -> None:
    import asyncio

    async def flood(socket: ServerConnection) -> None:
        await Answering(socket).send("session.created", session={})
        while True:
            await Answering(socket).send("session.updated", session={}, padding="x" * 5000)

    async with serve(flood, "127.0.0.1", 0, close_timeout=60) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        caller = Caller(f"ws://127.0.0.1:{port}", CallScript())
        await caller.__aenter__()
        await asyncio.sleep(0.2)  # until what comes unread has filled every buffer
        async with asyncio.timeout(5):
            await caller.__aexit__()
