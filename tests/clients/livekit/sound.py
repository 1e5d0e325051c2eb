"""A microphone and a loudspeaker for an AgentSession that is in no room."""

from __future__ import annotations

import asyncio
import time

from livekit import rtc
from livekit.agents.voice import io
from report import FRAME, RATE


class Microphone(io.AudioInput):
    """Gives what was put into it at playing speed, and silence in between."""

    def __init__(self) -> None:
        super().__init__(label="recordings")
        self._waiting = bytearray()
        self._due = 0.0

    def put(self, pcm: bytes) -> None:
        self._waiting += pcm

    async def __anext__(self) -> rtc.AudioFrame:
        now = time.monotonic()
        self._due = max(self._due + 0.02, now)
        await asyncio.sleep(self._due - now)
        piece = bytes(self._waiting[:FRAME])
        del self._waiting[:FRAME]
        piece += bytes(FRAME - len(piece))
        return rtc.AudioFrame(piece, RATE, 1, FRAME // 2)


class Loudspeaker(io.AudioOutput):
    """Plays nothing, but takes as long as playing would."""

    def __init__(self) -> None:
        super().__init__(
            label="clock", capabilities=io.AudioOutputCapabilities(pause=False), sample_rate=RATE
        )
        self._began: float | None = None
        self._length = 0.0
        self._ending: asyncio.Task[None] | None = None

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        if self._began is None:
            self._began, self._length = time.monotonic(), 0.0
            self.on_playback_started(created_at=time.time())
        self._length += frame.duration

    def flush(self) -> None:
        super().flush()
        if self._began is not None:
            self._ending = asyncio.create_task(self._end_when_played())

    async def _end_when_played(self) -> None:
        assert self._began is not None
        await asyncio.sleep(max(0.0, self._began + self._length - time.monotonic()))
        self._finish(interrupted=False)

    def clear_buffer(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
        if self._began is not None:
            self._finish(interrupted=True)

    def _finish(self, *, interrupted: bool) -> None:
        assert self._began is not None
        played = min(self._length, time.monotonic() - self._began)
        self._began = self._ending = None
        self.on_playback_finished(playback_position=played, interrupted=interrupted)
