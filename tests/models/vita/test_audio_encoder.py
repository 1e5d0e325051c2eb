"""Encoder and adapter: equal to the reference, and streaming equal to one-shot."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from models.vita.adapter import AudioTower
from models.vita.audio_encoder import encoder_frames
from models.vita.config import AdapterConfig, AudioEncoderConfig
from tests.models.vita.golden import assert_close, expected, needs_golden, read, weights

TINY = AudioEncoderConfig(width=32, layers=2, heads=4, feed_forward=64)
NANO = replace(TINY, chunk=4, left_chunks=2, position="rotary", subsampling_channels=8, letters=5)


def golden_tower(config: AudioEncoderConfig) -> AudioTower:
    tower = AudioTower(config, AdapterConfig(width=64), 48)
    tower.load_state_dict(weights("model.audio_encoder."))
    return tower.eval().requires_grad_(False)


def own_tower(config: AudioEncoderConfig) -> AudioTower:
    torch.manual_seed(7)
    tower = AudioTower(config, AdapterConfig(width=64, padding="left"), 48)
    for parameter in tower.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return tower.eval().requires_grad_(False)


@needs_golden
@pytest.mark.parametrize(
    ("config", "name"),
    [
        (TINY, "audio.encoder_out"),
        (replace(TINY, chunk=4, left_chunks=2), "audio.encoder_out_chunk4_left2"),
    ],
)
def test_frames_are_those_of_the_reference(config: AudioEncoderConfig, name: str) -> None:
    wanted = expected("vita15_tiny")
    frames, counts = golden_tower(config).encoder(
        wanted["audio.batch_fbank"], wanted["audio.batch_lengths"]
    )
    assert counts.tolist() == wanted["audio.encoder_mask"].sum((1, 2)).tolist()
    for row, count in enumerate(counts.tolist()):
        assert_close(frames[row, :count], wanted[name][row, :count])


@needs_golden
def test_normalisation_subsampling_and_adapter_are_those_of_the_reference() -> None:
    wanted = expected("vita15_tiny")
    tower, features = golden_tower(TINY), wanted["audio.batch_fbank"]
    assert_close(tower.encoder.global_cmvn(features)[0], wanted["audio.cmvn"][0])
    assert_close(tower.encoder.subsample(features)[0], wanted["audio.subsampled"][0])
    vectors, counts = tower(features, wanted["audio.batch_lengths"])
    assert counts.tolist() == wanted["audio.adapter_mask"].sum(1).tolist()
    for row, count in enumerate(counts.tolist()):
        assert_close(vectors[row, :count], wanted["audio.adapter_out"][row, :count])


@needs_golden
def test_token_counts_are_those_of_the_table() -> None:
    for row in read("preprocess_tables.json")["audio_tokens"]:
        frames = int(encoder_frames(torch.tensor(row["fbank_frames"])))
        assert (frames, (frames + 1) // 2) == (row["subsampled"], row["llm_tokens_hf"])


def streamed(tower: AudioTower, features: Tensor) -> tuple[Tensor, Tensor]:
    """All whole chunks and the partial one behind them: frames, vectors."""
    cache, frames, vectors = tower.start(), [], []
    size, hop = tower.config.chunk_features, 16
    for start in range(0, features.shape[1], hop):
        part = features[:, start : start + size]
        count = int(encoder_frames(torch.tensor(part.shape[1])))
        if count == 0:
            break
        valid = torch.tensor([part.shape[1]])
        padded = functional.pad(part, (0, 0, 0, size - part.shape[1]))
        out, inner, cache = tower.step(padded, valid, cache)
        frames.append(inner[:, :count])
        vectors.append(out[:, : (count + 1) // 2])
    return torch.cat(frames, 1), torch.cat(vectors, 1)


@pytest.mark.parametrize("position", ["rotary", "unshifted"])
@pytest.mark.parametrize("length", [10, 19, 35, 90, 203])
def test_a_stream_equals_one_shot(position: Literal["rotary", "unshifted"], length: int) -> None:
    tower = own_tower(replace(NANO, position=position))
    features = torch.randn(1, length, 80)
    lengths = torch.tensor([length])
    frames, vectors = streamed(tower, features)
    torch.testing.assert_close(frames, tower.encoder(features, lengths)[0], atol=1e-4, rtol=0)
    torch.testing.assert_close(vectors, tower(features, lengths)[0], atol=1e-4, rtol=0)


def test_padding_of_a_batch_changes_nothing() -> None:
    tower = own_tower(NANO)
    features = torch.randn(2, 120, 80)
    together, counts = tower(features, torch.tensor([120, 61]))
    alone, _ = tower(features[1:, :61], torch.tensor([61]))
    torch.testing.assert_close(together[1, : counts[1]], alone[0], atol=1e-5, rtol=0)


def test_rotary_positions_are_relative() -> None:
    """The same chunk after other pasts of equal content gives the same frames."""
    tower = own_tower(replace(NANO, left_chunks=0))
    chunk, valid = torch.randn(1, 19, 80), torch.tensor([19])
    _, first, cache = tower.step(chunk, valid, tower.start())
    _, second, _ = tower.step(chunk, valid, cache)
    torch.testing.assert_close(first, second, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("audio", "padding"), [(TINY, "left"), (replace(TINY, chunk=4), "right")])
def test_what_looks_ahead_cannot_stream(audio: AudioEncoderConfig, padding: str) -> None:
    adapter = AdapterConfig(width=64, padding="left" if padding == "left" else "right")
    with pytest.raises(ValueError, match="cannot stream"):
        AudioTower(audio, adapter, 48).start()
