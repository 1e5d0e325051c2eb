"""What a GPU machine without a network needs, packed: `python -m benchmarks.gpu_pack --help`.

    trial     the code and the wheels for benchmarks.gpu_trial; no weights
    training  the same, with the material and the checkpoints of a run folder
    weights   the checkpoints of a run folder, on the way back
    unpack    any of them, checked and unpacked

A machine may take only so much: `trial` fails above 64 MiB in all, a part is at most 16 MiB.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, TypeAlias

import typer
from rich.console import Console

from benchmarks.machine import PACKED_COMMIT, commit
from benchmarks.packing import PackingFailed, Part, pack
from benchmarks.packing import unpack as unpack_parts

ROOT = Path(__file__).resolve().parent.parent
MEBIBYTE = 2**20
MOST_BYTES = 64 * MEBIBYTE
WHEELS = Path("benchmarks") / "gpu_wheels.txt"
CODE = ("audio/", "benchmarks/", "duplex/", "models/", "server/", "tests/")
TOP_LEVEL = ("pyproject.toml", "README.md", "LICENSE", "NOTICE")
WEIGHTS = (".onnx", ".npy", ".safetensors", ".pt", ".bin")  # never packed with the code
NOT_NEEDED = ("benchmarks/results/", "tests/data/audio/", "server/web/", "tests/web/")
CHECKPOINTS = ("*.pt", "*.json")

Files: TypeAlias = list[tuple[Path, str]]
Target = Annotated[Path, typer.Argument(help="An empty or new folder for the parts.")]
Run = Annotated[Path, typer.Option(help="The run folder of models.training.")]
Wheels = Annotated[Path | None, typer.Option(help=f"A folder of wheels, as {WHEELS} lists them.")]

application = typer.Typer(help=__doc__, no_args_is_help=True)


def code_files(root: Path = ROOT) -> Files:
    """Every file of the repository that the trial or the training may import; no weights, no
    recordings, nothing that git ignores."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, cwd=root, check=True, capture_output=True, text=True)
    names = sorted({name for name in listed.stdout.split("\0") if name})
    return [(root / name, name) for name in names if _is_needed(name) and (root / name).is_file()]


def _is_needed(name: str) -> bool:
    if name.endswith(WEIGHTS) or name.startswith(NOT_NEEDED):
        return False
    return name.startswith(CODE) or name in TOP_LEVEL


@contextmanager
def _commit_file() -> Iterator[Files]:
    """The commit as a file, since the repository itself stays here."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / PACKED_COMMIT.name
        path.write_text(commit())
        yield [(path, PACKED_COMMIT.relative_to(ROOT).as_posix())]


def wheel_files(folder: Path | None) -> Files:
    """The wheels of a folder. Raises PackingFailed where it has none."""
    if folder is None:
        return []
    found = sorted(folder.glob("*.whl"))
    if not found:
        raise PackingFailed(f"{folder} has no wheels")
    return [(path, f"wheels/{path.name}") for path in found]


def run_files(folder: Path, *, material: bool) -> Files:
    """The checkpoints of a run folder, and with `material` everything that training reads there."""
    if not folder.is_dir():
        raise PackingFailed(f"{folder} is no folder")
    pattern = ("**/*",) if material else CHECKPOINTS
    paths = sorted({path for each in pattern for path in folder.glob(each) if path.is_file()})
    if not paths:
        raise PackingFailed(f"{folder} has nothing to pack")
    return [(path, f"runs/{path.relative_to(folder).as_posix()}") for path in paths]


@application.command()
def trial(target: Target, wheels: Wheels = None) -> None:
    """Pack the code and the wheels for benchmarks.gpu_trial."""
    with _commit_file() as known:
        files = code_files() + known + wheel_files(wheels)
        _report(pack(files, target, most_bytes=MOST_BYTES))


@application.command()
def training(target: Target, run: Run = Path("runs"), wheels: Wheels = None) -> None:
    """Pack the code, the wheels, and a run folder with material made beforehand."""
    with _commit_file() as known:
        files = code_files() + known + wheel_files(wheels) + run_files(run, material=True)
        _report(pack(files, target))


@application.command()
def weights(target: Target, run: Run = Path("runs")) -> None:
    """Pack the checkpoints and the losses of a run folder, to be brought back."""
    _report(pack(run_files(run, material=False), target))


@application.command()
def unpack(source: Path, target: Path) -> None:
    """Check the parts in SOURCE and write their files under TARGET."""
    unpack_parts(source, target)


def _report(parts: list[Part]) -> None:
    total = sum(part.bytes for part in parts)
    Console().print(f"{len(parts)} parts, {total / MEBIBYTE:.1f} MiB")


if __name__ == "__main__":
    application()
