"""Writes small GGUF files of the Llama form, with a tokenizer of bytes."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers.pre_tokenizers import ByteLevel

from models.smollm.chat import END, MARKERS, START
from models.smollm.gguf import FLOAT16, FLOAT32, Q4_1, Q8_0

WIDTH, LAYERS, HEADS, KEY_VALUE_HEADS, FEED_FORWARD = 64, 2, 2, 1, 96
SPECIAL = ("<|endoftext|>", START, END, *MARKERS)
_NUMBER, _FLOAT, _STRING, _LIST, _COUNT = 4, 6, 8, 9, 10


def words() -> list[str]:
    """Special tokens, one for each byte, two pairs, and fillers up to a whole number of blocks."""
    found = [*SPECIAL, *sorted(ByteLevel.alphabet()), "he", "ll"]
    return found + [f"<spare{i}>" for i in range(288 - len(found))]


def metadata() -> dict[str, Any]:
    tokens = words()
    kinds = [3 if word in SPECIAL else 1 for word in tokens]
    return {
        "general.architecture": "llama",
        "llama.block_count": LAYERS,
        "llama.embedding_length": WIDTH,
        "llama.feed_forward_length": FEED_FORWARD,
        "llama.attention.head_count": HEADS,
        "llama.attention.head_count_kv": KEY_VALUE_HEADS,
        "llama.rope.freq_base": 100_000.0,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.merges": ["h e", "l l"],
    }


def tensors(seed: int = 0) -> dict[str, tuple[int, npt.NDArray[np.float32]]]:
    """Storage type and values of each tensor of a small random model."""
    random = np.random.default_rng(seed)
    inner = WIDTH * KEY_VALUE_HEADS // HEADS

    def drawn(*shape: int) -> npt.NDArray[np.float32]:
        values: npt.NDArray[np.float32] = random.standard_normal(shape, np.float32)
        return values * np.float32(shape[-1] ** -0.5)

    table, norm = 8 * drawn(len(words()), WIDTH), 1 + 0.1 * drawn(WIDTH)
    found: dict[str, tuple[int, npt.NDArray[np.float32]]] = {}
    found |= {"token_embd.weight": (Q8_0, table), "output_norm.weight": (FLOAT32, norm)}
    for layer in range(LAYERS):
        shapes = {
            "attn_q": (WIDTH, WIDTH), "attn_k": (inner, WIDTH), "attn_v": (inner, WIDTH),
            "attn_output": (WIDTH, WIDTH), "ffn_gate": (FEED_FORWARD, WIDTH),
            "ffn_up": (FEED_FORWARD, WIDTH), "ffn_down": (WIDTH, FEED_FORWARD),
        }  # fmt: skip
        for name, shape in shapes.items():
            found[f"blk.{layer}.{name}.weight"] = (Q4_1, drawn(*shape))
        for name in ("attn_norm", "ffn_norm"):
            found[f"blk.{layer}.{name}.weight"] = (FLOAT32, 1 + 0.1 * drawn(WIDTH))
    return found


def stored(kind: int, values: npt.NDArray[np.float32]) -> bytes:
    """The bytes of a tensor as ggml quantises it."""
    if kind == FLOAT32:
        return values.astype("<f4").tobytes()
    if kind == FLOAT16:
        return values.astype("<f2").tobytes()
    blocks = values.reshape(-1, 32)
    parts = []
    for block in blocks:
        if kind == Q8_0:
            scale = np.float16(np.abs(block).max() / 127 or 1)
            whole = np.clip(np.rint(block / np.float32(scale)), -127, 127).astype(np.int8)
            parts.append(scale.tobytes() + whole.tobytes())
            continue
        scale, least = np.float16((block.max() - block.min()) / 15 or 1), np.float16(block.min())
        whole = np.clip(np.rint((block - np.float32(least)) / np.float32(scale)), 0, 15)
        low, high = whole[:16].astype(np.uint8), whole[16:].astype(np.uint8)
        parts.append(scale.tobytes() + least.tobytes() + (low | high << 4).tobytes())
    return b"".join(parts)


def write(
    path: Path,
    entries: dict[str, Any] | None = None,
    held: dict[str, tuple[int, npt.NDArray[np.float32]]] | None = None,
) -> Path:
    """A whole file, by default a small model."""
    entries = metadata() if entries is None else entries
    held = tensors() if held is None else held
    head = b"GGUF" + struct.pack("<IQQ", 3, len(held), len(entries))
    for name, value in entries.items():
        head += _string(name) + _value(value)
    data = b""
    for name, (kind, values) in held.items():
        sizes = struct.pack(f"<{values.ndim}Q", *reversed(values.shape))
        head += _string(name) + struct.pack("<I", values.ndim) + sizes
        head += struct.pack("<IQ", kind, len(data))
        data += stored(kind, values)
        data += b"\0" * (-len(data) % 32)
    path.write_bytes(head + b"\0" * (-len(head) % 32) + data)
    return path


def _string(text: str) -> bytes:
    coded = text.encode()
    return struct.pack("<Q", len(coded)) + coded


def _value(value: Any) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", _STRING) + _string(value)
    if isinstance(value, float):
        return struct.pack("<If", _FLOAT, value)
    if isinstance(value, int):
        return struct.pack("<II", _NUMBER, value)
    kind = _STRING if isinstance(value[0], str) else _NUMBER
    head = struct.pack("<IIQ", _LIST, kind, len(value))
    return head + b"".join(_string(v) if kind == _STRING else struct.pack("<I", v) for v in value)
