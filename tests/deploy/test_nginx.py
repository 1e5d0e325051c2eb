"""The recipe for nginx: its syntax, as nginx itself judges it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

RECIPE = Path(__file__).resolve().parents[2] / "deploy" / "nginx" / "antiphon.conf"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


def judged(recipe: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """What `nginx -t` says of a configuration that has only this recipe in it."""
    whole = folder / "nginx.conf"
    places = f"pid {folder}/pid;\nerror_log stderr;\n"
    whole.write_text(
        f"{places}worker_shutdown_timeout 30m;\nevents {{}}\nhttp {{ include {recipe}; }}\n"
    )
    command = [str(NGINX), "-t", "-p", str(folder), "-c", str(whole)]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False)


def test_the_recipe_is_valid(tmp_path: Path) -> None:
    said = judged(RECIPE, tmp_path)
    assert said.returncode == 0 and "syntax is ok" in said.stderr, said.stderr


def test_a_misspelt_recipe_is_not(tmp_path: Path) -> None:
    broken = tmp_path / "broken.conf"
    broken.write_text(RECIPE.read_text().replace("least_conn", "least_con"))
    assert judged(broken, tmp_path).returncode != 0
