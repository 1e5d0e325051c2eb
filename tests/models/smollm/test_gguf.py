"""GGUF files: the header, quantised tensors, and files that are damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.smollm import checkpoint
from models.smollm.gguf import FLOAT16, Q4_1, Q8_0, BadWeights, GgufFile
from tests.models.smollm import gguf_writer


def test_metadata_and_tensors_are_read(tmp_path: Path) -> None:
    with GgufFile(gguf_writer.write(tmp_path / "small.gguf")) as file:
        assert file.metadata["llama.block_count"] == gguf_writer.LAYERS
        assert file.metadata["tokenizer.ggml.tokens"] == gguf_writer.words()
        for name, (kind, values) in gguf_writer.tensors().items():
            read = file.floats(name)
            assert read.shape == values.shape
            span = np.ptp(values.reshape(-1, 32), axis=1).max() if kind in (Q4_1, Q8_0) else 0
            step = {Q4_1: 0.52 / 15, Q8_0: 1.02 / 127}.get(kind, 0) * span + 2e-3 * (kind != 0)
            assert np.abs(read - values).max() <= step


def test_values_of_a_four_bit_block_are_in_the_order_of_ggml(tmp_path: Path) -> None:
    """The low halves of 16 bytes are the first 16 weights, the high halves the others."""
    values = np.arange(32, dtype=np.float32)[None] % 16
    path = gguf_writer.write(tmp_path / "one.gguf", {"general.architecture": "llama"},
                             {"w": (Q4_1, values), "h": (FLOAT16, values)})  # fmt: skip
    with GgufFile(path) as file:
        assert np.array_equal(file.floats("w"), values)
        assert np.array_equal(file.floats("h"), values)


def test_eight_bits_are_given_as_they_are_stored(tmp_path: Path) -> None:
    with GgufFile(gguf_writer.write(tmp_path / "small.gguf")) as file:
        values, scales = file.eight_bit(checkpoint.TABLE)
        whole = values * np.repeat(scales.astype(np.float32), 32, axis=1)
        assert np.array_equal(whole, file.floats(checkpoint.TABLE))
        with pytest.raises(BadWeights, match="not stored in 8 bits"):
            file.eight_bit("output_norm.weight")


@pytest.mark.parametrize("kept", [0, 3, 20, 100, 3000])
def test_a_file_that_breaks_off_is_refused(tmp_path: Path, kept: int) -> None:
    whole = gguf_writer.write(tmp_path / "small.gguf").read_bytes()
    (tmp_path / "cut.gguf").write_bytes(whole[:kept])
    with pytest.raises(BadWeights, match=r"cut\.gguf"):
        GgufFile(tmp_path / "cut.gguf")


def test_a_file_without_its_tensors_is_refused(tmp_path: Path) -> None:
    whole = gguf_writer.write(tmp_path / "small.gguf").read_bytes()
    (tmp_path / "cut.gguf").write_bytes(whole[:-2000])
    with GgufFile(tmp_path / "cut.gguf") as file, pytest.raises(BadWeights, match="breaks off"):
        for name in file.names:
            file.floats(name)


def test_other_forms_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.gguf").write_bytes(b"GGML" + bytes(64))
    with pytest.raises(BadWeights, match="version 3"):
        GgufFile(tmp_path / "text.gguf")
    bare = gguf_writer.write(tmp_path / "bare.gguf", {"general.architecture": "llama"})
    with GgufFile(bare) as file, pytest.raises(BadWeights, match=r"tokenizer.ggml.tokens"):
        checkpoint.configuration(file)
    entries = gguf_writer.metadata() | {"general.architecture": "qwen2"}
    with GgufFile(gguf_writer.write(tmp_path / "other.gguf", entries)) as file:
        with pytest.raises(BadWeights, match="Llama"):
            checkpoint.configuration(file)
        with pytest.raises(BadWeights, match="no tensor"):
            file.floats("nothing")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadWeights, match=r"nothing\.gguf"):
        GgufFile(tmp_path / "nothing.gguf")


def test_digits_are_tokens_of_their_own(tmp_path: Path) -> None:
    with GgufFile(gguf_writer.write(tmp_path / "small.gguf")) as file:
        tokenizer = checkpoint.tokenizer(file)
    coded = tokenizer.encode("hello 12", add_special_tokens=False)
    assert coded.tokens == ["he", "ll", "o", "Ġ", "1", "2"]
    assert tokenizer.decode(coded.ids) == "hello 12"
