"""One copy of the weights on a GPU for all its engines: vLLM's weight cache daemon holds it, the
engines map it (load format ipc_cache). CUDA only: it has never been run with a GPU yet."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from socket import socket

from models.engines.vllm.plugin import ARCHITECTURE, SERVED_MODEL
from models.engines.vllm.visibility import environment_of

logger = logging.getLogger(__name__)
PATIENCE = 900.0  # seconds until a large model has loaded
_BETWEEN = 0.5


class WeightDaemon:
    """`vllm preload` as a process of ours, for one device; its sockets are in `sockets`."""

    def __init__(self, model: Path, dtype: str, sockets: Path, device: str) -> None:
        """Blocks until the weights are there. Raises RuntimeError where they do not come."""
        self.sockets = sockets
        port = _free_port()
        environment = os.environ | environment_of(device)
        self._process = subprocess.Popen(command(model, dtype, sockets, port), env=environment)
        deadline = time.monotonic() + PATIENCE
        while not _is_ready(port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise RuntimeError("the daemon that holds the weights did not start")
            time.sleep(_BETWEEN)

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()


def command(model: Path, dtype: str, sockets: Path, port: int) -> list[str]:
    """The daemon's process loads no plugins, so it is told by name which class our model is; only
    this machine may ask for its health."""
    program = Path(sys.executable).with_name("vllm")
    return [
        os.fspath(program), "preload", "--model", os.fspath(model), "--dtype", dtype,
        "--skip-tokenizer-init", "--generation-config", "vllm",
        "--model-class-overrides", json.dumps({ARCHITECTURE: SERVED_MODEL}),
        "--weight-cache-socket-dir", os.fspath(sockets),
        "--weight-cache-health-host", "127.0.0.1",
        "--weight-cache-health-port", str(port),
    ]  # fmt: skip


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _free_port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
