"""Converts between the wire's audio formats and float samples, piece by piece."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from audio.frame import HEAR_RATE, SPEAK_RATE, TELEPHONE_RATE, Samples
from audio.g711 import decode_a_law, decode_mu_law, encode_a_law, encode_mu_law
from audio.pcm import Pcm16Reader, encode_pcm16
from audio.resample import Resampler, resample
from server.realtime.refusal import Refusal

INPUT_RATES = (8_000, 16_000, 24_000, 48_000)
_PIECE = 2**16  # letters of base64 that are decoded in one go; a multiple of 8
_BETA_NAMES = {"pcm16": "audio/pcm", "g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}


class AudioFormat(BaseModel):
    """`rate` is sent for PCM only, as the protocol does; G.711 is always 8 kHz."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    type: Literal["audio/pcm", "audio/pcmu", "audio/pcma"] = "audio/pcm"
    rate: int | None = None

    @property
    def samples_a_second(self) -> int:
        return self.rate or TELEPHONE_RATE

    def echo(self) -> dict[str, Any]:
        """As the session event shows it."""
        return self.model_dump(exclude_none=True)


PCM = AudioFormat(rate=SPEAK_RATE)


def _from_beta(value: Any) -> Any:
    """The beta protocol's bare names ("pcm16") stand for the objects of today."""
    return {"type": _BETA_NAMES.get(value, value)} if isinstance(value, str) else value


def _one_of(rates: tuple[int, ...]) -> AfterValidator:
    def check(value: AudioFormat) -> AudioFormat:
        if value.type != "audio/pcm":
            return AudioFormat(type=value.type)
        rate = value.rate or SPEAK_RATE
        if rate not in rates:
            raise ValueError(f"a rate of {' or '.join(map(str, rates))} is needed")
        return AudioFormat(rate=rate)

    return AfterValidator(check)


InputFormat = Annotated[AudioFormat, BeforeValidator(_from_beta), _one_of(INPUT_RATES)]
OutputFormat = Annotated[AudioFormat, BeforeValidator(_from_beta), _one_of((SPEAK_RATE,))]


def decode_base64(text: str, param: str) -> bytes:
    """The bytes of a base64 field. Raises Refusal, naming the field."""
    return b"".join(decode_pieces(text, param))


def decode_pieces(text: str, param: str) -> list[bytes]:
    """The bytes of a base64 field in pieces of a second or so of sound: no other thread waits long
    for a large field, and no second copy of all of it is made. Raises Refusal, naming the field."""
    pieces = (text[at : at + _PIECE] for at in range(0, len(text), _PIECE))
    try:
        if 0 <= text.find("=") < len(text) - 2:
            raise ValueError("padding before the end")
        return [base64.b64decode(piece, validate=True) for piece in pieces]
    except (binascii.Error, ValueError) as error:
        raise Refusal(f"Invalid base64 in '{param}': {error}.", param=param) from None


class SoundReader:
    """Makes samples at 16 kHz of what a client appends; an odd byte and the filter's history are
    kept from one piece to the next."""

    def __init__(self, form: AudioFormat) -> None:
        self.form = form
        self._pcm = Pcm16Reader()
        self._resampler = Resampler(form.samples_a_second, HEAR_RATE)

    def push(self, data: bytes) -> Samples:
        """Samples [n] at 16 kHz completed by these bytes."""
        return self._resampler.push(self._decode(data))

    @property
    def held(self) -> float:
        """Seconds of what was pushed that the resampling filter still holds."""
        return self._resampler.delay

    def flush(self) -> Samples:
        """What the resampling filter still holds, once no more sound will come."""
        return self._resampler.flush()

    def clear(self) -> None:
        """Drop a carried byte; the clock of the resampled stream goes on."""
        self._pcm.reset()

    def _decode(self, data: bytes) -> Samples:
        if self.form.type == "audio/pcm":
            return self._pcm.push(data)
        return decode_mu_law(data) if self.form.type == "audio/pcmu" else decode_a_law(data)


class SoundWriter:
    """Makes base64 in a client's format of one answer's samples at 24 kHz, piece by piece and
    without a click between the pieces."""

    def __init__(self, form: AudioFormat) -> None:
        self.form = form
        self._resampler = Resampler(SPEAK_RATE, form.samples_a_second)

    def push(self, samples: Samples) -> str:
        return _encoded(self._resampler.push(samples), self.form)

    def flush(self) -> str:
        """What the resampling filter still holds (2 to 4 ms), empty for PCM at 24 kHz."""
        return _encoded(self._resampler.flush(), self.form)


def encode_whole(samples: Samples, rate: int, form: AudioFormat) -> str:
    """A whole recording [n] as base64 in a format."""
    return _encoded(resample(samples, rate, form.samples_a_second), form)


def decode_whole(text: str, form: AudioFormat, param: str) -> Samples:
    """A whole recording in a format as samples [n] at 16 kHz. Raises Refusal."""
    reader = SoundReader(form)
    samples = reader.push(decode_base64(text, param))
    return np.concatenate((samples, reader.flush()))


def _encoded(samples: Samples, form: AudioFormat) -> str:
    encode = {
        "audio/pcm": encode_pcm16,
        "audio/pcmu": encode_mu_law,
        "audio/pcma": encode_a_law,
    }[form.type]
    return base64.b64encode(encode(samples)).decode("ascii")
