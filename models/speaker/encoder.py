"""models.speaker: a voice as one vector, and how alike two voices are, on onnxruntime.

    encoder = SpeakerModel()              # raises InstanceFailed without the weights
    print_ = await encoder.embed(voiced)  # voiced samples at 16 kHz -> VoicePrint

The network is resemblyzer 0.1.4's GE2E encoder (Wan et al. 2018, arXiv 1710.10467; Apache-2.0),
exported once to 8-bit ONNX: see MODEL_CARD.md. It takes stretches of at most 1.6 s, as it was
trained; a longer sound is the mean of its stretches.
"""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from models.base import HEAR_RATE, InstanceFailed, Samples, VoicePrint
from models.speaker.likeness import FITTED, VoiceLikeness
from models.speaker.mel import Mels, mel_bands
from models.speaker.sound import level

WEIGHTS = Path(__file__).with_name("speaker.onnx")
WIDTH = 256
STRETCH = 8 * HEAR_RATE // 5  # samples, 1.6 s
SHORTEST_STRETCH = HEAR_RATE // 5  # samples; a shorter rest is left out
LEVEL = -30.0  # dBFS that every stretch is brought to: the bands are no logarithms
_TINY = np.float32(1e-9)
_NICENESS = 10  # of the thread: what answers goes first


class SpeakerModel:
    """The weights, loaded once, and the one thread that runs them beside the event loop."""

    def __init__(self, path: Path = WEIGHTS, fitted: Path | None = FITTED) -> None:
        """Loads the weights (some 10 ms of work). Raises InstanceFailed where there are none.
        Without `fitted` voices can be measured, and not compared."""
        self._likeness = None if fitted is None else VoiceLikeness.load(fitted)
        if not path.is_file():
            raise InstanceFailed(f"speaker profile: no {path.name} beside the program")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        self._network = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self._thread = ThreadPoolExecutor(1, "speaker", initializer=_step_back)

    async def embed(self, voiced: Samples) -> VoicePrint:
        """Voiced samples [n] at 16 kHz, n > 0, off the event loop (models.base.SpeakerEncoder)."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self.measure, voiced)

    def likeness(self, known: VoicePrint, heard: VoicePrint) -> float:
        """The probability that both are one speaker."""
        assert self._likeness is not None
        return self._likeness.of(known, heard)

    def measure(self, voiced: Samples) -> VoicePrint:
        """As `embed`, in the calling thread."""
        found = [self._run(stretch) * len(stretch) for stretch in stretches(voiced)]
        total: npt.NDArray[np.float32] = np.array(found, np.float32).sum(axis=0)
        vector: npt.NDArray[np.float32] = total / max(np.float32(np.linalg.norm(total)), _TINY)
        return VoicePrint(vector, len(voiced) / HEAR_RATE, level(voiced))

    def _run(self, stretch: Samples) -> npt.NDArray[np.float32]:
        """One stretch -> its vector [WIDTH] of length one."""
        gain = np.float32(10 ** ((LEVEL - level(stretch)) / 20))
        return self.vector_of(mel_bands(stretch * gain))

    def vector_of(self, mels: Mels) -> npt.NDArray[np.float32]:
        """Mel bands [frames, BANDS] -> a vector [WIDTH] of length one, zeros where it hears
        nothing."""
        vector: npt.NDArray[np.float32] = self._network.run(None, {"mels": mels[None]})[0][0]
        return np.nan_to_num(vector)

    def close(self) -> None:
        """Ends the thread; what waits is measured first."""
        self._thread.shutdown()


def stretches(voiced: Samples) -> list[Samples]:
    """[n] in pieces of STRETCH, without a last one that is too short to say anything."""
    pieces = [voiced[at : at + STRETCH] for at in range(0, len(voiced), STRETCH)]
    return pieces[:1] + [piece for piece in pieces[1:] if len(piece) >= SHORTEST_STRETCH]


def _step_back() -> None:
    """Lower the priority of this thread alone, where the system can."""
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
