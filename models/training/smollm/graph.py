"""SmolLM2's graph for onnxruntime, without its weights: they are put in when the server starts.

Its inputs and outputs are those of models.engines.language.LanguageCache; its initializers those of
models.smollm.weights.initializers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from models.smollm.gguf import BLOCK
from models.smollm.weights import ATTENTION_OUT, DOWN, GATE_UP, QUERY_KEY_VALUE
from models.vita.config import LanguageModelConfig

OPSET, IR = 21, 10
MICROSOFT = "com.microsoft"
INT8_PRODUCTS = 4  # MatMulNBits' accuracy level: activations in 8 bits too, sums in 32
PLACE = "weights"  # no file of that name is ever read
FLOAT, BYTE, INT = TensorProto.FLOAT, TensorProto.UINT8, TensorProto.INT32


class GraphBuilder:
    """Collects nodes and the shapes of initializers."""

    def __init__(self, config: LanguageModelConfig, positions: int) -> None:
        self._config, self._positions = config, positions
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[TensorProto] = []

    def build(self) -> onnx.ModelProto:
        config = self._config
        head = config.width // config.heads
        self._outside("cosines", FLOAT, (self._positions, head // 2))
        self._outside("sines", FLOAT, (self._positions, head // 2))
        whole, behind = "embeddings", ""
        for layer in range(config.layers):
            whole, behind = self._layer(layer, whole, behind)
        self._fixed("last_place", (-1,))
        self._fixed("place_axis", (1,))
        for name in (whole, behind):
            self._add("Gather", (name, "last_place"), (f"last.{name}",), axis=1)
        normed, _ = self._norm("norm", f"last.{whole}", f"last.{behind}")
        scores = self._product("head", normed, config.width, config.vocabulary)
        self._add("Squeeze", (scores, "place_axis"), ("logits",))
        return self._model(head)

    def _layer(self, layer: int, whole: str, behind: str) -> tuple[str, str]:
        """A residual stream `whole` to which `behind` is still to be added; the same after it."""
        config = self._config
        inner = config.width * config.key_value_heads // config.heads
        normed, whole = self._norm(f"{layer}.input_norm", whole, behind)
        joined = self._product(
            f"{layer}.{QUERY_KEY_VALUE}", normed, config.width, config.width + 2 * inner
        )
        mixed = f"{layer}.mixed"
        keys, values = 2 * layer, 2 * layer + 1
        self._add(
            "GroupQueryAttention",
            (joined, "", "", f"past.{keys}", f"past.{values}", "last", "total", "cosines", "sines"),
            (mixed, f"present.{keys}", f"present.{values}"),
            MICROSOFT,
            num_heads=config.heads,
            kv_num_heads=config.key_value_heads,
            do_rotary=1,
        )
        seen = self._product(f"{layer}.{ATTENTION_OUT}", mixed, config.width, config.width)
        normed, whole = self._norm(f"{layer}.inner_norm", whole, seen)
        wide = self._product(f"{layer}.{GATE_UP}", normed, config.width, 2 * config.feed_forward)
        gate, up = f"{layer}.gate", f"{layer}.up"
        self._add("Split", (wide,), (gate, up), axis=2, num_outputs=2)
        self._add("QuickGelu", (gate,), (f"{layer}.open",), MICROSOFT, alpha=1.0)
        self._add("Mul", (f"{layer}.open", up), (f"{layer}.gated",))
        return whole, self._product(
            f"{layer}.{DOWN}", f"{layer}.gated", config.feed_forward, config.width
        )

    def _norm(self, name: str, whole: str, behind: str) -> tuple[str, str]:
        """The normed sum, and the sum."""
        self._outside(name, FLOAT, (self._config.width,))
        normed, summed = f"{name}.out", f"{name}.sum"
        epsilon = self._config.norm_epsilon
        if not behind:
            self._add(
                "SimplifiedLayerNormalization", (whole, name), (normed,),
                axis=-1, epsilon=epsilon, stash_type=1,
            )  # fmt: skip
            return normed, whole
        self._add(
            "SkipSimplifiedLayerNormalization", (whole, behind, name), (normed, "", "", summed),
            MICROSOFT, epsilon=epsilon,
        )  # fmt: skip
        return normed, summed

    def _product(self, name: str, x: str, inner: int, out: int) -> str:
        blocks = inner // BLOCK
        self._outside(name, BYTE, (out, blocks, BLOCK))
        self._outside(f"{name}.scales", FLOAT, (out, blocks))
        self._add(
            "MatMulNBits", (x, name, f"{name}.scales"), (f"{name}.out",), MICROSOFT,
            K=inner, N=out, bits=8, block_size=BLOCK, accuracy_level=INT8_PRODUCTS,
        )  # fmt: skip
        return f"{name}.out"

    def _add(
        self,
        kind: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        domain: str = "",
        **attributes: Any,
    ) -> None:
        node = helper.make_node(kind, inputs, outputs, name=outputs[0], domain=domain, **attributes)
        self._nodes.append(node)

    def _fixed(self, name: str, values: Sequence[int]) -> None:
        self._initializers.append(
            helper.make_tensor(name, TensorProto.INT64, (len(values),), values)
        )

    def _outside(self, name: str, kind: int, shape: Sequence[int]) -> None:
        """An initializer that is put in at the start."""
        tensor = TensorProto(name=name, data_type=kind, dims=shape)
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=PLACE)
        self._initializers.append(tensor)

    def _model(self, head: int) -> onnx.ModelProto:
        config = self._config
        past = (1, config.key_value_heads, "capacity", head)
        caches = range(2 * config.layers)
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            self._nodes,
            "smollm2",
            [
                value("embeddings", FLOAT, (1, "n", config.width)),
                value("last", INT, (1,)),
                value("total", INT, (1,)),
                *(value(f"past.{i}", FLOAT, past) for i in caches),
            ],
            [
                value("logits", FLOAT, (1, config.vocabulary)),
                *(value(f"present.{i}", FLOAT, past) for i in caches),
            ],
            self._initializers,
        )
        versions: Mapping[str, int] = {"": OPSET, MICROSOFT: 1}
        opsets = [helper.make_opsetid(domain, version) for domain, version in versions.items()]
        return helper.make_model(
            graph, opset_imports=opsets, ir_version=IR, producer_name="antiphon"
        )


def write(config: LanguageModelConfig, positions: int, path: Path) -> None:
    """The graph without weights, about 100 KB; always the same bytes."""
    path.write_bytes(GraphBuilder(config, positions).build().SerializeToString(deterministic=True))
