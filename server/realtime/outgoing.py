"""server.realtime: what reaches the wire: notices of the core, and the sound of answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from duplex.actions import Notice
from models.base import Samples, SpokenWord


@dataclass(frozen=True, slots=True)
class AnswerSound:
    """Samples [n] at 24 kHz that leave now."""

    response_id: int
    samples: Samples
    words: tuple[SpokenWord, ...] = ()


Outgoing: TypeAlias = Notice | AnswerSound
