"""Codes to features and samples: a stream equals the one-shot decode; the codebook follows."""

import numpy as np
import numpy.typing as npt
import pytest
import torch

from models.vita.code_stream import EDGE, LEFT, RIGHT, SAMPLES_PER_CODE, CodeStream
from models.vita.nano_codec import CODES, NanoCodec
from models.vita.vocoder import FEATURES, FRAMES_PER_CODE


@pytest.fixture(scope="module")
def codec() -> NanoCodec:
    torch.manual_seed(3)
    codec = NanoCodec().eval()
    codec.decoder.mean[:] = -8.0
    codec.decoder.mean[-2] = 7.5  # 180 Hz
    return codec


def run(codec: NanoCodec, codes: list[int], portions: list[int]) -> npt.NDArray[np.float32]:
    def decode(window: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        with torch.no_grad():
            return np.asarray(codec.decoder(torch.from_numpy(window)).numpy(), np.float32)

    stream, at, parts = CodeStream(decode), 0, []
    for portion in portions:
        parts.append(stream.feed(codes[at : at + portion]))
        at += portion
    return np.concatenate((*parts, stream.feed(codes[at:]), stream.flush()))


def rounding(codec: NanoCodec, whole: npt.NDArray[np.float32]) -> float:
    """By how much the same sound may differ when its sums are taken in another order.

    A sum of n products of float32 is off by at most n·2^-24 of its size (Higham, Accuracy and
    Stability of Numerical Algorithms, 2002, 3.1); layers add up. The features are logarithms as
    large as the decoder's mean, so an error of one is a share of the sample.
    """
    layers = (*codec.decoder.convolutions, codec.decoder.out)
    terms = sum(int(layer.weight[0].numel()) for layer in layers)
    largest = float(codec.decoder.mean.abs().max())
    peak = float(np.abs(whole).max())
    return peak * largest * terms * 2.0**-24


@pytest.mark.parametrize("portions", [[10] * 4, [1] * 40, [8, 1, 2, 29]])
def test_a_stream_equals_one_shot(codec: NanoCodec, portions: list[int]) -> None:
    codes = np.random.default_rng(1).integers(0, CODES, 40).tolist()
    whole = run(codec, codes, [])
    assert len(whole) == 40 * SAMPLES_PER_CODE
    assert np.abs(whole).max() > 1e-4
    bound = rounding(codec, whole)
    assert bound < 1e-2 * np.abs(whole).max()
    np.testing.assert_allclose(run(codec, codes, portions), whole, rtol=0, atol=bound)


def test_sound_comes_within_a_quarter_second_of_codes(codec: NanoCodec) -> None:
    first = run(codec, list(range(10)), [10])
    assert len(first) == 10 * SAMPLES_PER_CODE
    assert RIGHT <= 2 and LEFT >= RIGHT


def test_decode_sees_only_its_window(codec: NanoCodec) -> None:
    codes = torch.randint(CODES, (1, 30))
    other = codes.clone()
    other[0, 20] = (other[0, 20] + 1) % CODES
    with torch.no_grad():
        changed = (codec.decode(codes) != codec.decode(other)).any(-1)[0]
    touched = changed.view(-1, FRAMES_PER_CODE).any(1).nonzero()[:, 0]
    assert touched.min() == 20 - RIGHT and touched.max() == 20 + LEFT


def test_the_codebook_follows_its_sounds_and_revives_the_dead() -> None:
    torch.manual_seed(4)
    codec = NanoCodec()
    centres = torch.randn(16, 64) * 4
    codec.start_codebook(torch.randn(2000, 64))
    for _ in range(200):
        latents = centres[torch.randint(16, (4, 100))] + 0.01 * torch.randn(4, 100, 64)
        codec.follow(latents, codec.nearest(latents))
    error = (codec.codebook[codec.nearest(centres)] - centres).norm(dim=1)
    assert error.max() < 0.2
    assert codec.decoder.embedding.weight.shape[0] == EDGE + 1


def test_encoding_gives_one_code_for_its_frames() -> None:
    codes = NanoCodec().encode(torch.randn(2, 12 * FRAMES_PER_CODE, FEATURES))
    assert codes.shape == (2, 12) and codes.max() < CODES
