"""One mutant before its tests, in a forked process that has the libraries loaded already."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import select
import signal
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType, ModuleType

import pytest

from mutation.cover import FIRST_PARTY, CoverMap
from mutation.finder import Mutant

# Tests that take no longer than this go first, all of them before any other; to import a file of
# them takes about so long.
QUICK_SECONDS, IMPORT_SECONDS = 0.5, 0.3
# A test that takes so many times what it took without a mutant, and so many seconds more, hangs.
SLOWER, GRACE_SECONDS = 10.0, 20.0
# What is loaded before the fork has no mutant in it; pytest loads its plugins itself.
SHARED = ("audio", "models")
NEVER_LOADED = ("_pytest", "pytest", "xdist", "antiphon")


def preload(modules: Sequence[str]) -> None:
    """Import what the tests will need, as far as no mutant is in it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in modules:
            top = name.partition(".")[0]
            is_ours = top in FIRST_PARTY and top not in SHARED
            if is_ours or top.startswith(NEVER_LOADED) or name in sys.modules:
                continue
            try:
                importlib.import_module(name)
            except Exception:  # made by its parent in another way
                continue


class MutantLoader(importlib.machinery.SourceFileLoader):
    """Loads one module from its mutated text, which no cache ever sees."""

    def __init__(self, name: str, path: str, text: bytes) -> None:
        super().__init__(name, path)
        self._text = text

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._text, self.path, "exec", dont_inherit=True)


class MutantFinder(importlib.abc.MetaPathFinder):
    """Finds the one mutated module."""

    def __init__(self, mutant: Mutant) -> None:
        self._module = mutant.module
        path = Path(mutant.path)
        text = mutant.applied(path.read_bytes())
        self._loader = MutantLoader(mutant.module, str(path.resolve()), text)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != self._module:
            return None
        return importlib.util.spec_from_loader(name, self._loader, origin=self._loader.path)


class FirstFailure:
    """A pytest plugin that remembers the first test that failed."""

    name = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.name:
            self.name = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self.name:
            self.name = f"{report.nodeid} (cannot be imported)"


def judge(mutant: Mutant, cover: CoverMap, budget: float) -> tuple[str, str, float]:
    """killed, timeout (which counts as killed) or survived; the test that failed; and the seconds
    it took. The tests are those that take `budget` seconds together without a mutant."""
    began = time.monotonic()
    tests, expected = [], 0.0
    for test in cover.tests_of(mutant.path, mutant.line, mutant.last_line):
        expected += cover.seconds[test]
        if expected <= budget or not tests:
            tests.append(test)
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        _judge_here(mutant, tests, cover, writer)
    os.close(writer)
    outcome, test = _result(child, reader, GRACE_SECONDS + SLOWER * expected)
    return outcome, test, time.monotonic() - began


def _result(child: int, reader: int, limit: float) -> tuple[str, str]:
    """What the child says before it ends, in time."""
    said = b""
    ends = time.monotonic() + limit
    while (left := ends - time.monotonic()) > 0:
        if select.select([reader], [], [], left)[0]:
            piece = os.read(reader, 65536)
            if not piece:
                break
            said += piece
    os.close(reader)
    if left <= 0:
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if left <= 0:
        return "timeout", ""
    outcome, _, test = said.decode().partition(" ")
    return (outcome, test) if outcome else ("killed", "the process")


def _judge_here(mutant: Mutant, tests: list[str], cover: CoverMap, writer: int) -> None:
    """In the child: load the mutant, run its tests, say what came of it, end."""
    os.setpgid(0, 0)
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silence, stream)
    sys.meta_path.insert(0, MutantFinder(mutant))
    failure = FirstFailure()
    outcome = "survived"
    for some in _portions(tests, cover):
        slowest = max(cover.seconds[test] for test in some)
        options = [
            "-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0", "--no-header",
            "-W", "ignore::pytest.PytestAssertRewriteWarning",
            f"--timeout={GRACE_SECONDS + SLOWER * slowest:.0f}",
        ]  # fmt: skip
        if pytest.main([*options, *some], plugins=[failure]):
            outcome = "killed"
            break
    os.write(writer, f"{outcome} {failure.name}".encode())
    os._exit(0)


def _portions(tests: list[str], cover: CoverMap) -> Iterator[list[str]]:
    """The quick tests file by file, since each file has to be imported: those first that have most
    tests for their time. Then the others."""
    quick: dict[str, list[str]] = defaultdict(list)
    slow = []
    for test in tests:
        if cover.seconds[test] <= QUICK_SECONDS:
            quick[test.partition("::")[0]].append(test)
        else:
            slow.append(test)

    def worth(some: list[str]) -> float:
        return len(some) / (IMPORT_SECONDS + sum(cover.seconds[test] for test in some))

    yield from sorted(quick.values(), key=worth, reverse=True)
    if slow:
        yield slow
