"""The codec's decoder and the segmenter: equal to the reference, streamed or at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from models.base import Samples
from models.vita.codec import Codec, CodecStream
from models.vita.config import CodecConfig
from models.vita.released import fold_weight_norm
from models.vita.segmenter import quiet_place, trim_onset
from tests.models.vita.golden import assert_close, codec_pickle, expected, needs_golden, tolerance

SMALL = CodecConfig(codes=32, code_width=16, initial_width=16, global_width=4, global_codes=(1, 2))


def golden_codec() -> Codec:
    parts = codec_pickle()
    codec = Codec(CodecConfig()).eval().requires_grad_(False)
    codec.generator.load_state_dict(fold_weight_norm(parts["generator"]))
    codec.quantizer.load_state_dict(parts["quantizer"])
    return codec


def pieces_of(codec: Codec, codes: Tensor, chunk: int) -> list[Samples]:
    """One answer as the stream gives it; the last piece is what the end sets free."""
    stream = CodecStream(codec, chunk)
    pushed = [stream.push(code) for code in codes.tolist()]
    return [*(piece.numpy() for piece in pushed if piece is not None), stream.flush().numpy()]


def segments_of(pieces: list[Samples], threshold: float) -> list[Samples]:
    """As an engine cuts them: what the end sets free is not cut again."""
    segments: list[Samples] = []
    held: list[Samples] = []
    for piece in pieces[:-1]:
        place = quiet_place(piece, threshold)
        if place is None:
            held.append(piece)
        else:
            segments.append(np.concatenate((*held, piece[:place])))
            held = [piece[place:]]
    return [*segments, np.concatenate((*held, pieces[-1]))]


@needs_golden
@pytest.mark.timeout(400)  # the codec has its real size
def test_sound_and_segments_are_those_of_the_reference() -> None:
    wanted, codec = expected("vita_tts_tiny"), golden_codec()
    codes = wanted["codec.codes"]
    assert_close(codec.embed(codes), wanted["codec.quant_emb"])
    speaker = codec.speaker()
    assert speaker is not None
    assert_close(speaker, wanted["codec.global_emb"])
    assert_close(codec(codes), wanted["codec.wave"][:, 0])
    tokens, stored = wanted["decoder.greedy_tokens"], tolerance("stored float16 waves")
    pieces = {20: pieces_of(codec, tokens, 20)}
    whole = torch.from_numpy(np.concatenate(pieces[20]))
    assert_close(whole, wanted["stream.offline_wave_f16"], stored)
    pieces[40] = [part.numpy() for part in torch.split(whole, [24_000, 24_000, 12_000])]
    for name, chunk, threshold in (
        ("first", 20, 0.1), ("next", 40, 0.015), ("force", 20, 9.9), ("mixed", 20, 0.1054)
    ):  # fmt: skip
        segments = segments_of(pieces[chunk], threshold)
        assert [len(s) for s in segments] == wanted[f"stream.{name}.seg_lengths"].tolist(), name
        joined = torch.from_numpy(np.concatenate(segments))
        assert_close(joined, wanted[f"stream.{name}.wave_f16"], stored)
        assert_close(joined.abs().sum(), wanted[f"stream.{name}.wave_sum_abs"][0], 0.5)


@pytest.mark.parametrize("count", [1, 12, 30, 47])
def test_a_stream_equals_the_whole(count: int) -> None:
    torch.manual_seed(2)
    codec = Codec(SMALL).eval().requires_grad_(False)
    codes, stream = torch.randint(0, 32, (1, count)), CodecStream(codec, 10)
    pieces = [stream.push(code) for code in codes[0].tolist()]
    joined = torch.cat([*(piece for piece in pieces if piece is not None), stream.flush()])
    assert joined.shape[0] == count * codec.config.samples_per_code
    torch.testing.assert_close(joined, codec(codes)[0], atol=1e-4, rtol=0)
    assert stream.flush().numel() == 0


def test_a_cut_is_at_the_quiet_place() -> None:
    loud = np.full(12_000, 0.5, np.float32)
    loud[8000:10_500] = 0.001
    loud[9000] = 0.0
    assert quiet_place(loud, 0.01) == 9000
    assert quiet_place(np.full(12_000, 0.5, np.float32), 0.01) is None
    assert quiet_place(loud[:1000], 9.9) is None
    assert len(trim_onset(np.concatenate((np.zeros(70, np.float32), loud)))) == 12_000
    assert len(trim_onset(np.zeros(70, np.float32))) == 0
