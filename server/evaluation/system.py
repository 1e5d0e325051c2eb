"""The full path, a server of our own in this process and calls to it."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from server.app import create_app
from server.call.caller import call
from server.call.command import WITH_WORDS
from server.call.conversation import CallFailed, ServerBusy
from server.call.record import CallRecord, Happening
from server.call.script import CallScript, ClientBehaviour, Cue
from server.call.timeline import RATE, TimelineClip
from server.config import ServerSettings
from server.evaluation.manifest import LabelledRecording, read_sound
from server.evaluation.scores import DIGIT, QUERY, EvaluatedClip
from server.serve import new_server
from server.service import Engine

TRANSCRIBED = "conversation.item.input_audio_transcription.completed"
_LEAD_IN = 0.3  # seconds of room before the clip
_PATIENCE = 4.5  # longer than an unfinished query is waited for
_NOTICED = 1.0  # seconds after which even a busy server has said that it heard a voice
GIVE_UP = 60.0  # seconds in which a busy server must take a call
_SHORTEST_PAUSE = 0.1  # seconds


@dataclass(slots=True)
class Outcome:
    """What came of the calls. `failed`: those that never got through or broke, and why."""

    heard: list[EvaluatedClip] = field(default_factory=list)
    failed: list[tuple[LabelledRecording, str]] = field(default_factory=list)


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
    url: str, recordings: Sequence[LabelledRecording], done: Callable[[], None], *, sessions: int
) -> Outcome:
    """One call for each recording, so many at a time, at playing speed."""
    waiting = iter(recordings)
    outcome = Outcome()

    async def one_line() -> None:
        for recording in waiting:
            try:
                outcome.heard.append(await call_one(url, recording))
            except CallFailed as failure:
                outcome.failed.append((recording, str(failure)))
            done()

    async with asyncio.TaskGroup() as group:
        for _ in range(sessions):
            group.create_task(one_line())
    return outcome


async def call_one(url: str, recording: LabelledRecording) -> EvaluatedClip:
    """Play one recording; it was acted on if an answer was begun. Raises CallFailed, also where
    the server was too busy for all of GIVE_UP seconds."""
    clip = TimelineClip.of(recording.name, read_sound(recording, RATE))
    cue = Cue(clip, at=_LEAD_IN, label=recording.label)
    script = CallScript(
        (cue,),
        patience=_PATIENCE,
        settle=0.3,
        behaviour=ClientBehaviour(explains=True, session=WITH_WORDS),
        enough=settles(recording, _LEAD_IN + clip.seconds),
    )
    return judge(recording, await _patiently(url, script))


async def _patiently(url: str, script: CallScript) -> CallRecord:
    """Make a call; a busy server is asked again when it says so, until patience ends."""
    until = time.monotonic() + GIVE_UP
    while True:
        try:
            return await call(url, script)
        except ServerBusy as busy:
            pause = max(busy.retry_after, _SHORTEST_PAUSE)
            if time.monotonic() + pause > until:
                raise
            await asyncio.sleep(pause)


def settles(
    recording: LabelledRecording, end: float
) -> Callable[[Sequence[Happening], float], bool]:
    """Whether all is known of a recording that ends at this second of the call: its answer has
    begun, where only that is asked, or neither side has anything to say any more."""
    is_read = recording.label in QUERY | DIGIT  # the answer's words count

    def enough(happenings: Sequence[Happening], now: float) -> bool:
        if not is_read and any(one.type == "response.created" for one in happenings):
            return True
        return now > end + _NOTICED and _is_quiet(happenings)

    return enough


def _is_quiet(happenings: Sequence[Happening]) -> bool:
    states = [one.event for one in happenings if one.type == "antiphon.state"]
    return not states or (states[-1]["user"], states[-1]["assistant"]) == ("silent", "listening")


def judge(recording: LabelledRecording, record: CallRecord) -> EvaluatedClip:
    """What a finished call says about its recording."""
    answers = record.answers
    words = [
        str(one.event.get("transcript", "")) for one in record.happenings if one.type == TRANSCRIBED
    ]
    said = " ".join(answer.transcript for answer in answers)
    return EvaluatedClip(recording, bool(answers), said, " ".join(words).strip())
