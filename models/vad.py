"""Silero's voice activity detector on onnxruntime: one shared model, one state a session.

The file comes with the silero-vad package (MIT). The package itself is never imported, because it
imports torch. Version 6: 16 kHz, windows of 512 samples, each seen with the 64 samples before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from models.base import HEAR_RATE, InstanceFailed, Samples

WINDOW = 512  # samples, 32 ms
CONTEXT = 64  # samples before the window that the network wants to see again
_WEIGHTS = "silero_vad_16k_op15.onnx"
_WIDTH = 128


def find_weights() -> Path:
    """The ONNX file inside the installed silero-vad package. Raises InstanceFailed without one."""
    package = find_spec("silero_vad")
    for folder in package.submodule_search_locations or () if package else ():
        path = Path(folder) / "data" / _WEIGHTS
        if path.is_file():
            return path
    raise InstanceFailed(
        f"voice activity detection: no {_WEIGHTS}; is silero-vad >= 6.2 installed?"
    )


@dataclass(slots=True)
class _Memory:
    """What one session's detector remembers between windows."""

    state: npt.NDArray[np.float32] = field(
        default_factory=lambda: np.zeros((2, 1, _WIDTH), dtype=np.float32)
    )
    context: Samples = field(default_factory=lambda: np.zeros(CONTEXT, dtype=np.float32))


class SileroModel:
    """The weights, loaded once, and the one thread that runs them beside the event loop.

    A window costs a fraction of a millisecond, so a single thread serves many sessions, and the
    sessions' windows are taken in the order in which they came.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Loads the weights (some 10 ms of work). Raises InstanceFailed where there are none."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._network = ort.InferenceSession(
            str(path or find_weights()), options, providers=["CPUExecutionProvider"]
        )
        self._rate = np.array(HEAR_RATE, dtype=np.int64)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="silero")

    def detector(self) -> SileroDetector:
        """A detector for one session."""
        return SileroDetector(self)

    async def measure(self, memory: _Memory, samples: Samples) -> list[float]:
        """Probabilities [n / 512] of voice in samples [n], whole windows, off the event loop."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._measure, memory, samples)

    def probabilities(self, samples: Samples) -> list[float]:
        """Probabilities of voice of the whole windows in a recording [n], in the calling thread."""
        return self._measure(_Memory(), samples[: len(samples) // WINDOW * WINDOW])

    def close(self) -> None:
        """Ends the thread; windows that still wait are measured first."""
        self._thread.shutdown()

    def _measure(self, memory: _Memory, samples: Samples) -> list[float]:
        windows = samples.reshape(-1, WINDOW)
        return [self._step(memory, window) for window in windows]

    def _step(self, memory: _Memory, window: Samples) -> float:
        seen = np.concatenate((memory.context, window))
        given = {"input": seen[None, :], "state": memory.state, "sr": self._rate}
        probability, memory.state = self._network.run(None, given)
        memory.context = window[-CONTEXT:]
        return float(probability[0, 0])


class SileroDetector:
    """Voice activity of one session (models.base.VoiceActivityDetector)."""

    window = WINDOW

    def __init__(self, model: SileroModel) -> None:
        self._model = model
        self._memory = _Memory()
        self._held: Samples = np.zeros(0, dtype=np.float32)

    async def detect(self, samples: Samples) -> Sequence[float]:
        """Probabilities of the windows that samples [n], 16 kHz, complete. One caller at a time."""
        held = np.concatenate((self._held, samples), dtype=np.float32)
        whole = len(held) // WINDOW * WINDOW
        self._held = held[whole:].copy()
        if not whole:
            return ()
        return await self._model.measure(self._memory, held[:whole])

    def reset(self) -> None:
        """Forget the sound so far. A measurement under way keeps the memory it began with."""
        self._memory = _Memory()
        self._held = np.zeros(0, dtype=np.float32)
