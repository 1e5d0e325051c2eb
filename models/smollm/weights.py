"""The weights that SmolLM2's graph computes with: the published ones, our low-rank changes added,
in 8 bits.

A linear map is kept in blocks of 32 weights along its input, each with a scale: w = (q - 128) * s.
The tied table is stored that way in the GGUF file already and is taken over exactly. Made at every
start, in memory; the same files give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.smollm import checkpoint
from models.smollm.gguf import BLOCK, Array, BadWeights, GgufFile
from models.vita.config import LanguageModelConfig

ZERO = 128  # what an 8-bit weight of nothing is
ROWS = "rows"  # of the tied table, by marker
QUERY_KEY_VALUE, ATTENTION_OUT = "query_key_value", "attention_out"
GATE_UP, DOWN = "gate_up", "down"
JOINED = {  # a product of the graph: the linear maps whose outputs it gives, one after the other
    QUERY_KEY_VALUE: ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    ATTENTION_OUT: ("self_attn.o_proj",),
    GATE_UP: ("mlp.gate_proj", "mlp.up_proj"),
    DOWN: ("mlp.down_proj",),
}
NORMS = {"input_norm": "input_layernorm", "inner_norm": "post_attention_layernorm"}

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Changes:
    """What was learned: for each linear map `down` [rank, in] and `up` [out, rank], so that the new
    weight is w + scale * up @ down; and new rows of the table, by token id."""

    scale: float
    down: Mapping[str, Array]
    up: Mapping[str, Array]
    rows: Mapping[int, Array]

    @classmethod
    def read(cls, path: Path) -> Changes:
        """From an .npz file as `write` makes it. Raises BadWeights."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                held = {name: stored[name] for name in stored.files}
            scale = float(held.pop("scale"))
            tokens = held.pop("tokens")
            rows = held.pop(ROWS).astype(np.float32)
        except (OSError, ValueError, KeyError) as error:
            raise BadWeights(f"{path.name}: {error}") from error
        floats = {
            name: held[name].astype(np.float32) * held[f"{name}.scale"][:, None]
            for name in held
            if not name.endswith(".scale")
        }
        return cls(
            scale,
            {n.removesuffix(".down"): v for n, v in floats.items() if n.endswith(".down")},
            {n.removesuffix(".up"): v.T for n, v in floats.items() if n.endswith(".up")},
            dict(zip(tokens.tolist(), rows, strict=True)),
        )

    def write(self, path: Path) -> None:
        """Factors in 8 bits with a scale for each of the rank's directions."""
        held: dict[str, npt.NDArray[Any]] = {}
        factors = {f"{n}.down": v for n, v in self.down.items()}
        factors |= {f"{n}.up": v.T for n, v in self.up.items()}
        for name, values in sorted(factors.items()):
            scale = np.maximum(np.abs(values).max(axis=1), 1e-12) / 127
            held[name] = np.rint(values / scale[:, None]).astype(np.int8)
            held[f"{name}.scale"] = scale.astype(np.float32)
        rows = np.stack(list(self.rows.values())).astype(np.float16)
        np.savez_compressed(
            path, allow_pickle=False, scale=np.float32(self.scale),
            tokens=np.array(list(self.rows), np.int64), rows=rows, **held,
        )  # fmt: skip

    def applied(self, name: str, weight: Array) -> Array:
        """A linear map with its change."""
        if name not in self.up:
            return weight
        changed: Array = weight + self.scale * (self.up[name] @ self.down[name])
        return changed


NO_CHANGES = Changes(0.0, {}, {}, {})


def in_eight_bits(weight: Array) -> tuple[Bytes, Array]:
    """[out, in] -> [out, in / 32, 32] and scales [out, in / 32]."""
    out, inner = weight.shape
    blocks = weight.reshape(out, inner // BLOCK, BLOCK)
    scales = np.maximum(np.abs(blocks).max(axis=2), np.float32(1e-12)) / np.float32(127)
    scaled = blocks / scales[:, :, None]
    np.rint(scaled, out=scaled)
    scaled += ZERO
    return scaled.astype(np.uint8), scales


class Table:
    """What each token is to the model, [vocabulary, width]; rows are decoded when asked for."""

    def __init__(self, file: GgufFile, changes: Changes = NO_CHANGES) -> None:
        self._values, self._scales = file.eight_bit(checkpoint.TABLE)
        self._changes = changes.rows

    def rows(self, ids: npt.NDArray[np.int64]) -> Array:
        """[n] -> [n, width]."""
        values = self._values[ids].astype(np.float32)
        scales = self._scales[ids].astype(np.float32)
        made = values * np.repeat(scales, BLOCK, axis=1)
        for token, row in self._changes.items():
            made[ids == token] = row
        return made

    def head(self) -> tuple[Bytes, Array]:
        """All rows as a linear map in 8 bits."""
        out, inner = self._values.shape
        whole = (self._values.astype(np.int16) + ZERO).astype(np.uint8)
        whole = whole.reshape(out, inner // BLOCK, BLOCK)
        scales = self._scales.astype(np.float32)
        for token, row in self._changes.items():
            (whole[token],), (scales[token],) = in_eight_bits(row[None])
        return whole, scales


def rotary(config: LanguageModelConfig, positions: int) -> tuple[Array, Array]:
    """Cosines and sines [positions, head / 2]."""
    head = config.width // config.heads
    even = np.arange(0, head, 2, dtype=np.float32)
    bases = np.float32(config.rotary_base) ** (-even / np.float32(head))
    angles = np.arange(positions, dtype=np.float32)[:, None] * bases[None]
    return np.cos(angles), np.sin(angles)


def initializers(
    file: GgufFile, config: LanguageModelConfig, changes: Changes, table: Table, positions: int
) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """All weights of the graph by name: `layer.product` and `layer.product.scales`, norms, rotary
    tables, and the head."""
    tensors = checkpoint.layer_tensors
    for layer in range(config.layers):
        held = dict(tensors(file, config, layer))
        for name, stored in NORMS.items():
            yield f"{layer}.{name}", held[f"{stored}.weight"]
        for product, maps in JOINED.items():
            joined = np.concatenate(
                [changes.applied(f"{layer}.{each}", held[f"{each}.weight"]) for each in maps]
            )
            values, scales = in_eight_bits(joined)
            yield f"{layer}.{product}", values
            yield f"{layer}.{product}.scales", scales
    yield "norm", file.floats("output_norm.weight")
    head, scales = table.head()
    yield "head", head
    yield "head.scales", scales
    for name, part in zip(("cosines", "sines"), rotary(config, positions), strict=True):
        yield name, part
