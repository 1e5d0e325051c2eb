"""Which engine a model folder is for, from its files alone; imports no network."""

from __future__ import annotations

import json
from pathlib import Path

CONVERTED = "vita.json"
PRETRAINED = "antiphon-smollm2"  # the model_type of the folder with SmolLM2's changes
RELEASED = ("vita-", "qwen2_multimodal")  # how model_type begins in VITA's own folders


def engine_for(folder: Path) -> str:
    """ "pytorch" for a VITA checkpoint, released or converted; "smollm" for the changes of SmolLM2;
    else "embedded"."""
    if (folder / CONVERTED).exists():
        return "pytorch"
    try:
        content = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return "embedded"  # which says what is wrong with it
    kind = content.get("model_type") if isinstance(content, dict) else None
    if kind == PRETRAINED:
        return "smollm"
    return "pytorch" if isinstance(kind, str) and kind.startswith(RELEASED) else "embedded"
