"""Nano's audio tower hears the same in chunks as at once."""

from __future__ import annotations

import pytest
import torch

from models.vita.config import AdapterConfig, AudioEncoderConfig
from models.vita.spelled_tower import SpelledTower


def tower() -> SpelledTower:
    torch.manual_seed(0)
    audio = AudioEncoderConfig(
        width=16, layers=2, heads=2, feed_forward=32, subsampling_channels=4, chunk=4,
        left_chunks=2, position="rotary", letters=5,
    )  # fmt: skip
    return SpelledTower(audio, AdapterConfig(width=16, padding="left"), 12).eval()


@torch.no_grad()
def test_stream_equals_whole() -> None:
    made, features = tower(), torch.randn(1, 16 * 6 + 3, 80)
    whole, _ = made(features, torch.tensor([features.shape[1]]))
    cache, parts = made.start(), []
    for chunk in range(6):
        piece = features[:, 16 * chunk : 16 * chunk + 19]
        vectors, _, cache = made.step(piece, torch.tensor([19]), cache)
        parts.append(vectors)
    assert torch.allclose(torch.cat(parts, 1), whole, atol=1e-5)


@torch.no_grad()
def test_letters_reach_the_adapter() -> None:
    made, frames = tower(), torch.randn(1, 8, 16)
    before = made.blend(frames)
    made.spelled.weight += 1.0
    assert not torch.allclose(made.blend(frames), before)


def test_needs_letters() -> None:
    with pytest.raises(ValueError, match="letter head"):
        SpelledTower(
            AudioEncoderConfig(width=16, layers=1, heads=2, feed_forward=16), AdapterConfig(), 8
        )
