"""What a drawn picture shows, as plain data; drawing.py makes the pixels of it."""

from __future__ import annotations

from dataclasses import dataclass

SHAPES = ("circle", "square", "triangle", "star")
COLOURS = ("red", "green", "blue", "yellow", "orange", "purple", "black", "white")
MOST = 5  # shapes in one picture


@dataclass(frozen=True, slots=True)
class PictureScene:
    """`count` shapes of one kind and colour, or, with an empty `shape`, one `digit`. The seed
    chooses all that no question asks for: places, sizes, background, fonts, blemishes."""

    shape: str
    colour: str
    count: int = 1
    digit: int = 0
    seed: int = 0
