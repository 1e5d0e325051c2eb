"""Which card VITA-1.5 needs: a table for docs/models.md, calculated from the sizes of the model.

`python -m benchmarks.gpu_cards` prints it; a test holds the document to it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rich.console import Console

from models.base import SPARE_STREAMS
from models.engines.resident import STREAMS
from models.engines.vllm.topology import is_dual, needs_of
from models.vita.config import (
    AdapterConfig,
    AudioEncoderConfig,
    CodecConfig,
    LanguageModelConfig,
    SpeechDecoderConfig,
    VisionConfig,
    VitaConfig,
)
from models.vita.footprint import Footprint, footprint
from models.vita.released import RELEASED_STATES

ROOT: Final = Path(__file__).resolve().parent.parent
GIGABYTE: Final = 10**9
CARDS: Final = (24, 48, 80, 141)  # gigabytes
CONTEXTS: Final = (4_096, 8_192, 32_768)
VLLM_SHARE: Final = 0.85  # of a card for vLLM's engines, as vllm.memory has it


def released_config() -> VitaConfig:
    """VITA-1.5 as released: its sizes are the defaults."""
    return VitaConfig(
        audio=AudioEncoderConfig(),
        adapter=AdapterConfig(),
        language=LanguageModelConfig(),
        states=RELEASED_STATES,
        template="vita-1.5",
        vision=VisionConfig(),
        speech=SpeechDecoderConfig(),
        codec=CodecConfig(),
    )


def table() -> str:
    """Markdown: a row for each card."""
    config = released_config()
    needs = {context: footprint(config, context) for context in CONTEXTS}
    head = " | ".join(f"conversations of {context:,} tokens" for context in CONTEXTS)
    lines = [f"| card | {head} | engine `vllm` (`auto`) |", "|---" * (len(CONTEXTS) + 2) + "|"]
    for card in CARDS:
        counts = " | ".join(_most(needs[context], card) for context in CONTEXTS)
        lines.append(f"| {card} GB | {counts} | {_topology(config, card)} |")
    return "\n".join(lines)


def _most(need: Footprint, card: int) -> str:
    count = min(need.conversations(card * GIGABYTE), STREAMS - SPARE_STREAMS)
    return str(count) if count else "none"


def _topology(config: VitaConfig, card: int) -> str:
    needs = needs_of(config.language, CONTEXTS[0], 2)
    there = round(VLLM_SHARE * card * GIGABYTE)
    if needs.of(1) > there:
        return "does not fit"
    return "`dual`" if is_dual("auto", needs, there) else "`single`"


if __name__ == "__main__":
    Console().print(table(), markup=False, highlight=False, soft_wrap=True)
