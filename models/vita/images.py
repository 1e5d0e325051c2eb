"""Images and video frames as the vision tower takes them: tiles, crops, normalised pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]  # [height, width, 3], RGB
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
MOST_TILES = 12


def tile_grid(width: int, height: int, most: int = MOST_TILES, side: int = 448) -> tuple[int, int]:
    """(columns, rows) of at most `most` tiles, nearest to the image's own shape.

    Of two equally near grids the larger wins only if the image fills more than half of it.
    """
    grids = [(c, r) for c in range(1, most + 1) for r in range(1, most + 1) if c * r <= most]
    grids.sort(key=lambda grid: grid[0] * grid[1])
    shape, best, nearest = width / height, (1, 1), float("inf")
    for columns, rows in grids:
        distance = abs(shape - columns / rows)
        fills = width * height > 0.5 * side * side * columns * rows
        if distance < nearest or (distance == nearest and fills):
            best, nearest = (columns, rows), distance
    return best


def tiles(pixels: Pixels, most: int = MOST_TILES, side: int = 448) -> Pixels:
    """[n, side, side, 3]: the tiles row by row, and the whole image behind them if there are
    several."""
    image = Image.fromarray(pixels)
    columns, rows = tile_grid(image.width, image.height, most, side)
    wide = image.resize((side * columns, side * rows), Image.Resampling.BICUBIC)
    parts = [
        wide.crop((c * side, r * side, (c + 1) * side, (r + 1) * side))
        for r in range(rows)
        for c in range(columns)
    ]
    if len(parts) > 1:
        parts.append(image.resize((side, side), Image.Resampling.BICUBIC))
    return np.stack([np.asarray(part) for part in parts])


def centre_crop(pixels: Pixels, side: int = 448) -> Pixels:
    """[side, side, 3]: the shorter edge becomes `side`, then the middle is kept (video frames)."""
    image = Image.fromarray(pixels)
    scale = side / min(image.size)
    size = tuple(max(side, round(edge * scale)) for edge in image.size)
    wide = image.resize((size[0], size[1]), Image.Resampling.BICUBIC)
    left, top = (wide.width - side) // 2, (wide.height - side) // 2
    return np.asarray(wide.crop((left, top, left + side, top + side)))


def normalise(pixels: Pixels) -> npt.NDArray[np.float32]:
    """[n, h, w, 3] uint8 -> [n, 3, h, w], ImageNet mean and deviation."""
    scaled = (pixels.astype(np.float32) / 255 - MEAN) / DEVIATION
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))
