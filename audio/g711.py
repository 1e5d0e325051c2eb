"""G.711, the telephone's 8-bit codes: mu-law and A-law against float samples, by table.

Source: ITU-T G.711 (11/88), tables 1 and 2, in their usual 16-bit form.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from audio.frame import Samples
from audio.pcm import FULL_SCALE, quantise

Codes: TypeAlias = npt.NDArray[np.uint8]

_MU_BIAS = 132  # lifts every magnitude into a segment: 33 of 14-bit steps
_MU_CLIP = 32635
_A_TOGGLE = 0x55  # A-law inverts every second bit on the line


def _segments(magnitudes: npt.NDArray[np.int64], first: int) -> npt.NDArray[np.int64]:
    """Which of the eight segments, each twice as wide as the one before; `first` ends number 0."""
    edges = np.array([first << shift for shift in range(7)])
    return np.searchsorted(edges, magnitudes, side="right")


def _mu_encode_table() -> Codes:
    values = np.arange(-32768, 32768)
    magnitudes = np.minimum(np.abs(values), _MU_CLIP) + _MU_BIAS
    segments = _segments(magnitudes, 256)
    steps = (magnitudes >> (segments + 3)) & 0x0F
    signs = np.where(values < 0, 0x80, 0)
    codes: Codes = (~(signs | (segments << 4) | steps) & 0xFF).astype(np.uint8)
    return codes


def _mu_decode_table() -> Samples:
    codes = ~np.arange(256) & 0xFF
    segments, steps = (codes >> 4) & 7, codes & 0x0F
    magnitudes = (((steps << 3) + _MU_BIAS) << segments) - _MU_BIAS
    return _signed(magnitudes, codes & 0x80 != 0)


def _a_encode_table() -> Codes:
    values = np.arange(-32768, 32768)
    # One's complement below zero: A-law has no zero level, -1 lies in the first negative step.
    magnitudes = np.where(values < 0, ~values, values)
    segments = _segments(magnitudes, 256)
    steps = (magnitudes >> np.maximum(segments + 3, 4)) & 0x0F
    signs = np.where(values < 0, 0, 0x80)
    codes: Codes = ((signs | (segments << 4) | steps) ^ _A_TOGGLE).astype(np.uint8)
    return codes


def _a_decode_table() -> Samples:
    codes = np.arange(256) ^ _A_TOGGLE
    segments, steps = (codes >> 4) & 7, codes & 0x0F
    middles = (steps << 4) + 8
    magnitudes = np.where(segments == 0, middles, (middles + 256) << np.maximum(segments - 1, 0))
    return _signed(magnitudes, codes & 0x80 == 0)


def _signed(magnitudes: npt.NDArray[np.int64], negative: npt.NDArray[np.bool_]) -> Samples:
    values = np.where(negative, -magnitudes, magnitudes)
    return (values / FULL_SCALE).astype(np.float32)


_MU_ENCODE, _MU_DECODE = _mu_encode_table(), _mu_decode_table()
_A_ENCODE, _A_DECODE = _a_encode_table(), _a_decode_table()


def _encode(samples: Samples, table: Codes) -> bytes:
    return table[quantise(samples).astype(np.int32) + 32768].tobytes()


def _decode(data: bytes, table: Samples) -> Samples:
    return table[np.frombuffer(data, dtype=np.uint8)]


def encode_mu_law(samples: Samples) -> bytes:
    """n bytes of samples [n]."""
    return _encode(samples, _MU_ENCODE)


def decode_mu_law(data: bytes) -> Samples:
    """Samples [n] of n bytes."""
    return _decode(data, _MU_DECODE)


def encode_a_law(samples: Samples) -> bytes:
    """n bytes of samples [n]."""
    return _encode(samples, _A_ENCODE)


def decode_a_law(data: bytes) -> Samples:
    """Samples [n] of n bytes."""
    return _decode(data, _A_DECODE)
