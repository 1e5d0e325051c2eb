"""From sizes to a running engine: every option of vLLM that we set."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

PLUGINS: Final = "vllm.general_plugins"
# No telemetry; a fresh interpreter for each process, since ours has threads; the model runner that
# the tests exercise (the CPU has no other). Whoever sets these in the environment rules.
ENVIRONMENT: Final = {
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_DO_NOT_TRACK": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
    "VLLM_USE_V2_MODEL_RUNNER": "0",
}


@dataclass(frozen=True, slots=True)
class EngineSize:
    """What one engine may have. `cache_bytes` None: what is left of `memory_share` of the GPU."""

    tokens: int  # the longest stream
    sequences: int = 64  # that are computed in one step
    parked: int = 0  # sessions beside them that wait for more sound
    features_gib: int = 0  # of vectors that the process keeps, so that they are sent once
    memory_share: float = 0.45
    cache_bytes: int | None = None
    eager: bool = False
    weights_sockets: Path | None = None  # folder of a daemon that holds the weights


def arguments(folder: Path, size: EngineSize, dtype: str, block: int) -> dict[str, Any]:
    """What AsyncEngineArgs takes; `folder` is a prepared one (models.engines.vllm.folder)."""
    given: dict[str, Any] = {
        "model": str(folder),
        "skip_tokenizer_init": True,
        "generation_config": "vllm",  # the folder has none, and no other may interfere
        "dtype": dtype,
        "max_model_len": size.tokens,
        "max_num_seqs": size.sequences + size.parked,
        "block_size": block,
        "enforce_eager": size.eager,
        "enable_prefix_caching": True,
        "scheduling_policy": "priority",
        "skip_mm_profiling": True,
        "mm_processor_cache_gb": size.features_gib,
        "limit_mm_per_prompt": {"audio": size.tokens, "image": size.tokens},
        "gpu_memory_utilization": size.memory_share,
        "disable_log_stats": True,
    }
    if size.cache_bytes is not None:
        given["kv_cache_memory_bytes"] = size.cache_bytes
    if size.weights_sockets is not None:
        given["load_format"] = "ipc_cache"
        given["model_loader_extra_config"] = {
            "socket_dir": str(size.weights_sockets),
            "fallback": False,
        }
    return given


def launch(given: dict[str, Any]) -> Any:
    """An AsyncLLM. Blocks until its processes have loaded the weights."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.v1.engine.async_llm import AsyncLLM

    if not entry_points(group=PLUGINS, name="antiphon"):
        raise RuntimeError(f"install antiphon here: vLLM looks for its entry point in {PLUGINS}")
    return AsyncLLM.from_engine_args(AsyncEngineArgs(**given))
