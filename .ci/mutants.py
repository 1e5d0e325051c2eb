"""Do the tests notice it when the code is wrong? `make mutants`.

Each mutant is one small change of one place: a comparison turned, a condition fixed, a number
moved, a call left out. A draw by seed takes mutants of `duplex/` and `server/realtime/`, at least
one of every file that has any; each is judged by the tests below in a copy of the checkout, with a
limit of several times what the tests take without a mutant. What was judged before is not judged
again (the results file), so a run may be stopped and goes on later. Survivors are listed with the
reason that stands for them in `mutants.toml`, or with none. This takes hours and is no part of
`run`.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

PATHS = ("duplex", "server/realtime")
# The tests that judge a file: the quick and likely ones, and what they let pass, all.
TESTS = {
    "duplex": (
        (
            "tests/duplex/test_session.py",
            "tests/duplex/test_context_sync.py",
            "tests/duplex/test_leases.py",
            "tests/duplex/test_voice_activity.py",
            "tests/duplex/test_conversation.py",
            "tests/duplex/test_late_output.py",
        ),
        ("tests/duplex", "tests/server/test_replay.py"),
    ),
    "server/realtime": (
        (
            "tests/server/test_decode.py",
            "tests/server/test_encode.py",
            "tests/server/test_session_config.py",
        ),
        (
            "tests/server/test_budget.py",
            "tests/server/resume/test_codec.py",
            "tests/server/test_pictures.py",
            "tests/server/test_conversation.py",
        ),
    ),
}
COMPARISONS = {
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==",
    "is": "is not", "is not": "is", "in": "not in", "not in": "in",
}  # fmt: skip
OPERATORS = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
    ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in",
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%",
}  # fmt: skip
ARITHMETIC = {"+": "-", "-": "+", "*": "/", "/": "*", "//": "*"}


@dataclass(frozen=True)
class Mutant:
    """Text [start, end) of a file, in bytes, becomes `new`."""

    path: str
    line: int
    start: int
    end: int
    old: str
    new: str

    @property
    def name(self) -> str:
        return f"{self.path}:{self.line}: {_short(self.old)} -> {_short(self.new)}"


def _short(text: str) -> str:
    return " ".join(text.split())[:70]


class Finder(ast.NodeVisitor):
    """All mutants of one file."""

    def __init__(self, path: str, source: bytes) -> None:
        self.path, self.source = path, source
        self.found: list[Mutant] = []
        self.starts = [0]
        for line in source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None and node.end_col_offset is not None
        start = self.starts[node.lineno - 1] + node.col_offset
        return start, self.starts[node.end_lineno - 1] + node.end_col_offset

    def add(self, node: ast.expr | ast.stmt, new: str) -> None:
        start, end = self.span(node)
        old = self.source[start:end].decode()
        if old != new:
            self.found.append(Mutant(self.path, node.lineno, start, end, old, new))

    def between(self, left: ast.expr, right: ast.expr, old: str, new: str) -> None:
        """Turn the operator between two operands."""
        start, end = self.span(left)[1], self.span(right)[0]
        place = self.source[start:end].decode().find(old)
        if place >= 0:
            start += len(self.source[start:end].decode()[:place].encode())
            end = start + len(old.encode())
            self.found.append(Mutant(self.path, left.lineno, start, end, old, new))

    def visit_Compare(self, node: ast.Compare) -> None:
        if len(node.ops) == 1:
            old = OPERATORS[type(node.ops[0])]
            self.between(node.left, node.comparators[0], old, COMPARISONS[old])
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self.between(left, right, old, new)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        old = OPERATORS.get(type(node.op))
        is_text = any(
            isinstance(side, ast.Constant | ast.JoinedStr)
            and not isinstance(getattr(side, "value", None), int | float)
            for side in (node.left, node.right)
        )
        if old in ARITHMETIC and not is_text:
            self.between(node.left, node.right, old, ARITHMETIC[old])
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            start, end = self.span(node.operand)
            self.add(node, self.source[start:end].decode())
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        if not (isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            self.add(node.test, "True")
            self.add(node.test, "False")
            self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self.add(node, str(not node.value))
        elif isinstance(node.value, int | float):
            self.add(node, f"({node.value!r} + 1)")

    def visit_Expr(self, node: ast.Expr) -> None:
        is_call = isinstance(node.value, ast.Call | ast.Await)
        if is_call:
            self.add(node, "pass")
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None and not isinstance(node.value, ast.Constant):
            self.add(node.value, "None")
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for statement in node.body:
            self.visit(statement)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for statement in node.body:
            self.visit(statement)
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                self.visit(default)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)  # type: ignore[arg-type]

    def visit_Assert(self, node: ast.Assert) -> None:
        """An assertion tells the reader and the type checker; it decides nothing."""


def mutants_of(path: str) -> list[Mutant]:
    source = Path(path).read_bytes()
    finder = Finder(path, source)
    finder.visit(ast.parse(source))
    return finder.found


def draw(seed: int, count: int) -> list[Mutant]:
    """At least one of every file, the rest from all, in an order that the seed fixes."""
    chance = random.Random(seed)
    files = [str(path) for root in PATHS for path in sorted(Path(root).rglob("*.py"))]
    of_file: dict[str, list[Mutant]] = {path: mutants_of(path) for path in files}
    first = [chance.choice(found) for found in of_file.values() if found]
    rest = [one for found in of_file.values() for one in found if one not in first]
    chance.shuffle(first)
    return first + chance.sample(rest, max(0, min(count - len(first), len(rest))))


def copy_checkout(folder: Path) -> None:
    """The tracked files, linked: only what is mutated is written."""
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, check=True).stdout
    for name in listed.decode().split("\0"):
        if name and Path(name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(name, target)
            except OSError:  # another file system
                shutil.copy2(name, target)


def judge(mutant: Mutant, folder: Path, limit: float) -> tuple[str, float]:
    """killed, timeout (which counts as killed) or survived, and the seconds it took."""
    path = folder / mutant.path
    original = path.read_bytes()
    mutated = original[: mutant.start] + mutant.new.encode() + original[mutant.end :]
    path.unlink()  # a link to the original
    path.write_bytes(mutated)
    try:
        return run_all(root_of(mutant), folder, limit)
    finally:
        path.write_bytes(original)


def root_of(mutant: Mutant) -> str:
    return next(root for root in TESTS if mutant.path.startswith(root))


def run_all(root: str, folder: Path, limit: float) -> tuple[str, float]:
    """What the tests of `root` say of the copy in `folder`, and the seconds they took."""
    total = 0.0
    for tests in TESTS[root]:
        outcome, seconds = run_tests(tests, folder, limit)
        total += seconds
        if outcome != "survived":
            break
    return outcome, total


def run_tests(tests: tuple[str, ...], folder: Path, limit: float) -> tuple[str, float]:
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--hypothesis-seed=0"]
    command = [sys.executable, "-B", "-m", "pytest", *options, *tests]
    environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    began = time.monotonic()
    try:
        quiet = subprocess.DEVNULL
        done = subprocess.run(
            command, cwd=folder, env=environment, stdout=quiet, stderr=quiet, timeout=limit
        )
        outcome = "survived" if done.returncode == 0 else "killed"
    except subprocess.TimeoutExpired:
        outcome = "timeout"
    return outcome, time.monotonic() - began


def report(results: list[dict[str, object]]) -> Iterator[str]:
    """The figures, and each survivor with its reason."""
    reasons_file = Path(__file__).with_name("mutants.toml")
    reasons = tomllib.loads(reasons_file.read_text()) if reasons_file.is_file() else {}
    survivors = [one for one in results if one["outcome"] == "survived"]
    killed = len(results) - len(survivors)
    files: dict[str, list[str]] = defaultdict(list)
    for one in results:
        files[str(one["path"])].append(str(one["outcome"]))
    share = 100 * killed / len(results) if results else 0.0
    yield f"{killed} of {len(results)} mutants killed ({share:.1f} %), {len(files)} files"
    for one in survivors:
        name = str(one["name"])
        yield f"survived: {name}: {reasons.get(name, 'no reason given')}"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--count", type=int, default=300)
    arguments.add_argument("--minutes", type=float, default=24 * 60.0, help="stop after so long")
    arguments.add_argument("--results", type=Path, default=Path(".mutants.jsonl"))
    chosen = arguments.parse_args()
    lines = chosen.results.read_text().splitlines() if chosen.results.is_file() else []
    results = [json.loads(line) for line in lines]
    known = {(one["name"], one["start"]) for one in results}
    ends = time.monotonic() + 60 * chosen.minutes
    drawn = draw(chosen.seed, chosen.count)
    with tempfile.TemporaryDirectory() as name, chosen.results.open("a") as file:
        folder = Path(name)
        copy_checkout(folder)
        limits = {}
        for root in TESTS:
            outcome, seconds = run_all(root, folder, 3600.0)
            if outcome != "survived":
                sys.exit(f"the tests of {root} fail without a mutant")
            limits[root] = 30.0 + 3.0 * seconds
        for mutant in drawn:
            if (mutant.name, mutant.start) in known or time.monotonic() > ends:
                continue
            outcome, seconds = judge(mutant, folder, limits[root_of(mutant)])
            result = {**asdict(mutant), "name": mutant.name, "outcome": outcome}
            result["seconds"] = round(seconds, 1)
            results.append(result)
            file.write(json.dumps(result) + "\n")
            file.flush()
            sys.stdout.write(f"{outcome:9s}{seconds:6.0f} s  {mutant.name}\n")
            sys.stdout.flush()
    for line in report(results):
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
