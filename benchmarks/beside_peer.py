"""Our cascade beside pipecat's pipeline: `python -m benchmarks.beside_peer --python PEER_PYTHON`.

The same scenes, the same simulated caller, the same transcriber, voice and scripted address, one
after the other on the same machine; nothing else should run. `make bench-peer` does all of it.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.duplex import RESULTS
from benchmarks.machine import header
from benchmarks.material import Material, find_data
from benchmarks.performance import perform
from benchmarks.scene import build, read_scenes
from benchmarks.service import free_port, scripted_address

SCENES = (
    "turn-taking",
    "interruption",
    "noise-over-answer",
    "backchannel-over-answer",
    "noise-in-silence",
)
COMPARED = (  # scene, figure
    ("turn-taking", "response"),
    ("interruption", "stop"),
    ("interruption", "interruption"),
    ("noise-over-answer", "false_interruption"),
    ("backchannel-over-answer", "false_interruption"),
    ("noise-in-silence", "false_answer"),
)
_READY_WITHIN = 60.0  # seconds


def main(
    python: Annotated[Path, typer.Option(help="The Python of the peer's environment.")],
    limit: Annotated[int, typer.Option(min=1, help="Trials of each scene.")] = 40,
    data: Annotated[Path | None, typer.Option(help="Data folder (else ANTIPHON_DATA).")] = None,
    seed: Annotated[int, typer.Option()] = 0,
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = RESULTS,
) -> None:
    """Play the same scenes through both and print the ratios."""
    console, material = Console(), Material(find_data(data), "dev")
    wanted = [scene for scene in read_scenes() if scene.name in SCENES]
    plans = [(one.name, build(one, material, seed=seed, limit=limit)) for one in wanted]
    with scripted_address() as address:
        with _peer(python, address) as url:
            theirs = perform(plans, console, sessions=1, url=url)
        serving = ("--llm", address, "--llm-model", "scripted")
        ours = perform(plans, console, sessions=1, serving=serving)
    found = {"header": header(seed=seed, limit=limit), "antiphon": ours, "pipecat": theirs}
    out.mkdir(parents=True, exist_ok=True)
    (out / "cascade-beside-pipecat.json").write_bytes(
        orjson.dumps(found, option=orjson.OPT_INDENT_2)
    )
    console.print(compared(ours, theirs))


def compared(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Table:
    """The figures side by side: milliseconds at the median, or shares; and their ratio."""
    view = Table(title="beside pipecat", title_justify="left")
    for name in ("scene", "figure", "antiphon", "pipecat", "ratio"):
        view.add_column(name)
    for scene, figure in COMPARED:
        values = [_value(each, scene, figure) for each in (ours, theirs)]
        shown = ["-" if value is None else f"{value:.2f}" for value in values]
        mine, other = values
        ratio = f"{mine / other:.2f}" if mine is not None and other else "-"
        view.add_row(scene, figure, *shown, ratio)
    return view


def _value(scenes: Mapping[str, Any], scene: str, figure: str) -> float | None:
    found = scenes.get(scene, {}).get("figures", {}).get(figure, {})
    value = found.get("rate", found.get("p50_ms"))
    return None if value is None else float(value)


@contextmanager
def _peer(python: Path, address: str) -> Iterator[str]:
    """The peer in a process of its own; where it listens."""
    port = free_port()
    command = [str(python), "-m", "benchmarks.peer_pipecat", "--port", str(port), "--llm", address]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment)
    try:
        _wait_until_open(port, process)
        yield f"ws://127.0.0.1:{port}/v1/realtime"
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_until_open(port: int, process: subprocess.Popen[bytes]) -> None:
    """Raises RuntimeError if the peer ends or takes long."""
    until = time.monotonic() + _READY_WITHIN
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise RuntimeError("the peer does not get ready")


if __name__ == "__main__":
    typer.run(main)
