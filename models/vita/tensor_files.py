"""Tensors in files that somebody else wrote: read lazily, refused clearly, never executed."""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

INDEX, SINGLE = "model.safetensors.index.json", "model.safetensors"


class CheckpointRefused(ValueError):
    """A model folder that is not loaded; says what is wrong, file by file."""


class Source(Protocol):
    """One tensor that can be had."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def bytes(self) -> int: ...
    def load(self) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor still in its safetensors file."""

    path: Path
    key: str
    shape: tuple[int, ...]
    width: int  # bytes of one number

    @property
    def bytes(self) -> int:
        return torch.Size(self.shape).numel() * self.width

    def load(self) -> Tensor:
        with safe_open(self.path, "pt") as file:
            tensor: Tensor = file.get_tensor(self.key)
        return tensor


@dataclass(frozen=True, slots=True)
class Held:
    """A tensor that is in memory already."""

    tensor: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.tensor.shape)

    @property
    def bytes(self) -> int:
        return self.tensor.nbytes

    def load(self) -> Tensor:
        return self.tensor


_WIDTHS = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2}


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise CheckpointRefused(f"{path.name}: {error.strerror}") from error
    except ValueError as error:
        raise CheckpointRefused(f"{path.name}: no valid JSON ({error})") from error


def inside(folder: Path, name: str, where: str) -> Path | None:
    """The place that a config names, if it is in the folder; None if there is nothing (a name of
    the Hub: it is never fetched). Raises CheckpointRefused for a name that leads out."""
    path = Path(name)
    if path.is_absolute() or ".." in path.parts or name.startswith("~") or ":" in name:
        raise CheckpointRefused(f"{where} names {name!r}, which is outside of the model folder")
    return folder / path if (folder / path).exists() else None


def safetensors_in(folder: Path) -> dict[str, Source]:
    """All tensors of a folder's safetensors, by key. Raises CheckpointRefused."""
    if (folder / INDEX).exists():
        index = read_json(folder / INDEX)
        mapping: dict[str, str] = index.get("weight_map", {}) if isinstance(index, dict) else {}
        names = sorted(set(mapping.values()))
    else:
        mapping, names = {}, [SINGLE]
    found = {name: inside(folder, name, INDEX) for name in names}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        raise CheckpointRefused(f"missing files: {', '.join(missing)}")
    sources: dict[str, Source] = {}
    for path in found.values():
        assert path is not None
        sources.update(tensors_in(path))
    absent = sorted(set(mapping) - set(sources))
    if absent:
        raise CheckpointRefused(f"{INDEX} names tensors that no file holds: {_some(absent)}")
    return sources


def tensors_in(path: Path) -> dict[str, Source]:
    """All tensors of one safetensors file, by key. Raises CheckpointRefused."""
    try:
        with safe_open(path, "pt") as file:
            slices = {key: file.get_slice(key) for key in file.keys()}
            return {
                key: Stored(path, key, tuple(s.get_shape()), _WIDTHS.get(s.get_dtype(), 1))
                for key, s in slices.items()
            }
    except (SafetensorError, OSError) as error:
        raise CheckpointRefused(f"{path.name}: damaged or cut short ({error})") from error


def read_pickle(path: Path) -> dict[str, Any]:
    """A torch pickle of nothing but tensors and plain containers; code in it is not run."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = "it holds more than tensors, which could run code; nothing was executed"
        raise CheckpointRefused(f"{path.name}: {reason}") from error
    except (OSError, RuntimeError, EOFError, ValueError) as error:
        raise CheckpointRefused(f"{path.name}: damaged or missing ({error})") from error
    if not isinstance(content, dict):
        raise CheckpointRefused(f"{path.name}: no dictionary of tensors")
    return content


def _some(names: list[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def compare(expected: dict[str, tuple[int, ...]], found: dict[str, Source]) -> list[str]:
    """What is missing, surplus or misshapen, one line each; empty where all fits."""
    missing = sorted(set(expected) - set(found))
    surplus = sorted(set(found) - set(expected))
    wrong = [
        f"{key} is {found[key].shape} instead of {shape}"
        for key, shape in expected.items()
        if key in found and found[key].shape != shape
    ]
    lists = (("missing", missing), ("surplus", surplus), ("misshapen", wrong))
    return [f"{len(names)} {what}: {_some(names)}" for what, names in lists if names]
