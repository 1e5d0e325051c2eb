"""Frames are counted before they are parsed, wherever their bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from server.edge.frames import FrameCounter

SIZES = [0, 1, 125, 126, 127, 65_535, 65_536, 70_000]


def frame(size: int, opcode: Opcode = Opcode.TEXT, fin: bool = True) -> bytes:
    return Frame(opcode, bytes(size), fin).serialize(mask=True)


@pytest.mark.parametrize("size", SIZES)
def test_one_frame(size: int) -> None:
    whole = frame(size)
    assert FrameCounter().advance(whole, 1) == (len(whole), 1)
    assert FrameCounter().advance(whole * 3, 2) == (2 * len(whole), 2)
    assert FrameCounter().advance(whole, 0) == (0, 0)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_pieces_are_counted_like_the_whole(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.sampled_from(SIZES), min_size=1, max_size=8))
    kinds = data.draw(st.lists(st.sampled_from(list(Opcode)[:3]), min_size=8, max_size=8))
    sent = b"".join(frame(size, kind) for size, kind in zip(sizes, kinds, strict=False))
    counter, at, counted = FrameCounter(), 0, 0
    while at < len(sent):
        piece = sent[at : at + data.draw(st.integers(1, 30_000))]
        while piece:
            most = data.draw(st.integers(1, 3))
            end, begun = counter.advance(piece, most)
            assert begun <= most
            assert end == len(piece) or begun == most
            at, counted, piece = at + end, counted + begun, piece[end:]
    assert counted == len(sizes)
