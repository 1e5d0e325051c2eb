"""What vLLM calls in each of its processes, by the entry point."""

from __future__ import annotations

ARCHITECTURE = "AntiphonTalker"
SERVED_MODEL = "models.engines.vllm.served_model:Talker"


def register() -> None:
    """Make our architecture known; its module is imported only where it runs."""
    from vllm import ModelRegistry

    if ARCHITECTURE not in ModelRegistry.get_supported_archs():
        ModelRegistry.register_model(ARCHITECTURE, SERVED_MODEL)
