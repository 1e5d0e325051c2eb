"""Lists classes whose name is not unique in a top-level package, or where two meet in one file.

Run in the root of a checkout; exits 1 and prints one line for each clash.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from pathlib import Path

PACKAGES = ("audio", "models", "duplex", "server", "benchmarks")


def classes_of(package: str) -> dict[str, list[str]]:
    """Each class name of a package with the files that define it at their top level."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(Path(package).rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                found[node.name].append(path.as_posix())
    return found


def meetings(path: Path, defined: dict[str, dict[str, list[str]]]) -> list[str]:
    """Class names that one file imports from two modules, or both imports and defines."""
    origins: dict[str, set[str]] = defaultdict(set)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            package = node.module.split(".")[0]
            for alias in node.names:
                if alias.name in defined.get(package, {}):
                    origins[alias.name].add(package)
        elif isinstance(node, ast.ClassDef) and path.parts[0] in PACKAGES:
            origins[node.name].add(path.parts[0])
    return [
        f"{path.as_posix()}: {name} of {' and '.join(sorted(packages))} meet here"
        for name, packages in origins.items()
        if len(packages) > 1
    ]


def main() -> int:
    """Print every clash; the exit status says whether there was one."""
    defined = {package: classes_of(package) for package in PACKAGES}
    clashes = [
        f"{package}: {name} is defined in {', '.join(paths)}"
        for package, names in defined.items()
        for name, paths in names.items()
        if len(paths) > 1
    ]
    for package in (*PACKAGES, "tests"):
        for path in sorted(Path(package).rglob("*.py")):
            clashes += meetings(path, defined)
    for clash in clashes:
        print(clash)  # noqa: T201
    return 1 if clashes else 0


if __name__ == "__main__":
    sys.exit(main())
