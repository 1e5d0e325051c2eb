"""Espeak-ng on this machine, as a process for each sentence."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator

from audio.pcm import Pcm16Reader
from audio.resample import Resampler
from models.base import SPEAK_RATE, AnswerUnavailable, InstanceFailed, Samples

PROGRAM = "espeak-ng"
_HEADER = 44  # bytes of its WAV header; the lengths in it are not set when it writes to a pipe
_RATE_AT = 24  # where the header has the sampling rate
_PIECE = 8_192  # bytes
_WORDS_A_MINUTE, _SLOWEST, _FASTEST = 175, 80, 450  # its own default and its limits


class EspeakSynthesizer:
    """A models.base.Synthesizer. The text goes in by standard input, so it is never an option."""

    def __init__(self, voice: str = "en") -> None:
        self.voice = voice
        path = shutil.which(PROGRAM)
        if path is None:
            raise InstanceFailed(f"{PROGRAM} is not installed")
        self._command = (path, "--stdin", "--stdout", "-b", "1", "-v", voice)

    async def synthesize(self, text: str, speed: float = 1.0) -> AsyncGenerator[Samples, None]:
        """Sound of one sentence at 24 kHz, in pieces; speeds of 0.46 to 2.57 can be had, others
        are the nearest of these. Raises AnswerUnavailable."""
        pipe = asyncio.subprocess.PIPE
        words = min(max(round(_WORDS_A_MINUTE * speed), _SLOWEST), _FASTEST)
        process = await asyncio.create_subprocess_exec(
            *self._command,
            "-s",
            str(words),
            stdin=pipe,
            stdout=pipe,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(text.encode())
            process.stdin.write_eof()
            async for samples in _pieces(process.stdout):
                yield samples
            if await process.wait() != 0:
                raise AnswerUnavailable(f"{PROGRAM} failed with voice {self.voice!r}")
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def _pieces(stream: asyncio.StreamReader) -> AsyncGenerator[Samples, None]:
    try:
        header = await stream.readexactly(_HEADER)
    except asyncio.IncompleteReadError:
        return  # it said nothing; the exit status tells why
    rate = int.from_bytes(header[_RATE_AT : _RATE_AT + 4], "little")
    reader, resampler = Pcm16Reader(), Resampler(rate, SPEAK_RATE)
    while data := await stream.read(_PIECE):
        yield resampler.push(reader.push(data))
    yield resampler.flush()
