"""server.draining: the command line `antiphon drain`."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from server.config import ConfigurationError, load_settings

_CONNECT_SECONDS = 5.0
_REPORT_SECONDS = 30.0  # a server that says nothing for so long has stopped


def command(
    path: Annotated[
        Path | None,
        typer.Option("--socket", help="The server's control socket; default: drain.socket."),
    ] = None,
    pid: Annotated[
        int | None, typer.Option(help="Send SIGTERM to this process instead.", min=1)
    ] = None,
    config: Annotated[
        Path | None, typer.Option(envvar="ANTIPHON_CONFIG", help="A TOML file of settings.")
    ] = None,
) -> None:
    """Let a server end without cutting its calls: it takes no more, and ends after the last one."""
    console = Console(stderr=True)
    try:
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
        else:
            _follow(_path(path, config), console)
    except ConfigurationError as error:
        for fault in error.faults:
            console.print(fault, style="red", markup=False)
        raise typer.Exit(2) from None
    except OSError as error:
        console.print(f"The server cannot be reached: {error}", style="red", markup=False)
        raise typer.Exit(1) from None


def _path(given: Path | None, config: Path | None) -> Path:
    path = given or load_settings(config).drain.socket
    if path is None:
        raise ConfigurationError(["drain.socket is not set: name --socket or --pid"])
    return path


def _follow(path: Path, console: Console) -> None:
    """Print each change until the server has drained. Raises OSError."""
    before: dict[str, Any] = {}
    for state in requested(path, b"drain"):
        if state != before:
            console.print(f"{state['status']}: {state['sessions']} calls are open", highlight=False)
        before = state


def requested(path: Path, request: bytes) -> Iterator[dict[str, Any]]:
    """Send one request to a control socket and give each line of its answer. Raises OSError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(_CONNECT_SECONDS)
        line.connect(str(path))
        line.sendall(request + b"\n")
        line.settimeout(_REPORT_SECONDS)
        with line.makefile("rb") as answer:
            for text in answer:
                yield orjson.loads(text)
