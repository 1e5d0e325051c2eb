"""Which test runs which line, and how long each test takes: asked once, kept in a file.

Run as a program it is its own pytest plugin: `python .ci/mutation/cover.py MAP TEST...`.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

FIRST_PARTY = ("audio", "benchmarks", "duplex", "models", "server", "tests")


@dataclass(frozen=True)
class CoverMap:
    """`seconds` and `digest` of each test by its id; `lines`: path, line, ids of the tests that run
    it; `modules`: what the tests import, in that order."""

    digest: str
    seconds: dict[str, float]
    lines: dict[str, dict[int, list[str]]]
    modules: list[str]

    def tests_of(self, path: str, first: int, last: int) -> list[str]:
        """The tests that run a line of [first, last], quickest first; all where the lines run when
        the file is imported and in no test."""
        of_line = self.lines.get(path, {})
        found = {test for line in range(first, last + 1) for test in of_line.get(line, ())}
        found = found or {*self.seconds}
        return sorted(found, key=lambda test: (self.seconds[test], test))


def digest_of(paths: tuple[str, ...], tests: tuple[str, ...]) -> str:
    """Changes when anything does that the map may depend on."""
    found = hashlib.sha256("\0".join(tests).encode())
    for root in (*paths, "tests"):
        for path in sorted(Path(root).rglob("*.py")):
            found.update(path.as_posix().encode() + path.read_bytes())
    return found.hexdigest()


def cover_map(file: Path, paths: tuple[str, ...], tests: tuple[str, ...]) -> CoverMap:
    """The map in `file`, made anew if code or tests have changed; a test that fails while it is
    traced is none of it. Exits if no test can be run."""
    digest = digest_of(paths, tests)
    data = json.loads(file.read_text()) if file.is_file() else {}
    if data.get("digest") != digest:
        command = [sys.executable, __file__, str(file), digest, ",".join(paths), *tests]
        if subprocess.run(command, check=False).returncode:
            sys.exit("the tests cannot be run")
        data = json.loads(file.read_text())
    lines = {
        path: {
            int(line): [data["tests"][number] for number in numbers] for line, numbers in of_line
        }
        for path, of_line in data["lines"].items()
    }
    return CoverMap(digest, data["seconds"], lines, data["modules"])


class Tracer:
    """A pytest plugin that notes for each test the lines that it runs in files below `paths`."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        files = [path for root in paths for path in Path(root).rglob("*.py")]
        self._names = {str(path.resolve()): path.as_posix() for path in files}
        self._seen: set[tuple[str, int]] = set()
        self.seconds: dict[str, float] = {}
        self.lines: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
        self._failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed or report.skipped:
            self._failed.add(report.nodeid)

    def _on_call(self, frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename not in self._names:
            return None
        self._seen.add((frame.f_code.co_filename, frame.f_lineno))
        return self._on_line

    def _on_line(self, frame: FrameType, event: str, _: Any) -> Any:
        self._seen.add((frame.f_code.co_filename, frame.f_lineno))
        return self._on_line

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._seen = set()
        began = time.monotonic()
        threading.settrace(self._on_call)
        sys.settrace(self._on_call)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            threading.settrace(None)  # type: ignore[arg-type]
            if item.nodeid not in self._failed:
                self._note(item.nodeid, round(time.monotonic() - began, 3))

    def _note(self, test: str, seconds: float) -> None:
        self.seconds[test] = seconds
        for name, line in self._seen:
            self.lines[self._names[name]][line].append(test)


def main() -> int:
    file, digest, paths, tests = sys.argv[1], sys.argv[2], sys.argv[3].split(","), sys.argv[4:]
    sys.path[0] = ""  # the checkout, as pytest would have it
    tracer = Tracer(tuple(paths))
    options = ["-q", "-p", "no:cacheprovider", "--hypothesis-seed=0", "--timeout=600"]
    status = pytest.main([*options, *tests], plugins=[tracer])
    if not tracer.seconds:
        return int(status)
    numbers = {test: number for number, test in enumerate(tracer.seconds)}
    data = {
        "digest": digest,
        "tests": list(numbers),
        "seconds": tracer.seconds,
        "lines": {
            path: [(line, [numbers[test] for test in tests]) for line, tests in of_line.items()]
            for path, of_line in tracer.lines.items()
        },
        "modules": [
            name for name in sys.modules if not name.startswith(("__", "_pytest", "pytest"))
        ],
    }
    Path(file).write_text(json.dumps(data))
    return 0


if __name__ == "__main__":
    sys.exit(main())
