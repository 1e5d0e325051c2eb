"""A server of our own for the length of a measurement, in its own process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.driver import CallerLine

DATA_VARIABLE = "ANTIPHON_DATA"  # where benchmarks look for recordings
_READY_WITHIN = 60.0  # seconds


@contextmanager
def service(
    url: str | None,
    *arguments: str,
    log: Path | None = None,
    command: Sequence[str] = ("server", "serve"),
) -> Iterator[CallerLine]:
    """The server at `url`, or a fresh one on a free port (then stopped at the end).

    `command`: the module that serves, and its first arguments. Raises RuntimeError if it does not
    get ready.
    """
    if url is not None:
        yield CallerLine(url, os.environ.get("ANTIPHON_KEY"))
        return
    port = free_port()
    whole = [sys.executable, "-m", *command, "--port", str(port), *arguments]
    output = log.open("w") if log else subprocess.DEVNULL
    process = subprocess.Popen(whole, stdout=output, stderr=subprocess.STDOUT, env=_environment())
    try:
        wait_until_ready(f"http://127.0.0.1:{port}/readyz", process)
        yield CallerLine(f"ws://127.0.0.1:{port}/v1/realtime", process=process.pid)
    finally:
        process.terminate()
        process.wait(timeout=20)
        if not isinstance(output, int):
            output.close()


def wait_until_ready(address: str, process: subprocess.Popen[bytes]) -> None:
    """Ask until the server says that it is ready. Raises RuntimeError if it ends or takes long."""
    until = time.monotonic() + _READY_WITHIN
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with code {process.returncode}")
        try:
            if httpx.get(address, timeout=1.0).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"the server was not ready within {_READY_WITHIN:.0f} s")


def _environment() -> dict[str, str]:
    """Ours without what is no setting of the server."""
    return {name: value for name, value in os.environ.items() if name != DATA_VARIABLE}


@contextmanager
def scripted_address(first_token_ms: float = 60.0) -> Iterator[str]:
    """The address of a language model that answers by a script, in a process of its own."""
    port = free_port()
    command = ["-m", "benchmarks.scripted_chat", "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, *command, "--first-token-ms", str(first_token_ms)],
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}/v1/models", process)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(timeout=20)


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
