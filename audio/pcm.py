"""16-bit little-endian PCM against float samples; half a sample is carried to the next chunk."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from audio.frame import Samples

FULL_SCALE = 32768.0


def decode_pcm16(data: bytes) -> Samples:
    """Samples [n] of 2n bytes. Raises ValueError on an odd number of bytes."""
    return np.frombuffer(data, dtype="<i2").astype(np.float32) / np.float32(FULL_SCALE)


def quantise(samples: Samples) -> npt.NDArray[np.int16]:
    """Nearest 16-bit values [n]; what is too loud is clipped. Decoded PCM comes back bit-equal."""
    scaled = np.rint(samples * np.float32(FULL_SCALE))
    values: npt.NDArray[np.int16] = np.clip(scaled, -32768.0, 32767.0).astype(np.int16)
    return values


def encode_pcm16(samples: Samples) -> bytes:
    """2n bytes of samples [n]."""
    return quantise(samples).astype("<i2", copy=False).tobytes()


class Pcm16Reader:
    """Turns a stream of bytes, cut anywhere, into samples."""

    def __init__(self) -> None:
        self._carried = b""

    def push(self, data: bytes) -> Samples:
        """Samples completed by these bytes; an odd last byte waits for its other half."""
        data = self._carried + data
        whole = len(data) - len(data) % 2
        self._carried = data[whole:]
        return decode_pcm16(data[:whole])

    def reset(self) -> None:
        """Forget a carried byte (the client cleared its buffer)."""
        self._carried = b""
