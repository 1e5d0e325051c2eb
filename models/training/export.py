"""Trained modules to the folder that embedded instances read (8-bit weights)."""

from __future__ import annotations

import logging
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import torch
from onnxruntime.quantization.matmul_nbits_quantizer import (
    DefaultWeightOnlyQuantConfig,
    MatMulNBitsQuantizer,
)
from torch import nn

from models.engines import bundle
from models.engines.bundle import BundleConfig
from models.training.graphs import (
    CodecGraph,
    LanguageGraph,
    ListeningGraph,
    SpeechPrefillGraph,
    SpeechStepGraph,
)
from models.vita.adapter import AudioTower
from models.vita.config import FEATURES
from models.vita.language_model import LanguageModel
from models.vita.nano_codec import FeatureDecoder
from models.vita.speech_decoder import SpeechDecoder
from models.vita.vision import VisionEncoder

logger = logging.getLogger(__name__)
OPSET = 21
BITS, BLOCK = 8, 32
CHATTY = ("onnxscript", "onnx_ir", "torch.onnx", "onnxruntime.quantization.matmul_nbits_quantizer")
INT8_PRODUCTS = 4  # MatMulNBits' accuracy level: activations in 8 bits too, sums in 32


@dataclass(frozen=True, slots=True)
class Parts:
    """The trained modules of one model; `speech` and `codec` come together or not at all."""

    config: BundleConfig
    tower: AudioTower
    language: LanguageModel
    tokenizer: str  # the text of tokenizer.json
    speech: SpeechDecoder | None = None
    codec: FeatureDecoder | None = None
    eyes: VisionEncoder | None = None


def export(parts: Parts, folder: Path, *, bits: int = BITS) -> Path:
    """Write the whole folder with weights of so many bits."""
    with TemporaryDirectory() as exact:
        return quantise(export_exact(parts, Path(exact)), folder, bits=bits)


def export_exact(parts: Parts, folder: Path) -> Path:
    """Write the whole folder with weights of 32-bit floats."""
    for name in CHATTY:  # a line for every node
        logging.getLogger(name).setLevel(logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / bundle.CONFIG).write_text(parts.config.to_json())
    (folder / bundle.TOKENIZER).write_text(parts.tokenizer)
    table = parts.language.model.embed_tokens.weight.detach().numpy()
    np.save(folder / bundle.TABLE, table.astype(np.float16))
    _export_listening(parts, folder / bundle.LISTENING)
    _export_language(parts, folder / bundle.LANGUAGE)
    if parts.eyes is not None:
        _export_eyes(parts.eyes, folder / bundle.VISION)
    if parts.speech is not None and parts.codec is not None:
        _export_prefill(parts.speech, folder / bundle.SPEECH_PREFILL)
        _export_step(parts, parts.speech, folder / bundle.SPEECH_STEP)
        _export_codec(parts.codec, folder / bundle.CODEC)
    return folder


def quantise(exact: Path, folder: Path, *, bits: int = BITS) -> Path:
    """Copy a folder; the matrix products of all networks but the codec get weights in blocks of 32
    with a scale each."""
    logging.getLogger(CHATTY[-1]).setLevel(logging.WARNING)
    recipe = DefaultWeightOnlyQuantConfig(
        block_size=BLOCK, is_symmetric=True, accuracy_level=INT8_PRODUCTS, bits=bits
    )
    folder.mkdir(parents=True, exist_ok=True)
    for source in sorted(exact.iterdir()):
        target = folder / source.name
        if source.suffix != ".onnx" or source.name == bundle.CODEC:
            shutil.copyfile(source, target)
            continue
        quantiser = MatMulNBitsQuantizer(onnx.load(source), algo_config=recipe)
        quantiser.process()
        onnx.save(quantiser.model.model, target)
        logger.info("%s: %.1f MB", target.name, target.stat().st_size / 1e6)
    return folder


def _export_listening(parts: Parts, path: Path) -> None:
    cache = parts.tower.start()
    features = torch.zeros(1, parts.tower.config.chunk_features, FEATURES)
    valid = torch.tensor([parts.tower.config.chunk_features])
    names = ["keys", "values", "position", "tail"]
    write_graph(
        ListeningGraph(parts.tower),
        (features, valid, *cache.encoder, cache.tail),
        ["features", "valid", *names],
        ["vectors", "letters", *(f"next_{name}" for name in names)],
        None,
        path,
    )


def _export_language(parts: Parts, path: Path) -> None:
    config = parts.language.config
    past = _past(config.layers, config.key_value_heads, config.width // config.heads)
    example = (torch.zeros(1, 5, config.width), *_lengths(5), past)
    shapes = ({1: torch.export.Dim("n", min=1, max=4096)}, None, None, _growing(past))
    graph = LanguageGraph(parts.language, parts.config.capacity)
    inputs, outputs = _names("embeddings", ["logits"], len(past))
    write_graph(graph, example, inputs, outputs, shapes, path)


def _export_eyes(eyes: VisionEncoder, path: Path) -> None:
    side = eyes.vision.config.image
    write_graph(eyes, (torch.zeros(1, 3, side, side),), ["pixels"], ["vectors"], None, path)


def _export_prefill(speech: SpeechDecoder, path: Path) -> None:
    outputs = [f"past.{i}" for i in range(2 * speech.config.layers)]
    shapes = ({1: torch.export.Dim("t", min=2, max=4096)},)
    letters = torch.ones(1, 7, dtype=torch.long)
    write_graph(SpeechPrefillGraph(speech), (letters,), ["letters"], outputs, shapes, path)


def _export_step(parts: Parts, speech: SpeechDecoder, path: Path) -> None:
    config = speech.config
    capacity = 1 + parts.config.spoken_letters + parts.config.spoken_codes
    past = _past(config.layers, config.heads, config.width // config.heads, capacity)
    example = (torch.zeros(1, 1, dtype=torch.long), *_lengths(5), past)
    inputs, outputs = _names("codes", ["logits", "weights"], len(past))
    write_graph(SpeechStepGraph(speech, capacity), example, inputs, outputs, None, path)


def _export_codec(codec: FeatureDecoder, path: Path) -> None:
    shapes = ({1: torch.export.Dim("n", min=9, max=4096)},)
    codes = torch.zeros(1, 14, dtype=torch.long)
    write_graph(CodecGraph(codec), (codes,), ["codes"], ["features"], shapes, path)


def _past(layers: int, heads: int, head: int, capacity: int = 64) -> list[torch.Tensor]:
    return [torch.zeros(1, heads, capacity, head) for _ in range(2 * layers)]


def _growing(past: list[torch.Tensor]) -> list[dict[int, Any]]:
    capacity = torch.export.Dim("capacity", min=8, max=65_536)
    return [{2: capacity} for _ in past]


def _lengths(total: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor([total - 1], dtype=torch.int32), torch.tensor([total], dtype=torch.int32)


def _names(first: str, outputs: list[str], tensors: int) -> tuple[list[str], list[str]]:
    inputs = [first, "last", "total", *(f"past.{i}" for i in range(tensors))]
    return inputs, [*outputs, *(f"present.{i}" for i in range(tensors))]


def write_graph(
    graph: nn.Module,
    example: tuple[Any, ...],
    inputs: list[str],
    outputs: list[str],
    shapes: Any,
    path: Path,
) -> None:
    """Export one network with weights of 32-bit floats."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = torch.onnx.export(
            graph.eval(),
            example,
            input_names=inputs,
            output_names=outputs,
            dynamic_shapes=shapes,
            dynamo=True,
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    del model.graph.value_info[:]  # else the quantiser trips over shapes that it changed
    onnx.save(model, path)
