"""Pictures of scenes, each with its own places, sizes, background, font, flaws."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from models.training.skills.scene import PictureScene

Pixels = npt.NDArray[np.uint8]  # [height, width, 3], RGB
Colour = tuple[int, int, int]
Point = tuple[float, float]

PAINT: dict[str, Colour] = {
    "red": (215, 30, 35), "green": (35, 150, 60), "blue": (35, 75, 210), "yellow": (245, 220, 40),
    "orange": (245, 135, 25), "purple": (130, 45, 165), "black": (20, 20, 22),
    "white": (247, 247, 247),
}  # fmt: skip
FONTS = (
    "DejaVuSans-Bold", "DejaVuSans", "DejaVuSansMono-Bold", "DejaVuSerif-Bold", "DejaVuSerif",
    "DejaVuSans-BoldOblique", "STIXGeneralBol", "cmb10", "cmss10",
)  # fmt: skip
_CONTRAST = 130.0  # least distance of paint and background


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture, where its objects are (`mask` [height, width], 255 inside them), and the middles
    of those as shares of width and height."""

    pixels: Pixels
    mask: npt.NDArray[np.uint8]
    centres: tuple[Point, ...]


def draw(scene: PictureScene) -> Drawing:
    """The picture of a scene, 72 to 150 pixels high; the same scene is always the same picture."""
    random = Random(scene.seed * 31 + scene.count)
    height = random.randrange(72, 150)
    width = round(height * random.uniform(0.75, 1.5))
    paint = _varied(random, PAINT[scene.colour], 14)
    canvas, mask = _background(random, width, height, paint), Image.new("L", (width, height))
    places = _draw_shapes(random, mask, scene) if scene.shape else _draw_digit(random, mask, scene)
    canvas.paste(paint, (0, 0), mask)
    centres = tuple((x / width, y / height) for x, y in places)
    return Drawing(_blemished(random, canvas), np.asarray(mask), centres)


def _varied(random: Random, colour: Colour, by: int) -> Colour:
    red, green, blue = (min(255, max(0, part + random.randint(-by, by))) for part in colour)
    return red, green, blue


def _distance(one: Colour, other: Colour) -> float:
    return math.dist(one, other)


def _background(random: Random, width: int, height: int, paint: Colour) -> Image.Image:
    """One grey or pale tone, or a gradient of two, well apart from the paint."""
    tones: list[Colour] = []
    while len(tones) < 2:
        level = random.randrange(256)
        tone = _varied(random, (level, level, level), random.choice((4, 12, 30)))
        if _distance(tone, paint) > _CONTRAST:
            tones.append(tone)
    plain = Image.new("RGB", (width, height), tones[0])
    if random.random() < 0.5 or _distance(*tones) > 150:  # a far tone may lead through the paint's
        return plain
    first, second = np.array(tones, np.float32)
    angle = random.uniform(0, 2 * math.pi)
    across = np.linspace(-0.7, 0.7, width, dtype=np.float32) * math.cos(angle)
    down = np.linspace(-0.7, 0.7, height, dtype=np.float32) * math.sin(angle)
    share = np.clip(across[None] + down[:, None] + 0.5, 0, 1)[:, :, None]
    return Image.fromarray((first * (1 - share) + second * share).astype(np.uint8))


# ------------------------------------------------------------------------------------ shapes


def _draw_shapes(random: Random, mask: Image.Image, scene: PictureScene) -> list[Point]:
    """Gives the centres."""
    pen, places = ImageDraw.Draw(mask), _places(random, mask.size, scene.count)
    for (x, y), radius in places:
        turn = random.uniform(-0.3, 0.3)
        pen.polygon(_OUTLINES[scene.shape](x, y, radius, turn), fill=255)
    return [centre for centre, _ in places]


def _places(random: Random, size: tuple[int, int], count: int) -> list[tuple[Point, float]]:
    """Centres and radii that keep clear of each other and of the edges."""
    least, most = ((0.16, 0.42), (0.14, 0.24), (0.13, 0.21), (0.12, 0.18), (0.12, 0.17))[count - 1]
    while True:
        found: list[tuple[Point, float]] = []
        alike = random.uniform(least, most) if random.random() < 0.5 else None
        for _ in range(60):
            radius = (alike or random.uniform(least, most)) * min(size)
            centre = tuple(random.uniform(radius, side - radius) for side in size)
            point = (centre[0], centre[1])
            if all(math.dist(point, at) > (radius + other) * 1.12 for at, other in found):
                found.append((point, radius))
            if len(found) == count:
                return found


def _corners(x: float, y: float, turn: float, radii: list[float]) -> list[Point]:
    step = 2 * math.pi / len(radii)
    angles = [turn - math.pi / 2 + place * step for place in range(len(radii))]
    return [
        (x + radius * math.cos(angle), y + radius * math.sin(angle))
        for angle, radius in zip(angles, radii, strict=True)
    ]


def _circle(x: float, y: float, radius: float, turn: float) -> list[Point]:
    return _corners(x, y, turn, [radius] * 40)


def _square(x: float, y: float, radius: float, turn: float) -> list[Point]:
    return _corners(x, y, turn + math.pi / 4, [radius] * 4)


def _triangle(x: float, y: float, radius: float, turn: float) -> list[Point]:
    return _corners(x, y, turn, [radius] * 3)


def _star(x: float, y: float, radius: float, turn: float) -> list[Point]:
    return _corners(x, y, turn, [radius, 0.42 * radius] * 5)


_OUTLINES: dict[str, Callable[[float, float, float, float], list[Point]]] = {
    "circle": _circle, "square": _square, "triangle": _triangle, "star": _star,
}  # fmt: skip


# ------------------------------------------------------------------------------------- digits


@cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    import matplotlib

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf" / f"{name}.ttf", size)


def _draw_digit(random: Random, mask: Image.Image, scene: PictureScene) -> list[Point]:
    """Upright or a little turned, in any of the fonts; gives its middle."""
    digit = str(scene.digit)
    size = round(min(mask.size) * random.uniform(0.6, 1.1) / 4) * 4
    font = _font(random.choice(FONTS), size)
    left, top, right, bottom = font.getbbox(digit)
    sheet = Image.new("L", (round(right - left) + 8, round(bottom - top) + 8))
    ImageDraw.Draw(sheet).text((4 - left, 4 - top), digit, fill=255, font=font)
    sheet = sheet.rotate(random.uniform(-10, 10), Image.Resampling.BICUBIC, expand=True)
    corner = [
        round(random.uniform(0, max(0, side - own)))
        for side, own in zip(mask.size, sheet.size, strict=True)
    ]
    mask.paste(sheet, (corner[0], corner[1]))
    return [(corner[0] + sheet.width / 2, corner[1] + sheet.height / 2)]


# ---------------------------------------------------------------------------------- blemishes


def _blemished(random: Random, canvas: Image.Image) -> Pixels:
    """Blur, light, noise and the traces of JPEG, each now and then."""
    if random.random() < 0.3:
        canvas = canvas.filter(ImageFilter.GaussianBlur(random.uniform(0.3, 1.0)))
    pixels = np.asarray(canvas, np.float32)
    pixels = pixels * np.float32(random.uniform(0.85, 1.08)) + np.float32(random.uniform(-12, 12))
    if random.random() < 0.5:
        noise = np.random.default_rng(random.randrange(2**31))
        grain = noise.standard_normal(pixels.shape, np.float32)
        pixels += grain * np.float32(random.uniform(2, 14))
    result = np.clip(pixels, 0, 255).astype(np.uint8)
    if random.random() < 0.4:
        stored = io.BytesIO()
        Image.fromarray(result).save(stored, "JPEG", quality=random.randrange(35, 92))
        result = np.asarray(Image.open(stored).convert("RGB"))
    return result
