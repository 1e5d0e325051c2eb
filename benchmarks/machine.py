"""On what and of what a figure was measured."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from server.config import ServerSettings

_ROOT = Path(__file__).resolve().parent.parent
PACKED_COMMIT = _ROOT / "benchmarks" / "commit.txt"  # where there is no repository


def machine() -> dict[str, Any]:
    """Processor, cores and memory of this machine."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.system(),
        "python": platform.python_version(),
        "load_1min": round(os.getloadavg()[0], 2),
    }


def commit() -> str:
    """The commit that was measured; "-dirty" where the files differ from it. Files that were packed
    for another machine have it beside them."""
    if PACKED_COMMIT.exists():
        return PACKED_COMMIT.read_text().strip()
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    found = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def model() -> str:
    """The first letters of a digest of the model's files: which weights were measured."""
    digest = hashlib.sha256()
    folder = ServerSettings().model
    for path in sorted(folder.glob("*.onnx")) + sorted(folder.glob("*.npy")):
        digest.update(path.name.encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return f"{ServerSettings().model_name} {digest.hexdigest()[:12]}"


def header(**more: Any) -> dict[str, Any]:
    """What stands at the top of every result."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {
        "machine": machine(),
        "commit": commit(),
        "model": model(),
        "measured_at": now,
        **more,
    }


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
