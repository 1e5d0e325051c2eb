"""The check of class names finds what it is there for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CHECK = Path(__file__).parents[1] / ".ci" / "names.py"
ITEM = "class Item:\n    pass\n"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"audio/one.py": ITEM, "audio/two.py": ITEM}, "audio: Item is defined in"),
        ({"audio/one.py": ITEM, "duplex/two.py": ITEM}, ""),
        (
            {"audio/one.py": ITEM, "duplex/two.py": f"from audio.one import Item\n{ITEM}"},
            "duplex/two.py: Item of audio.one and duplex.two meet here",
        ),
        (
            {
                "audio/one.py": ITEM,
                "models/two.py": ITEM,
                "tests/test_it.py": "from audio.one import Item\nfrom models import two\ntwo.Item",
            },
            "tests/test_it.py: Item of audio.one and models.two meet here",
        ),
        (
            {"audio/one.py": "from fractions import Fraction\nif 1:\n    class Fraction: ...\n"},
            "audio/one.py: Fraction of audio.one and fractions meet here",
        ),
        ({"audio/one.py": "from PIL import Image as Picture\n", "models/two.py": ITEM}, ""),
    ],
)
def test_what_clashes_is_named(tmp_path: Path, files: dict[str, str], said: str) -> None:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    done = subprocess.run(
        [sys.executable, str(CHECK)],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert said in done.stdout
    assert done.returncode == bool(said)
