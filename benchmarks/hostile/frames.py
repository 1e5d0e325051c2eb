"""Frames that are right, odd or wrong, with the close codes that are right answers to them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from random import Random

from websockets.frames import Close, Frame, Opcode

_CLEAR = b'{"type": "input_audio_buffer.clear"}'
OPEN = frozenset[int]()


@dataclass(frozen=True, slots=True)
class FrameForm:
    """Bytes to send; `closes`: the codes with which the server may close (none: it must not)."""

    name: str
    data: bytes
    closes: frozenset[int] = OPEN


def _frame(data: bytes, opcode: Opcode = Opcode.TEXT, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


def _pieces(random: Random) -> bytes:
    sizes = [random.randrange(4) for _ in range(60)]
    out, at = [], 0
    for number, size in enumerate(sizes):
        opcode = Opcode.CONT if number else Opcode.TEXT
        out.append(_frame(_CLEAR[at : at + size], opcode, fin=False))
        at += size
        if random.random() < 0.2:
            out.append(_frame(os.urandom(random.randrange(126)), Opcode.PING))
    return b"".join((*out, _frame(_CLEAR[at:], Opcode.CONT)))


def form(random: Random) -> FrameForm:
    """One of every kind, drawn by chance."""
    broken, gone = frozenset({1002}), frozenset({1000, 1001, 1002, 1005})
    return random.choice(
        (
            FrameForm("fragments with pings between", _pieces(random)),
            FrameForm("empty text", _frame(b"")),
            FrameForm("binary", _frame(os.urandom(random.randrange(2_000)), Opcode.BINARY)),
            FrameForm("ping", _frame(os.urandom(random.randrange(126)), Opcode.PING)),
            FrameForm("pings", _frame(b"", Opcode.PING) * random.randrange(1, 3_000)),
            FrameForm("unasked pong", _frame(os.urandom(8), Opcode.PONG)),
            FrameForm("empty fragments", _fragments(random.randrange(1, 4_000))),
            FrameForm("too many fragments", _fragments(6_000), frozenset({1008})),
            FrameForm("no UTF-8", _frame(b"\xff\xfe\xfd"), frozenset({1007})),
            FrameForm("reserved bits", b"\xf1" + _frame(_CLEAR)[1:], broken),
            FrameForm("unknown opcode", b"\x83" + _frame(_CLEAR)[1:], broken),
            FrameForm("without a mask", Frame(Opcode.TEXT, _CLEAR).serialize(mask=False), broken),
            FrameForm("a long ping", b"\x89\xfe\x00\x80" + bytes(4 + 128), broken),
            FrameForm("a ping in pieces", b"\x09\x80" + bytes(4), broken),
            FrameForm("a continuation of nothing", _frame(b"x", Opcode.CONT), broken),
            FrameForm("a text within a text", _frame(b"{", fin=False) + _frame(b"{"), broken),
            FrameForm(
                "larger than may be",
                b"\x81\xff" + (2**40).to_bytes(8) + bytes(4),
                frozenset({1009}),
            ),
            FrameForm("a close", _frame(Close(1000, "").serialize(), Opcode.CLOSE), gone),
            FrameForm("a close of one byte", _frame(b"\x03", Opcode.CLOSE), broken),
            FrameForm("a close with no code", _frame(b"\x03\x00", Opcode.CLOSE), broken),
        )
    )


def _fragments(count: int) -> bytes:
    whole = _frame(b"", fin=False) + _frame(b"", Opcode.CONT, fin=False) * count
    return whole + _frame(_CLEAR, Opcode.CONT)
