"""The parts of the quick-start programs that docs/clients.md shows."""

from __future__ import annotations

from pathlib import Path

from tests.clients.inventory import CLIENTS

_BEGIN, _END = "docs: begin", "docs: end"
_LANGUAGES = {".py": "python", ".mjs": "js"}


def quickstarts() -> dict[str, Path]:
    """The quick-start program of each client that has one of its own."""
    found = {}
    for client in CLIENTS:
        for file in sorted(client.folder.glob("quickstart.*")):
            found[client.folder.name] = file
    return found


def snippet(program: Path) -> str:
    """The shown part of a program as a fenced block, without marks for the linter."""
    text = program.read_text(encoding="utf-8")
    begin = text.index("\n", text.index(_BEGIN)) + 1
    end = text.rindex("\n", 0, text.index(_END))
    lines = [line.split("  # noqa")[0].rstrip() for line in text[begin:end].splitlines()]
    body = "\n".join(lines).strip("\n")
    return f"```{_LANGUAGES[program.suffix]}\n{body}\n```"
