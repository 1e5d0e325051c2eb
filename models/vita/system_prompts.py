"""The system prompts behind which VITA's checkpoints were trained.

The sentences stand in `system_prompts.toml`, with their source and licence.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

Sight: TypeAlias = Literal["none", "image", "video"]
_FILE = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True, slots=True)
class SystemPrompts:
    """What stands before a conversation with sound or text alone, with pictures, with a video."""

    sound: str
    image: str
    video: str

    def of(self, sight: Sight) -> str:
        """The prompt for what is seen in the conversation."""
        return {"none": self.sound, "image": self.image, "video": self.video}[sight]

    def replaced(self, *, sound: str = "", image: str = "", video: str = "") -> SystemPrompts:
        """With an operator's own prompts; an empty one leaves that which is there."""
        return SystemPrompts(sound or self.sound, image or self.image, video or self.video)


@cache
def trained_prompts() -> SystemPrompts:
    """Those of the release."""
    content = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return SystemPrompts(**{field.name: content[field.name] for field in fields(SystemPrompts)})
