"""docs/clients.md shows what was tested and nothing else."""

from __future__ import annotations

import pytest

from tests.clients.inventory import CLIENTS, FEATURES
from tests.clients.snippets import quickstarts, snippet
from tests.clients.table import (
    ABSENT,
    BEGIN,
    DOCUMENT,
    END,
    Outcome,
    markdown,
    rows,
    write,
    written,
)


@pytest.mark.parametrize("name", quickstarts())
def test_each_snippet_is_the_program_that_is_run(name: str) -> None:
    assert snippet(quickstarts()[name]) in DOCUMENT.read_text(encoding="utf-8")


def test_no_other_code_of_a_client_is_shown() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text.count("```python") + text.count("```js") == len(quickstarts())


def test_the_table_has_every_client_and_every_feature() -> None:
    table = written(DOCUMENT.read_text(encoding="utf-8"))
    found = rows(table)
    assert list(found) == [client.title for client in CLIENTS]
    for title, cells in found.items():
        seen = [cell.strip() for cell in cells.split("|")]
        assert len(seen) == len(FEATURES), title
        assert set(seen) <= {"yes", "no", ABSENT}, title


def test_a_table_is_written_into_its_place(tmp_path: object) -> None:
    document = DOCUMENT.parent / "absent"
    assert not document.exists()
    outcome = Outcome(CLIENTS[0], ("1.2",), dict.fromkeys(FEATURES, "yes"))
    outcome.cells["tool"] = "no"
    outcome.cells["image"] = "-"
    assert outcome.failures == ["tool"]
    table = markdown([outcome])
    assert rows(table) == {
        "openai-python": " | ".join(
            {"tool": "no", "image": ABSENT}.get(feature, "yes") for feature in FEATURES
        )
    }
    from pathlib import Path

    file = Path(str(tmp_path)) / "clients.md"
    file.write_text(f"before\n{BEGIN}\nhead\nline\n{END}\nafter\n")
    write([outcome], file)
    assert file.read_text() == f"before\n{BEGIN}\n{table}\n{END}\nafter\n"
