"""Lists classes whose name is not unique in a top-level package, or of which two meet in one file.

Two meet where a file defines, imports (from anywhere) or names through a module of ours
(`wire.Item`) two classes of one name. Run in the root of a checkout; exits 1 and prints one line
for each clash.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from pathlib import Path

PACKAGES = ("audio", "models", "duplex", "server", "benchmarks")
_CLASS = re.compile(r"_?[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*")  # as classes are called, not constants


def module_of(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def classes_of(tree: ast.Module) -> set[str]:
    """The classes at the top level of a file."""
    return {node.name for node in tree.body if isinstance(node, ast.ClassDef)}


def repeated(trees: dict[Path, ast.Module]) -> list[str]:
    """Class names that two files of one package define."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path, tree in trees.items():
        if path.parts[0] in PACKAGES:
            for name in classes_of(tree):
                found[path.parts[0], name].append(path.as_posix())
    return [
        f"{package}: {name} is defined in {', '.join(paths)}"
        for (package, name), paths in found.items()
        if len(paths) > 1
    ]


class Origins(ast.NodeVisitor):
    """Where each class that one file names comes from."""

    def __init__(self, path: Path, modules: dict[str, set[str]]) -> None:
        self._here, self._modules = module_of(path), modules
        self._aliases: dict[str, str] = {}  # name in this file: module of ours
        self.found: dict[str, set[str]] = defaultdict(set)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.found[node.name].add(self._here)
        self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.asname and alias.name in self._modules:
                self._aliases[alias.asname] = alias.name

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            module = f"{node.module}.{alias.name}"
            if module in self._modules:
                self._aliases[alias.asname or alias.name] = module
            elif _CLASS.fullmatch(alias.asname or alias.name):
                self.found[alias.asname or alias.name].add(f"{node.module}")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.value, ast.Name):
            module = self._aliases.get(node.value.id, "")
            if node.attr in self._modules.get(module, ()):
                self.found[node.attr].add(module)
        self.generic_visit(node)


def meetings(path: Path, tree: ast.Module, modules: dict[str, set[str]]) -> list[str]:
    """Class names that mean two classes in one file."""
    origins = Origins(path, modules)
    origins.visit(tree)
    return [
        f"{path.as_posix()}: {name} of {' and '.join(sorted(places))} meet here"
        for name, places in origins.found.items()
        if len(places) > 1
    ]


def main() -> int:
    """Print every clash; the exit status says whether there was one."""
    paths = [path for root in (*PACKAGES, "tests") for path in sorted(Path(root).rglob("*.py"))]
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in paths}
    modules = {module_of(path): classes_of(tree) for path, tree in trees.items()}
    clashes = repeated(trees)
    for path, tree in trees.items():
        clashes += meetings(path, tree, modules)
    for clash in clashes:
        print(clash)  # noqa: T201
    return 1 if clashes else 0


if __name__ == "__main__":
    sys.exit(main())
