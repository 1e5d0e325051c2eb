"""vLLM as text: what a package of it offers, and what our rooms want of it. Nothing is imported, so
that a wheel without its dependencies can be asked."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class Call:
    """One call in our code of something that was imported from vLLM."""

    module: str
    name: str
    positional: int
    keywords: frozenset[str]
    place: str


@dataclass(slots=True)
class Signature:
    """What may be given. `positional` None: any number."""

    names: set[str] = field(default_factory=set)
    positional: int | None = 0
    is_open: bool = False  # takes any keyword


class Package:
    """The sources of one vLLM; `folder` holds the package `vllm`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._trees: dict[str, ast.Module] = {}

    def find(self, module: str, name: str) -> tuple[str, Definition | None]:
        """Where a name is defined; None in its place for a plain value. Raises LookupError."""
        tree = self._tree(module)
        for node in ast.walk(tree):
            if isinstance(node, Definition) and node.name == name:
                return module, node
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        return self.find(self._absolute(module, node), alias.name)
            if isinstance(node, ast.Dict) and (target := _lazy(node, name)):
                return self.find(_joined(module, target[0]), target[1])
            if isinstance(node, ast.Assign | ast.AnnAssign) and name in _targets(node):
                return module, None
        raise LookupError(f"{module} has no {name}")

    def signature(self, module: str, name: str) -> Signature | None:
        """What a function, or a class's constructor, takes; None for a plain value."""
        at, node = self.find(module, name)
        if isinstance(node, ast.ClassDef):
            return self._of_class(at, node)
        return None if node is None else _of_function(node, bound=False)

    def method(self, module: str, name: str, method: str) -> Signature:
        """Raises LookupError."""
        at, node = self.find(module, name)
        assert isinstance(node, ast.ClassDef)
        for item in node.body:
            if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef) and item.name == method:
                return _of_function(item, bound=True)
        for base in node.bases:
            if isinstance(base, ast.Name):
                return self.method(at, base.id, method)
        raise LookupError(f"{name} has no {method}")

    def attributes(self, module: str, name: str) -> set[str]:
        """Fields of a class, and what its methods set on self."""
        _, node = self.find(module, name)
        assert isinstance(node, ast.ClassDef)
        found = {t for item in ast.walk(node) for t in _targets(item)}
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        return found | {item.name for item in node.body if isinstance(item, functions)}

    def _of_class(self, module: str, node: ast.ClassDef) -> Signature:
        for item in node.body:
            if isinstance(item, ast.FunctionDef) and item.name in ("__init__", "__new__"):
                return _of_function(item, bound=True)
        made, own = Signature(), [name for item in node.body for name in _fields(item)]
        for base in node.bases:
            made = self._merged(made, module, base)
        made.names.update(own)
        if made.positional is not None:
            made.positional += len(own)
        return made

    def _merged(self, made: Signature, module: str, base: ast.expr) -> Signature:
        target = base.value if isinstance(base, ast.Subscript) else base
        if not isinstance(target, ast.Name) or target.id in ("Generic", "Protocol", "TypedDict"):
            return made
        try:
            inherited = self.signature(module, target.id)
        except LookupError:  # of another package: whatever it takes
            return Signature(made.names, None, True) if target.id == "UserDict" else made
        return inherited or made

    def _absolute(self, module: str, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = module.split(".")
        if not (self._path(module) / "__init__.py").exists():
            parts = parts[:-1]
        parts = parts[: len(parts) - node.level + 1]
        return ".".join([*parts, *([node.module] if node.module else [])])

    def _path(self, module: str) -> Path:
        return self._folder.joinpath(*module.split("."))

    def _tree(self, module: str) -> ast.Module:
        if module not in self._trees:
            path = self._path(module)
            file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            if not file.exists():
                raise LookupError(f"there is no module {module}")
            self._trees[module] = ast.parse(file.read_text())
        return self._trees[module]


def calls_in(folder: Path) -> Iterator[Call]:
    """Every call, in the modules of a folder, of what they import from vLLM. A name that is only
    imported is a call without arguments of a place that ends in "import"."""
    for file in sorted(folder.glob("*.py")):
        tree = ast.parse(file.read_text())
        known: dict[str, tuple[str, str]] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "vllm":
                for alias in node.names:
                    known[alias.asname or alias.name] = (node.module or "", alias.name)
                    yield Call(node.module or "", alias.name, 0, frozenset(), f"{file.name}:import")
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                if node.func.id in known:
                    keywords = frozenset(k.arg for k in node.keywords if k.arg is not None)
                    place = f"{file.name}:{node.lineno}"
                    yield Call(*known[node.func.id], len(node.args), keywords, place)


def _of_function(node: ast.FunctionDef | ast.AsyncFunctionDef, *, bound: bool) -> Signature:
    args = node.args
    plain = [a.arg for a in (*args.posonlyargs, *args.args)][1 if bound else 0 :]
    names = {*plain, *(a.arg for a in args.kwonlyargs)}
    return Signature(names, None if args.vararg else len(plain), args.kwarg is not None)


def _fields(node: ast.stmt) -> list[str]:
    if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
        return []
    return [] if "ClassVar" in ast.unparse(node.annotation) else [node.target.id]


def _targets(node: ast.AST) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [t.id if isinstance(t, ast.Name) else t.attr for t in targets
            if isinstance(t, ast.Name | ast.Attribute)]  # fmt: skip


def _lazy(node: ast.Dict, name: str) -> tuple[str, str] | None:
    """From a table of names that a package imports only when they are asked for."""
    for key, value in zip(node.keys, node.values, strict=True):
        if isinstance(key, ast.Constant) and key.value == name and isinstance(value, ast.Constant):
            module, _, attribute = str(value.value).partition(":")
            if attribute:
                return module, attribute
    return None


def _joined(module: str, relative: str) -> str:
    return module + relative if relative.startswith(".") else relative
