"""G.711 against published values, against itself, and against audioop where Python has it."""

import importlib
import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest

from audio.frame import Samples
from audio.g711 import decode_a_law, decode_mu_law, encode_a_law, encode_mu_law
from audio.pcm import decode_pcm16, quantise

Encode: TypeAlias = Callable[[Samples], bytes]
Decode: TypeAlias = Callable[[bytes], Samples]
LAWS = [
    pytest.param(encode_mu_law, decode_mu_law, "ulaw", id="mu"),
    pytest.param(encode_a_law, decode_a_law, "alaw", id="A"),
]
EVERY_CODE = bytes(range(256))
EVERY_VALUE = np.arange(-32768, 32768).astype("<i2").tobytes()


@pytest.mark.parametrize(
    ("decode", "code", "expected"),
    [
        (decode_mu_law, 0x00, -32124),
        (decode_mu_law, 0x80, 32124),
        (decode_mu_law, 0x7F, 0),
        (decode_mu_law, 0xFF, 0),
        (decode_mu_law, 0xF0, 120),
        (decode_a_law, 0x2A, -32256),
        (decode_a_law, 0xAA, 32256),
        (decode_a_law, 0x55, -8),
        (decode_a_law, 0xD5, 8),
    ],
)
def test_known_codes(decode: Decode, code: int, expected: int) -> None:
    assert quantise(decode(bytes([code]))).tolist() == [expected]


@pytest.mark.parametrize(("encode", "decode", "_name"), LAWS)
def test_every_level_comes_back(encode: Encode, decode: Decode, _name: str) -> None:
    levels = decode(EVERY_CODE)
    assert np.array_equal(decode(encode(levels)), levels)


@pytest.mark.parametrize(("encode", "decode", "_name"), LAWS)
def test_the_error_stays_within_half_a_step(encode: Encode, decode: Decode, _name: str) -> None:
    samples = decode_pcm16(EVERY_VALUE)
    error = np.abs(decode(encode(samples)) - samples)
    # A step is at most 1/16 of its segment's lower edge, and 16 near zero (mu-law: 132 lower).
    assert (error <= (np.abs(samples) + 256 / 32768) / 32 + 1e-7)[644:-644].all()
    assert error.max() < 0.021  # mu-law clips the last 644 values


@pytest.mark.parametrize(("encode", "decode", "name"), LAWS)
def test_equal_to_audioop(encode: Encode, decode: Decode, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            audioop: Any = importlib.import_module("audioop")
        except ModuleNotFoundError:
            pytest.skip("this Python has no audioop")
    # audioop's mu-law rounds toward minus infinity from 16 to 14 bits: values of whole steps agree.
    values = np.arange(-8192, 8192) * 4
    expected = getattr(audioop, f"lin2{name}")(values.astype("<i2").tobytes(), 2)
    assert encode(decode_pcm16(values.astype("<i2").tobytes())) == expected
    expected = getattr(audioop, f"{name}2lin")(EVERY_CODE, 2)
    assert quantise(decode(EVERY_CODE)).astype("<i2").tobytes() == expected
