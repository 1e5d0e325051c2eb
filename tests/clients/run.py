"""Every stock client against a real server: `make test-clients`.

Each client has an environment of its own under .clients, made from its lock file, and a program
under tests/clients/NAME that tells of each feature whether it worked.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import soundfile

from audio.resample import resample
from tests.clients.browser import run_page
from tests.clients.environments import Environment, NotInstallable, prepare
from tests.clients.inventory import CLIENTS, HERE, Client
from tests.clients.servers import Servers
from tests.clients.table import Outcome, markdown, write

PROGRAM_SECONDS = 420.0
RATE = 24_000
RECORDINGS = ("question_en_capital", "question_en_sum", "story_en")


def main() -> int:
    """0: every feature that a client has works; 1: some do not."""
    arguments = _arguments()
    chosen = [c for c in CLIENTS if not arguments.clients or c.name in arguments.clients]
    with tempfile.TemporaryDirectory(prefix="antiphon-clients-") as name:
        files = Path(name)
        lay_recordings(files / "speech")
        bound = socket.create_server(("127.0.0.1", 0))
        origin = f"http://127.0.0.1:{bound.getsockname()[1]}"
        with bound, Servers(files, origin) as servers:
            outcomes = [
                try_client(client, servers, files, bound, newest=arguments.newest)
                for client in chosen
            ]
        _show_logs(files, outcomes)
    if arguments.write:
        write(outcomes)
    print(markdown(outcomes))
    return _verdict(outcomes)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    names = ", ".join(client.name for client in CLIENTS)
    parser.add_argument("clients", nargs="*", metavar="CLIENT", help=f"Of {names}; default: all.")
    parser.add_argument("--newest", action="store_true", help="Not the locked versions.")
    parser.add_argument("--write", action="store_true", help="Write the table to the document.")
    return parser.parse_args()


def lay_recordings(folder: Path) -> None:
    """The recordings as WAV files that the programs read with their standard libraries."""
    folder.mkdir()
    for name in RECORDINGS:
        samples, rate = soundfile.read(
            HERE.parent / "data" / "audio" / f"{name}.flac", dtype="float32"
        )
        soundfile.write(folder / f"{name}.wav", resample(samples, rate, RATE), RATE, "PCM_16")


def try_client(
    client: Client, servers: Servers, files: Path, bound: socket.socket, *, newest: bool
) -> Outcome:
    """Install and run one client; whatever happens is in the outcome."""
    print(f"\n{client.title}", flush=True)
    try:
        environment = prepare(client, newest=newest)
        told = servers.environment(files / "speech")
        servers.plain.wait()
        outcome = Outcome(client, environment.versions)
        if client.runtime == "browser":
            for result in run_page(environment, told, bound, client.folder):
                take(outcome, result)
            outcome.cells.setdefault("quick start", "yes")
        else:
            run_program(environment, told, servers, outcome)
    except NotInstallable as error:
        print(f"  skipped: {error}", flush=True)
        return Outcome(client, skipped=str(error))
    return outcome


def run_program(
    environment: Environment, told: dict[str, str], servers: Servers, outcome: Outcome
) -> None:
    """Run a program to its end or its time's; it may ask for the server to be restarted."""
    with subprocess.Popen(
        environment.command,
        cwd=environment.folder,
        env=os.environ | told | {"PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=(environment.folder / "stderr.log").open("w"),
        text=True,
        bufsize=1,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        until = time.monotonic() + PROGRAM_SECONDS
        while (left := until - time.monotonic()) > 0:
            ready, _, _ = select.select([process.stdout], [], [], left)
            line = process.stdout.readline() if ready else ""
            if not line:
                break
            message = _message(line)
            if message.get("restart"):
                servers.restart()
                process.stdin.write("restarted\n")
                process.stdin.flush()
            elif "feature" in message:
                take(outcome, message)
        if process.poll() is None and time.monotonic() >= until:
            print("  the program took too long", flush=True)
            process.kill()


def _message(line: str) -> dict[str, str]:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def take(outcome: Outcome, result: dict[str, str]) -> None:
    """Note one result and show it."""
    name = result["feature"]
    outcome.cells[name], outcome.notes[name] = result["result"], result.get("note", "")
    print(f"  {result['result']:>3}  {name}: {outcome.notes[name]}", flush=True)


def _show_logs(files: Path, outcomes: list[Outcome]) -> None:
    """The ends of the servers' logs, where something failed."""
    if any(outcome.failures for outcome in outcomes):
        for log in sorted(files.glob("*.log")):
            print(f"\n{log.name}:", *log.read_text().splitlines()[-15:], sep="\n  ")


def _verdict(outcomes: list[Outcome]) -> int:
    failed = [(o.client.title, name) for o in outcomes for name in o.failures]
    worked = sum(cell == "yes" for outcome in outcomes for cell in outcome.cells.values())
    skipped = sum(bool(outcome.skipped) for outcome in outcomes)
    for title, name in failed:
        print(f"failed: {title}: {name}")
    print(f"{worked} passed, {len(failed)} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
