"""The caller's room: a real microphone and a real loudspeaker in place of files."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from audio.frame import EMPTY, Samples
from server.call.conversation import CallFailed, CallMachine
from server.call.timeline import FRAME, RATE, TimelineClip
from server.extras import needed
from server.faults import one_line

# Seconds between a piece of the microphone and its place in the call: what the device may be late,
# and what is put right where its clock is faster than ours.
_AHEAD, _MOST_AHEAD = 0.04, 0.3


class SoundDevices:
    """Carries sound between a Call and the machine's devices.

    The device thread only touches the two buffers here; `exchange` moves them on the event loop.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heard: Samples = EMPTY
        self._heard_until = 0.0  # seconds of the call that the microphone has filled
        self._next = 0  # first sample of the speaker's line that was not handed out
        self._ready: Samples = EMPTY

    def exchange(self, call: CallMachine, now: float) -> None:
        """Put what was heard on the call's time line and take what is to be played. One piece of
        the microphone joins the next, however late it is fetched."""
        edge = round(now * RATE)
        sound = call.speaker.read(self._next, max(0, edge + 2 * FRAME - self._next))
        with self._lock:
            heard, self._heard = self._heard, EMPTY
            # Never more than 80 ms ahead: a flush must be heard at once.
            self._ready = np.concatenate((self._ready, sound))[-4 * FRAME :]
        self._next = edge + 2 * FRAME
        if len(heard):
            call.timeline.placed = [one for one in call.timeline.placed if one.end > now - 1.0]
            if not now <= self._heard_until <= now + _MOST_AHEAD:
                self._heard_until = now + _AHEAD
            call.timeline.place(TimelineClip("microphone", heard, None), self._heard_until)
            self._heard_until += len(heard) / RATE

    def callback(self, heard: Any, played: Any, frames: int, *_: object) -> None:
        """sounddevice's callback: `heard` and `played` are [frames, 1] float32."""
        with self._lock:
            self._heard = np.concatenate((self._heard, heard[:, 0]))
            count = min(frames, len(self._ready))
            played[:count, 0] = self._ready[:count]
            self._ready = self._ready[count:]
        played[count:, 0] = 0.0


def check_devices() -> None:
    """Raises CallFailed where there is nothing to hear or to play with, ModuleNotFoundError
    without the `microphone` extra."""
    try:
        import sounddevice
    except OSError:
        raise CallFailed(f"--microphone needs {needed('microphone')}") from None
    for kind, what in (("input", "microphone"), ("output", "loudspeaker")):
        try:
            sounddevice.query_devices(kind=kind)
        except (ValueError, sounddevice.PortAudioError):
            message = f"no {what} was found; connect one, or choose one in the system's settings"
            raise CallFailed(message) from None


@contextmanager
def devices() -> Iterator[SoundDevices]:
    """The default microphone and speaker at 24 kHz. Raises CallFailed where they cannot be
    opened; see check_devices for the rest."""
    import sounddevice

    link = SoundDevices()
    try:
        stream = sounddevice.Stream(
            samplerate=RATE, channels=1, dtype="float32", blocksize=FRAME, callback=link.callback
        )
    except sounddevice.PortAudioError as error:
        said = one_line(error)
        raise CallFailed(f"the sound devices cannot be opened at {RATE} Hz: {said}") from error
    with stream:
        yield link
