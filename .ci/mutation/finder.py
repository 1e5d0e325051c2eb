"""All small changes of the code that a test should notice, and a draw of them by seed."""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

PATHS = ("duplex", "server/realtime")
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
    """Text [start, end) of a file, in bytes, becomes `new`. It stands in lines `line` to
    `last_line`."""

    path: str
    line: int
    last_line: int
    start: int
    end: int
    old: str
    new: str
    text: str  # of the first line
    place: int  # among the same changes of lines with the same text

    @property
    def key(self) -> str:
        """How the mutant is called whatever else changes in the file."""
        place = f" ({self.place + 1})" if self.place else ""
        return f"{self.path}: {self.text}: {_short(self.old)} -> {_short(self.new)}{place}"

    def lot(self, seed: int) -> bytes:
        """Where the mutant stands in the draw of this seed, whatever other mutants there are."""
        return hashlib.sha256(f"{seed} {self.key}".encode()).digest()

    @property
    def name(self) -> str:
        return f"{self.path}:{self.line}: {_short(self.old)} -> {_short(self.new)}"

    @property
    def module(self) -> str:
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def applied(self, source: bytes) -> bytes:
        """The file's text with this change."""
        return source[: self.start] + self.new.encode() + source[self.end :]


def _short(text: str) -> str:
    return " ".join(text.split())[:70]


class Finder(ast.NodeVisitor):
    """All mutants of one file."""

    def __init__(self, path: str, source: bytes) -> None:
        self.path, self.source = path, source
        self.found: list[Mutant] = []
        self.places: Counter[tuple[str, str, str]] = Counter()
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
            self.note(node.lineno, node.end_lineno, (start, end), old, new)

    def note(self, line: int, last: int | None, span: tuple[int, int], old: str, new: str) -> None:
        text = self.source.splitlines()[line - 1].decode().strip()
        place = self.places[text, old, new]
        self.places[text, old, new] += 1
        self.found.append(Mutant(self.path, line, last or line, *span, old, new, text, place))

    def between(self, left: ast.expr, right: ast.expr, old: str, new: str) -> None:
        """Turn the operator between two operands."""
        start, end = self.span(left)[1], self.span(right)[0]
        place = self.source[start:end].decode().find(old)
        if place >= 0:
            start += len(self.source[start:end].decode()[:place].encode())
            end = start + len(old.encode())
            self.note(left.lineno, right.end_lineno, (start, end), old, new)

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
    """At least one of every file, the rest from all, in an order that the seed fixes. A change of
    the code changes the draw by the mutants that it touches, and no more."""
    files = [str(path) for root in PATHS for path in sorted(Path(root).rglob("*.py"))]
    of_file = [sorted(mutants_of(path), key=lambda one: one.lot(seed)) for path in files]
    first = [found[0] for found in of_file if found]
    rest = sorted((one for found in of_file for one in found[1:]), key=lambda one: one.lot(seed))
    return first + rest[: max(0, count - len(first))]
