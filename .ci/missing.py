"""The entries of a lock file whose packages are not installed in this environment yet: what another
project's environment lacks to run ours, without moving anything that is there."""

from __future__ import annotations

import re
import sys
from importlib.metadata import distributions
from pathlib import Path


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def entries(lock: str) -> list[str]:
    """The requirements of a lock file, each with its marker and without its hashes."""
    lines = lock.replace("\\\n", " ").splitlines()
    found = [re.split(r"\s+--hash=", line)[0] for line in lines]
    return [line for line in found if line and not line.startswith(("#", "-"))]


def missing(lock: str, installed: set[str]) -> list[str]:
    """Entries of `lock` that name none of `installed` (plain names)."""
    named = ((plain(re.split(r"[=<>~!;\[ ]", each)[0]), each) for each in entries(lock))
    return [each for name, each in named if name not in installed]


if __name__ == "__main__":
    there = {plain(each.metadata["Name"]) for each in distributions()}
    sys.stdout.write("\n".join(missing(Path(sys.argv[1]).read_text(), there)) + "\n")
