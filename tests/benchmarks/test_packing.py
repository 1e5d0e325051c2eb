"""What is packed for another machine: whole, checked, in parts, small enough."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks import gpu_pack
from benchmarks.packing import INDEX, PackingFailed, pack, unpack


@pytest.fixture
def files(tmp_path: Path) -> list[tuple[Path, str]]:
    """Two files of numbers that do not compress, and an empty one in a folder."""
    folder = tmp_path / "files"
    folder.mkdir()
    random = np.random.default_rng(3)
    sizes = {"one.bin": 50_000, "two.bin": 30_000, "three/none": 0}
    made = []
    for name, size in sizes.items():
        path = folder / name.replace("/", "-")
        path.write_bytes(random.bytes(size))
        made.append((path, name))
    return made


def test_what_is_packed_comes_out_again(files: list[tuple[Path, str]], tmp_path: Path) -> None:
    parts = pack(files, tmp_path / "packed", part_bytes=20_000)
    assert [part.bytes for part in parts[:-1]] == [20_000] * (len(parts) - 1)
    assert len(parts) == 5
    unpack(tmp_path / "packed", tmp_path / "out")
    for path, name in files:
        assert (tmp_path / "out" / name).read_bytes() == path.read_bytes()


def test_equal_files_give_equal_parts(files: list[tuple[Path, str]], tmp_path: Path) -> None:
    first = pack(files, tmp_path / "first")
    files[0][0].touch()
    assert pack(files[::-1], tmp_path / "second") == first


def test_what_arrived_damaged_is_refused_before_anything_is_written(
    files: list[tuple[Path, str]], tmp_path: Path
) -> None:
    packed, out = tmp_path / "packed", tmp_path / "out"
    parts = pack(files, packed, part_bytes=20_000)
    content = bytearray((packed / parts[2].name).read_bytes())
    content[100] ^= 1
    (packed / parts[2].name).write_bytes(content)
    with pytest.raises(PackingFailed, match=f"{parts[2].name} is damaged"):
        unpack(packed, out)
    (packed / parts[1].name).unlink()
    with pytest.raises(PackingFailed, match=f"{parts[1].name} is missing"):
        unpack(packed, out)
    (packed / INDEX).write_text("[{}]")
    with pytest.raises(PackingFailed, match="cannot be read"):
        unpack(packed, out)
    assert not out.exists()


def test_too_much_is_refused(files: list[tuple[Path, str]], tmp_path: Path) -> None:
    with pytest.raises(PackingFailed, match="more than 60,000 bytes"):
        pack(files, tmp_path / "packed", most_bytes=60_000)
    (tmp_path / "full" / "of").mkdir(parents=True)
    with pytest.raises(PackingFailed, match="not empty"):
        pack(files, tmp_path / "full")


def test_a_file_outside_the_target_is_never_written(tmp_path: Path) -> None:
    evil = tmp_path / "evil"
    evil.write_text("x")
    pack([(evil, "../escaped")], tmp_path / "packed")
    with pytest.raises(tarfile.OutsideDestinationError):
        unpack(tmp_path / "packed", tmp_path / "out")
    assert not (tmp_path / "escaped").exists()


def test_the_trial_s_pack_has_the_code_and_no_weights(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "some-1.0-py3-none-any.whl").write_bytes(b"wheel")
    arguments = ["trial", str(tmp_path / "packed"), "--wheels", str(wheels)]
    result = CliRunner().invoke(gpu_pack.application, arguments)
    assert result.exit_code == 0, result.output
    unpack(tmp_path / "packed", tmp_path / "out")
    names = {path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*")}
    for wanted in ("models/engines/pytorch.py", "benchmarks/gpu_trial.py", "pyproject.toml",
                   "tests/models/engines/test_pytorch.py", "models/nano/tokenizer.json",
                   "wheels/some-1.0-py3-none-any.whl", "benchmarks/commit.txt"):  # fmt: skip
        assert Path(wanted) in names
    assert not [name for name in names if name.suffix in gpu_pack.WEIGHTS]
    packed = sum(path.stat().st_size for path in (tmp_path / "packed").iterdir())
    assert packed <= gpu_pack.MOST_BYTES


def test_the_wheels_are_those_of_the_lock_file() -> None:
    locked = (gpu_pack.ROOT / "requirements" / "dev.lock").read_text(encoding="utf-8").splitlines()
    pinned = {line.split(" ")[0] for line in locked}
    wanted = (gpu_pack.ROOT / gpu_pack.WHEELS).read_text(encoding="utf-8").splitlines()
    assert {line for line in wanted if not line.startswith("#")} <= pinned


def test_a_run_goes_there_whole_and_comes_back_without_its_material(tmp_path: Path) -> None:
    run, there = tmp_path / "runs", tmp_path / "there"
    (run / "sounds").mkdir(parents=True)
    (run / "sounds" / "features.npy").write_bytes(b"material")
    (run / "listening.pt").write_bytes(b"before")
    runner = CliRunner()
    given = ["training", str(tmp_path / "packed"), "--run", str(run)]
    assert runner.invoke(gpu_pack.application, given).exit_code == 0
    given = ["unpack", str(tmp_path / "packed"), str(there)]
    assert runner.invoke(gpu_pack.application, given).exit_code == 0
    assert (there / "runs" / "sounds" / "features.npy").read_bytes() == b"material"
    (there / "runs" / "listening.pt").write_bytes(b"after")
    given = ["weights", str(tmp_path / "back"), "--run", str(there / "runs")]
    assert runner.invoke(gpu_pack.application, given).exit_code == 0
    names = json.loads((tmp_path / "back" / INDEX).read_text(encoding="utf-8"))
    assert len(names) == 1
    unpack(tmp_path / "back", tmp_path / "home")
    assert [path.name for path in (tmp_path / "home" / "runs").iterdir()] == ["listening.pt"]
    assert (tmp_path / "home" / "runs" / "listening.pt").read_bytes() == b"after"
