"""Memory of a server, from its first moment on."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

_PROCESSES = Path("/proc")
_MIB = 2**20
_GONE = "XZ"  # states of a process that has ended


@dataclass(slots=True)
class MemorySampler:
    """Resident memory of a process and its children (pages that they share count for each).

    `process`: None where the server is not ours; then there are no samples.
    """

    process: int | None
    samples: list[tuple[float, float]] = field(default_factory=list)  # seconds, MiB

    def sample(self, now: float) -> None:
        """Look once; a server that has ended gives no sample."""
        if self.process is not None and (found := resident(self.process)) is not None:
            self.samples.append((now, found))


def resident(process: int) -> float | None:
    """Resident memory in MiB of a process and all that descend from it; None when it has ended."""
    children = _children()
    if process not in children:
        return None
    waiting, total = [process], 0.0
    while waiting:
        one = waiting.pop()
        waiting += children.get(one, [])
        total += own_memory(one)
    return total


def own_memory(process: int) -> float:
    """Resident memory in MiB of one process alone; 0.0 when it has ended."""
    try:
        pages = int((_PROCESSES / str(process) / "statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / _MIB


def _children() -> dict[int, list[int]]:
    """Every living process with its children."""
    found: dict[int, list[int]] = {}
    for path in _PROCESSES.glob("[0-9]*/stat"):
        try:
            # the name stands in brackets and may hold anything, brackets too
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state not in _GONE:
            found.setdefault(int(path.parent.name), [])
            found.setdefault(int(parent), []).append(int(path.parent.name))
    return found
