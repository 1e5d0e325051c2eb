"""`python -m benchmarks.gate`: a few scenes with committed bounds, for CI.

Rates only: milliseconds depend on the machine. The scenes use the clips of the repository, so they
need neither data nor a synthesiser. A scene that breaks a bound is played once more, in another
draw: chance breaks one of two, a defect both. Ends with code 1 and says which bounds are broken.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks.material import Material
from benchmarks.performance import Plan, disorders, perform
from benchmarks.results import table
from benchmarks.scene import build, read_scenes

SCENES = Path(__file__).parent / "gate_scenes"
BOUNDS = Path(__file__).parent / "gate.toml"
PLAYED_AT_MOST = 2


@dataclass(frozen=True, slots=True)
class Bound:
    """The share that a figure of a scene may have."""

    scene: str
    figure: str
    least: float = 0.0
    most: float = 1.0


def read_bounds(path: Path = BOUNDS) -> list[Bound]:
    """All bounds of the file. Raises ValueError on one that is written wrongly."""
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    try:
        return [
            Bound(scene, figure, **limits)
            for scene, figures in data.items()
            for figure, limits in figures.items()
        ]
    except (TypeError, AttributeError) as error:
        raise ValueError(f"{path.name}: {error}") from error


def broken(bounds: list[Bound], scenes: Mapping[str, Any]) -> list[str]:
    """What is outside its bound, in words; a figure that was not measured is broken too."""
    found = []
    for bound in bounds:
        result = scenes.get(bound.scene, {})
        rate = result.get("figures", {}).get(bound.figure, {}).get("rate")
        if rate is None:
            found.append(f"{bound.scene}: {bound.figure} was not measured")
        elif not bound.least <= rate <= bound.most:
            span = f"{bound.least:.2f} to {bound.most:.2f}"
            found.append(f"{bound.scene}: {bound.figure} is {rate:.2f}, allowed is {span}")
    return found + disorders(scenes)


def is_named(scene: str, found: list[str]) -> bool:
    """Is any of these complaints about that scene?"""
    return any(text.startswith(f"{scene}: ") for text in found)


def main(
    sessions: Annotated[int, typer.Option(min=1, help="Conversations at a time.")] = 2,
    url: Annotated[str | None, typer.Option(help="A running server; else one is started.")] = None,
) -> None:
    """Play the small scenes and compare their rates with the committed bounds."""
    console = Console()
    bounds = read_bounds()
    found: list[str] = []
    for seed in range(PLAYED_AT_MOST):
        plans = _plans({bound.scene for bound in bounds}, seed)
        scenes = perform(plans, console, sessions=sessions, url=url)
        console.print(table(scenes))
        found = broken(bounds, scenes)
        for text in found:
            console.print(text, style="red", markup=False)
        bounds = [bound for bound in bounds if is_named(bound.scene, found)]
        if not bounds:
            break
    raise typer.Exit(1 if found else 0)


def _plans(names: set[str], seed: int) -> list[Plan]:
    material = Material(None, "dev")
    chosen = (scene for scene in read_scenes(SCENES) if scene.name in names)
    return [(scene.name, build(scene, material, seed=seed)) for scene in chosen]


if __name__ == "__main__":
    typer.run(main)
