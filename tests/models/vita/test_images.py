"""Tiling and frame sampling."""

from __future__ import annotations

import numpy as np

from models.vita.images import centre_crop, normalise, tile_grid, tiles
from tests.models.vita.golden import needs_golden, read


@needs_golden
def test_grids_are_those_of_the_table() -> None:
    for row in read("preprocess_tables.json")["tiling"]:
        columns, rows = tile_grid(row["w"], row["h"], row["max_num"])
        count = columns * rows + (columns * rows > 1)
        found = (columns, rows, count, count * 256)
        wanted = (row["cols"], row["rows"], row["tiles_incl_thumbnail"], row["llm_tokens"])
        assert found == wanted, row


def test_tiles_go_row_by_row_and_the_whole_comes_last() -> None:
    image = np.zeros((40, 80, 3), np.uint8)
    image[:, 40:] = 200
    found = tiles(image, most=2, side=40)
    assert found.shape == (3, 40, 40, 3)
    assert (found[0].max(), found[1].min()) == (0, 200)
    assert found[2].min() == 0
    assert found[2][:, -1].min() == 200


def test_a_frame_is_cropped_to_its_middle() -> None:
    frame = np.zeros((50, 100, 3), np.uint8)
    frame[:, 45:55] = 255
    found = centre_crop(frame, 50)
    assert found.shape == (50, 50, 3)
    assert found[25, 25].tolist() == [255, 255, 255]
    assert found[0, 0].tolist() == [0, 0, 0]


def test_pixels_are_normalised() -> None:
    white = normalise(np.full((1, 2, 2, 3), 255, np.uint8))
    assert white.shape == (1, 3, 2, 2)
    np.testing.assert_allclose(white[0, :, 0, 0], [2.2489, 2.4286, 2.64], atol=1e-3)
