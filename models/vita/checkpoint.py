"""Model folders: open, check, load, convert, inspect. Nothing is fetched and no code is run."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import orjson
import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from torch import Tensor, nn

from models.vita.config import LanguageModelConfig, VitaConfig
from models.vita.network import Vita
from models.vita.released import Layout, is_released, read_released
from models.vita.tensor_files import (
    INDEX,
    SINGLE,
    CheckpointRefused,
    Source,
    compare,
    read_json,
    safetensors_in,
)

logger = logging.getLogger(__name__)

CONFIG = "vita.json"  # of a converted folder
TOKENIZER = "tokenizer.json"
SHARD_BYTES = 4 << 30
_BODY = "language.model."
LICENCES = {
    "vita-1.5": "VITA-1.5 weights: academic, research and education use only; "
    "their licence excludes production use",
    "vita-1.0": "VITA-1.0 weights: see the terms that came with them (its code is Apache-2.0)",
    "nano": "nano: Apache-2.0",
}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A loaded model; `tokenizer` is None where the folder has none."""

    model: Vita
    config: VitaConfig
    tokenizer: Path | None
    licence: str


@dataclass(frozen=True, slots=True)
class Part:
    """What one part of a model amounts to; `bytes` as stored."""

    name: str
    parameters: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a folder holds. `problems` is empty for a folder that loads."""

    config: VitaConfig
    parts: tuple[Part, ...]
    licence: str
    notes: tuple[str, ...]
    problems: tuple[str, ...]
    has_tokenizer: bool

    @property
    def bytes(self) -> int:
        return sum(part.bytes for part in self.parts)

    @property
    def numbers(self) -> int:
        return sum(part.parameters for part in self.parts)

    def cached_numbers(self, tokens: int) -> int:
        """Keys and values of a conversation of so many tokens, or of as many as there can be."""
        language = self.config.language
        width = language.width // language.heads * language.key_value_heads
        return 2 * language.layers * width * min(tokens, language.positions)


def read_layout(folder: Path) -> Layout:
    """Understand a released or a converted folder. Raises CheckpointRefused."""
    if not folder.is_dir():
        raise CheckpointRefused(f"{folder.name} is no folder")
    if (folder / CONFIG).exists():
        try:
            config = VitaConfig.from_json((folder / CONFIG).read_bytes())
        except ValidationError as error:
            raise CheckpointRefused(f"{CONFIG}: {error}") from error
        return Layout(folder, config, safetensors_in(folder))
    content = read_json(folder / "config.json")
    if not isinstance(content, dict) or not is_released(content):
        raise CheckpointRefused("config.json is not that of a VITA checkpoint")
    return read_released(folder)


def expected_shapes(config: VitaConfig) -> dict[str, tuple[int, ...]]:
    """Every tensor that a model of this config has; nothing is allocated."""
    with torch.device("meta"):
        model = Vita(config)
    shapes = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
    if config.language.tied:
        del shapes["language.lm_head.weight"]
    return shapes


def load(
    folder: Path, dtype: torch.dtype = torch.float32, device: str | torch.device = "cpu"
) -> Checkpoint:
    """Load a folder, each tensor checked. Raises CheckpointRefused with everything that is wrong
    in one message."""
    layout = _checked_layout(folder)
    return _loaded_model(layout, layout.config, dtype, device)


def load_without_layers(
    folder: Path, dtype: torch.dtype = torch.float32, device: str | torch.device = "cpu"
) -> tuple[Checkpoint, LanguageModelConfig]:
    """Load all but the language model's layers and head, which run elsewhere, as this config says.
    Its table of words is there. Raises CheckpointRefused, for those parts too."""
    layout = _checked_layout(folder)
    whole = layout.config.language
    language = replace(whole, layers=0, experts=0, tied=True)
    return _loaded_model(layout, replace(layout.config, language=language), dtype, device), whole


def _checked_layout(folder: Path) -> Layout:
    layout = read_layout(folder)
    problems = compare(expected_shapes(layout.config), layout.sources)
    if problems:
        raise CheckpointRefused(f"{folder.name} does not fit its config: " + "; ".join(problems))
    for note in layout.notes:
        logger.info("%s: %s", folder.name, note)
    return layout


def _loaded_model(
    layout: Layout, config: VitaConfig, dtype: torch.dtype, device: str | torch.device
) -> Checkpoint:
    """The parts of a layout that `config` names."""
    licence = LICENCES[config.template]
    logger.warning("%s", licence)
    with torch.device("meta"):
        model = Vita(config)
    _fill(model, {key: layout.sources[key] for key in expected_shapes(config)}, dtype, device)
    tokenizer = layout.folder / TOKENIZER
    return Checkpoint(
        model.eval().requires_grad_(False),
        config,
        tokenizer if tokenizer.exists() else None,
        licence,
    )


def dtype_of(key: str, dtype: torch.dtype) -> torch.dtype:
    """The precision of one tensor of a model that computes in `dtype`.

    With bfloat16 the audio tower stays in float16, as upstream runs it: its features lie between
    12 and 20, where bfloat16 rounds nine times as coarsely. The statistics that normalise them and
    the codec (16 M numbers, whose rounding is heard) stay in float32.
    """
    if dtype != torch.bfloat16:
        return dtype
    if key.startswith(("audio.encoder.global_cmvn.", "codec.")):
        return torch.float32
    return torch.float16 if key.startswith("audio.") else dtype


def _fill(
    model: Vita, sources: dict[str, Source], dtype: torch.dtype, device: str | torch.device
) -> None:
    """Put the tensors in place one at a time, so that only one is in memory twice."""
    for key, source in sources.items():
        tensor = source.load().to(device, dtype_of(key, dtype))
        if key.startswith(_BODY):
            model.language.model.take(key.removeprefix(_BODY), tensor)
            continue
        path, _, name = key.rpartition(".")
        module = model.get_submodule(path)
        if name in module._parameters:
            setattr(module, name, nn.Parameter(tensor, requires_grad=False))
        else:
            setattr(module, name, tensor)
    if model.config.language.tied:
        model.language.lm_head.weight = model.language.model.embed_tokens.weight


def inspect(folder: Path) -> Inspection:
    """What a folder holds, without loading it. Raises CheckpointRefused where it is no model."""
    layout = read_layout(folder)
    names = sorted({key.split(".")[0] for key in layout.sources})
    return Inspection(
        config=layout.config,
        parts=tuple(_part(name, layout.sources) for name in names),
        licence=LICENCES[layout.config.template],
        notes=layout.notes,
        problems=tuple(compare(expected_shapes(layout.config), layout.sources)),
        has_tokenizer=(folder / TOKENIZER).exists(),
    )


def _part(name: str, sources: dict[str, Source]) -> Part:
    own = [source for key, source in sources.items() if key.split(".")[0] == name]
    numbers = sum(torch.Size(source.shape).numel() for source in own)
    return Part(name, numbers, sum(source.bytes for source in own))


def convert(folder: Path, target: Path, dtype: torch.dtype | None = None) -> Inspection:
    """Write a folder of safetensors alone from any that loads. `dtype` None keeps what is stored.

    Raises CheckpointRefused, also for a target that exists and is not empty.
    """
    if target.exists() and any(target.iterdir()):
        raise CheckpointRefused(f"{target.name} exists and is not empty")
    layout = read_layout(folder)
    problems = compare(expected_shapes(layout.config), layout.sources)
    if problems:
        raise CheckpointRefused(f"{folder.name} does not fit its config: " + "; ".join(problems))
    target.mkdir(parents=True, exist_ok=True)
    (target / CONFIG).write_text(layout.config.to_json(), encoding="utf-8")
    if (folder / TOKENIZER).exists():
        shutil.copyfile(folder / TOKENIZER, target / TOKENIZER)
    _write_shards(_loaded(layout.sources, dtype), target)
    return inspect(target)


def write(model: Vita, target: Path, tokenizer: Path | None = None) -> None:
    """Write a model in memory as a converted folder (training's own checkpoints)."""
    target.mkdir(parents=True, exist_ok=True)
    (target / CONFIG).write_text(model.config.to_json(), encoding="utf-8")
    if tokenizer is not None:
        shutil.copyfile(tokenizer, target / TOKENIZER)
    known = expected_shapes(model.config)
    tensors = ((k, v.detach().cpu()) for k, v in model.state_dict().items() if k in known)
    _write_shards(tensors, target)


def _loaded(sources: dict[str, Source], dtype: torch.dtype | None) -> Iterator[tuple[str, Tensor]]:
    for key, source in sorted(sources.items()):
        tensor = source.load()
        yield key, tensor if dtype is None else tensor.to(dtype)


def _write_shards(tensors: Iterator[tuple[str, Tensor]], target: Path) -> None:
    """One file for a small model; for a large one several and an index."""
    shards: list[list[str]] = []
    held: dict[str, Tensor] = {}
    for key, tensor in tensors:
        if held and sum(t.nbytes for t in held.values()) + tensor.nbytes > SHARD_BYTES:
            shards.append(_write_shard(held, target, len(shards)))
            held = {}
        held[key] = tensor.contiguous()
    shards.append(_write_shard(held, target, len(shards)))
    if len(shards) == 1:
        (target / _shard(0)).rename(target / SINGLE)
        return
    mapping = {key: _shard(number) for number, keys in enumerate(shards) for key in keys}
    (target / INDEX).write_bytes(orjson.dumps({"weight_map": mapping}))


def _write_shard(tensors: dict[str, Tensor], target: Path, number: int) -> list[str]:
    save_file(tensors, target / _shard(number))
    return list(tensors)


def _shard(number: int) -> str:
    return f"model-{number:05}.safetensors"
