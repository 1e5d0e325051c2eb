"""The evaluation room: the full path, a server of our own in this process and calls to it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from server.app import create_app
from server.call.caller import call
from server.call.record import Record
from server.call.script import Cue, Manners, Script
from server.call.timeline import RATE, Clip
from server.config import ServerSettings
from server.evaluation.manifest import Recording, read_sound
from server.evaluation.scores import Heard
from server.serve import new_server
from server.service import Engine

_LEAD_IN = 0.3  # seconds of room before the clip
_PATIENCE = 4.5  # longer than an unfinished query is waited for


@asynccontextmanager
async def serving(settings: ServerSettings, engine: Engine) -> AsyncIterator[str]:
    """The whole server on a free port; its WebSocket address."""
    app = create_app(settings, engine)
    server = new_server(app, settings)
    # Bound and listening before the server is up: an early call waits in the backlog.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        task = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            await app.state.service.started.wait()
            await app.state.service.loaded
            yield f"ws://127.0.0.1:{listening.getsockname()[1]}/v1/realtime"
        finally:
            server.should_exit = True
            await task


async def call_all(
    url: str, recordings: Sequence[Recording], done: Callable[[], None], *, sessions: int
) -> list[Heard]:
    """One call for each recording, so many at a time, at playing speed."""
    waiting = iter(recordings)
    heard: list[Heard] = []

    async def one_line() -> None:
        for recording in waiting:
            heard.append(await call_one(url, recording))
            done()

    async with asyncio.TaskGroup() as group:
        for _ in range(sessions):
            group.create_task(one_line())
    return heard


async def call_one(url: str, recording: Recording) -> Heard:
    """Play one recording; it was acted on if an answer was begun. Raises CallFailed."""
    clip = Clip.of(recording.name, read_sound(recording, RATE))
    cue = Cue(clip, at=_LEAD_IN, label=recording.label)
    script = Script((cue,), patience=_PATIENCE, settle=0.3, manners=Manners(explains=True))
    return judge(recording, await call(url, script))


def judge(recording: Recording, record: Record) -> Heard:
    """What a finished call says about its recording."""
    answers = record.answers
    return Heard(recording, bool(answers), " ".join(answer.transcript for answer in answers))
