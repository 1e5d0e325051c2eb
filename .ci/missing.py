"""The lines of a lock file whose packages are not installed in this environment yet: what another
project's environment lacks to run ours, without moving anything that is there."""

from __future__ import annotations

import re
import sys
from importlib.metadata import distributions
from pathlib import Path


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def missing(lock: str, installed: set[str]) -> list[str]:
    """Lines of `lock` that name none of `installed` (plain names)."""
    lines = [line for line in lock.splitlines() if line.strip() and not line.startswith(("#", "-"))]
    return [line for line in lines if plain(re.split(r"[=<>~!;\[ ]", line)[0]) not in installed]


if __name__ == "__main__":
    there = {plain(each.metadata["Name"]) for each in distributions()}
    sys.stdout.write("\n".join(missing(Path(sys.argv[1]).read_text(), there)) + "\n")
