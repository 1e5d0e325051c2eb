"""The embedded engine: onnxruntime on CPU, for the bundled model.

    bundle = load(folder)
    first, second = EmbeddedInstance(bundle, "first"), EmbeddedInstance(bundle, "second")

The weights are in the bundle, once. An instance is a thread with its queue; a stream is a cache.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from models.base import Synthesizer
from models.engines.bundle import Bundle
from models.engines.jobs import Priority
from models.engines.memory import PromptMemory
from models.engines.nano_model import NanoModel
from models.engines.resident import DeviceStream, ResidentInstance


def load(folder: Path) -> Bundle:
    """Read a model folder. Raises models.engines.bundle.BadBundle."""
    return Bundle.read(folder)


class EmbeddedInstance(ResidentInstance[PromptMemory]):
    """A models.base.Instance over a bundle that others may share."""

    def __init__(
        self, bundle: Bundle, name: str = "embedded", synthesizer: Synthesizer | None = None
    ) -> None:
        super().__init__(NanoModel(bundle, synthesizer, no_device), name)
        self.bundle = bundle


def no_device() -> DeviceStream:
    """One thread and no device: work runs where it is."""

    def on_cpu(_: Priority) -> AbstractContextManager[None]:
        return nullcontext()

    return on_cpu
