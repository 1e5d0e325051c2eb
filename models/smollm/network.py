"""SmolLM2 on onnxruntime: one copy of the weights, and caches for any number of conversations."""

from __future__ import annotations

import ctypes
import gc
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from models.engines.language import LanguageCache
from models.smollm import checkpoint, files
from models.smollm.chat import Chat
from models.smollm.gguf import Array, BadWeights, GgufFile
from models.smollm.weights import NO_CHANGES, Changes, Table, initializers
from models.vita.config import LanguageModelConfig

POSITIONS = 2048  # the longest conversation for which the graph has rotary tables


@dataclass(frozen=True, slots=True)
class SmolNetwork:
    """The session may be run from any number of threads."""

    config: LanguageModelConfig
    chat: Chat
    table: Table
    session: onnxruntime.InferenceSession

    def cache(self, capacity: int) -> LanguageCache:
        """A conversation of at most so many tokens, which has read nothing."""
        return LanguageCache(self.session, self.config, capacity)

    def read(self, cache: LanguageCache, ids: list[int]) -> Array:
        """Read tokens after those that were read; the logits [vocabulary] after the last, valid
        until the next call. Raises OutOfRoom."""
        return cache.read(self.table.rows(np.asarray(ids, np.int64)))


def load(
    gguf: Path | None = None, graph: Path = files.GRAPH, changes: Path | None = files.CHANGES
) -> SmolNetwork:
    """Make the weights and the session; takes seconds. Without `gguf` the weights are those of the
    installed package; with `changes` None the model is as it was published. Raises BadWeights."""
    with GgufFile(gguf or files.installed()) as file:
        config = checkpoint.configuration(file)
        learned = NO_CHANGES if changes is None else Changes.read(changes)
        table = Table(file, learned)
        session = _session(graph, dict(initializers(file, config, learned, table, POSITIONS)))
        made = SmolNetwork(config, Chat(checkpoint.tokenizer(file)), table, session)
    _give_back_memory()
    return made


def _session(
    graph: Path, weights: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]
) -> onnxruntime.InferenceSession:
    """One thread and no spinning: the calling thread does the work."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(each) for each in weights.values()]
    options.add_external_initializers(list(weights), values)
    try:
        return onnxruntime.InferenceSession(
            graph.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's own errors have no common base
        raise BadWeights(f"{graph.name}: {error}") from error


def _give_back_memory() -> None:
    """The weights were made from arrays that are no longer needed, some 150 MB; glibc would keep
    their memory for later."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
