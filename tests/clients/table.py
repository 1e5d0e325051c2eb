"""The table of clients and features, as a run found it, and its place in docs/clients.md."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.clients.inventory import CLIENTS, FEATURES, HERE, Client

DOCUMENT = HERE.parents[1] / "docs" / "clients.md"
BEGIN, END = "<!-- table: written by make test-clients -->", "<!-- end of the table -->"
ABSENT = "not in this client"


@dataclass(slots=True)
class Outcome:
    """What a run saw of one client. `skipped` says why it was not tried."""

    client: Client
    versions: tuple[str, ...] = ()
    cells: dict[str, str] = field(default_factory=dict)  # feature -> yes, no, or -
    notes: dict[str, str] = field(default_factory=dict)
    skipped: str = ""

    @property
    def failures(self) -> list[str]:
        """Features that did not work, or of which nothing was heard."""
        if self.skipped:
            return []
        return [f for f in FEATURES if self.cells.get(f, "no") == "no"]


def markdown(outcomes: Sequence[Outcome]) -> str:
    """One row a client, one column a feature."""
    lines = [
        "| client, version | " + " | ".join(FEATURES) + " |",
        "|---|" + "---|" * len(FEATURES),
    ]
    for outcome in outcomes:
        head = f"{outcome.client.title} {', '.join(outcome.versions)}".strip()
        if outcome.skipped:
            cells = [f"not tried: {outcome.skipped}", *[""] * (len(FEATURES) - 1)]
        else:
            cells = [shown(outcome.cells.get(feature, "no")) for feature in FEATURES]
        lines.append(f"| {head} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def shown(cell: str) -> str:
    return ABSENT if cell == "-" else cell


def written(document: str) -> str:
    """The table that the document has now. Raises ValueError where it has no place for one."""
    found = re.search(re.escape(BEGIN) + r"\n(.*?)\n?" + re.escape(END), document, re.DOTALL)
    if found is None:
        raise ValueError("docs/clients.md has no place for the table")
    return found[1]


def write(outcomes: Sequence[Outcome], path: Path = DOCUMENT) -> None:
    """Put the table into the document; the rows of clients that were not run stay as they are."""
    document = path.read_text(encoding="utf-8")
    before = written(document)
    kept = {title_of(line): line for line in before.splitlines()[2:]}
    head, line, *lines = markdown(outcomes).splitlines()
    kept |= {title_of(row): row for row in lines}
    rows_now = [kept[client.title] for client in CLIENTS if client.title in kept]
    table = "\n".join((head, line, *rows_now))
    path.write_text(document.replace(f"{BEGIN}\n{before}", f"{BEGIN}\n{table}"), encoding="utf-8")


def rows(table: str) -> Mapping[str, str]:
    """The cells of each row by the client's title, without its version."""
    found = {}
    for line in table.splitlines()[2:]:
        found[title_of(line)] = line.strip("| ").partition(" | ")[2]
    return found


def title_of(row: str) -> str:
    """The client that a row is about; its own first cell where none is known."""
    head = row.strip("| ").partition(" | ")[0]
    return next((client.title for client in CLIENTS if head.startswith(client.title)), head)
