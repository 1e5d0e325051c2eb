"""A second voice in the codes of the first: those of the first stay, both are decoded better."""

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("pyworld")

from models.training.codec_joining import JoiningOptions, join
from models.training.speech_samples import load_codec
from models.vita.nano_codec import NanoCodec
from tests.models.training.test_speech_training import reading, write


def test_the_first_voice_keeps_its_codes(tmp_path: Path) -> None:
    torch.manual_seed(1)
    english, mandarin = tmp_path / "train", tmp_path / "mandarin"
    write(english, [reading(seed=1)])
    write(mandarin, [reading(seed=2)])
    files = tmp_path / "codec.pt", tmp_path / "codec-mandarin.pt"
    before = NanoCodec()
    before.start_codebook(before.encoder(torch.randn(8, 480, 53)).detach().flatten(0, 1))
    torch.save(before.state_dict(), files[0])
    join(files[0], (english, mandarin), files, JoiningOptions(steps=3, batch=1, crop=20))
    first, second = load_codec(files[0]), load_codec(files[1])
    features = torch.randn(2, 60, 53)
    torch.testing.assert_close(first.encode(features), before.encode(features))
    torch.testing.assert_close(first.codebook, before.codebook)
    for name, weight in second.decoder.state_dict().items():
        torch.testing.assert_close(first.decoder.state_dict()[name], weight)
    moved = [
        (a != b).any()
        for a, b in zip(first.encoder.parameters(), second.encoder.parameters(), strict=True)
    ]
    assert any(moved)
    assert np.isfinite(first.decode(first.encode(features)).detach().numpy()).all()
