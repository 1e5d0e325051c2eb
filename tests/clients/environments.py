"""An environment for each client, made from its lock file, or from the newest of everything."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.clients.inventory import HERE, Client

ROOT = HERE.parents[1] / ".clients"
INSTALL_SECONDS = 900.0
NODE_AT_LEAST = (20, 15)  # crc32 in node:zlib


class NotInstallable(Exception):
    """A client cannot be had here; the text says why."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a client's program runs, what runs it, and what is installed."""

    folder: Path
    command: tuple[str, ...]
    versions: tuple[str, ...]


def prepare(client: Client, *, newest: bool = False) -> Environment:
    """Install a client if it is not there yet, and lay its program beside it.

    Raises NotInstallable.
    """
    name = client.folder_name or client.name
    folder = ROOT / (f"{name}-newest" if newest else name)
    folder.mkdir(parents=True, exist_ok=True)
    if client.runtime == "python":
        return _python(client, folder, newest)
    return _node(client, folder, newest)


def _python(client: Client, folder: Path, newest: bool) -> Environment:
    python = folder / "venv" / "bin" / "python"
    lock = client.folder / "requirements.lock"
    wanted = client.folder / "requirements.in" if newest else lock
    if newest or not _is_current(folder, wanted):
        _run(sys.executable, "-m", "venv", folder / "venv")
        options = ["--upgrade"] if newest else ["--no-deps"]
        pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        _run(python, *pip, *options, "-r", wanted)
        _mark(folder, wanted)
    _lay(client, folder, "*.py", HERE / "report.py", HERE / "picture.py")
    code = "import sys; from importlib.metadata import version as v; print(*map(v, sys.argv[1:]))"
    found = _run(python, "-c", code, *client.packages).split()
    return Environment(folder, (str(python), "program.py"), tuple(found))


def _node(client: Client, folder: Path, newest: bool) -> Environment:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise NotInstallable("node and npm are not installed")
    version = _run(node, "--version").strip().lstrip("v")
    if tuple(map(int, version.split(".")[:2])) < NODE_AT_LEAST:
        raise NotInstallable(f"node {version} is too old")
    lock = client.folder / "package-lock.json"
    if newest or not _is_current(folder, lock):
        shutil.copy(client.folder / "package.json", folder)
        if newest:
            _run(npm, "update", "--no-package-lock", "--no-audit", "--no-fund", cwd=folder)
        else:
            shutil.copy(lock, folder)
            _run(npm, "ci", "--no-audit", "--no-fund", cwd=folder)
        _mark(folder, lock)
    _lay(client, folder, "*.mjs", HERE / "report.mjs")
    versions = []
    for package in client.packages:
        described = folder / "node_modules" / package / "package.json"
        versions.append(json.loads(described.read_text())["version"])
    return Environment(folder, (node, "program.mjs"), tuple(versions))


def _lay(client: Client, folder: Path, pattern: str, *shared: Path) -> None:
    for file in (*client.folder.glob(pattern), *shared):
        shutil.copy(file, folder)


def _is_current(folder: Path, lock: Path) -> bool:
    mark = folder / "installed"
    return mark.is_file() and mark.read_text() == lock.read_text()


def _mark(folder: Path, lock: Path) -> None:
    (folder / "installed").write_text(lock.read_text())


def _run(*words: str | Path, cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(
            [str(word) for word in words],
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstallable(f"{words[0]}: {error}") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason"])[-1]
        raise NotInstallable(f"{' '.join(map(str, words[:4]))}: {last}")
    return done.stdout
