"""Files as one compressed archive in parts, for machines that take only so much at once.

A packed folder holds `parts.json`, which names every part with its size and SHA-256, and the parts
themselves. Joined in order they are one gzip-compressed tar archive.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

INDEX = "parts.json"
PART_BYTES = 16 * 2**20
_BLOCK = 2**20


class PackingFailed(ValueError):
    """The archive is too large, or what arrived of it is not what was sent."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a packed folder; `bytes` is its size."""

    name: str
    bytes: int
    sha256: str


def pack(
    files: Sequence[tuple[Path, str]],
    target: Path,
    part_bytes: int = PART_BYTES,
    most_bytes: int | None = None,
) -> list[Part]:
    """Pack files, each with its name in the archive, into the folder `target`.

    Equal files give equal parts. Raises PackingFailed where the parts together are larger than
    `most_bytes`, and for a target that is not empty.
    """
    if target.exists() and any(target.iterdir()):
        raise PackingFailed(f"{target} is not empty")
    target.mkdir(parents=True, exist_ok=True)
    writer = _PartWriter(target, part_bytes, most_bytes)
    with tarfile.open(fileobj=writer, mode="w|gz") as archive:
        for path, name in sorted(files, key=lambda file: file[1]):
            archive.add(path, name, recursive=False, filter=_without_owner)
    writer.close()
    index = [asdict(part) for part in writer.parts]
    (target / INDEX).write_text(json.dumps(index, indent=1))
    return writer.parts


def unpack(source: Path, target: Path) -> None:
    """Check the parts in the folder `source` and write the files that they hold under `target`.

    Raises PackingFailed where a part is missing or damaged; then nothing has been written.
    """
    parts = _read_index(source)
    for part in parts:
        _check(source / part.name, part)
    target.mkdir(parents=True, exist_ok=True)
    joined = _Joined([source / part.name for part in parts])
    with tarfile.open(fileobj=joined, mode="r|gz") as archive:
        archive.extractall(target, filter="data")


def _read_index(source: Path) -> list[Part]:
    try:
        return [Part(**entry) for entry in json.loads((source / INDEX).read_text())]
    except (OSError, ValueError, TypeError) as error:
        raise PackingFailed(f"{source / INDEX} cannot be read: {error}") from error


def _check(path: Path, part: Part) -> None:
    if not path.is_file():
        raise PackingFailed(f"{part.name} is missing")
    if path.stat().st_size != part.bytes or _digest(path) != part.sha256:
        raise PackingFailed(f"{part.name} is damaged")


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _without_owner(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


class _PartWriter(io.RawIOBase):
    """Takes the bytes of an archive and starts another file whenever one is full."""

    def __init__(self, target: Path, part_bytes: int, most_bytes: int | None) -> None:
        self.parts: list[Part] = []
        self._target, self._size, self._most = target, part_bytes, most_bytes
        self._held = bytearray()
        self._written = 0

    def write(self, data: object) -> int:
        assert isinstance(data, bytes | bytearray | memoryview)
        self._held += data
        while len(self._held) >= self._size:
            self._end_part(self._size)
        return len(data)

    def close(self) -> None:
        if self._held:
            self._end_part(len(self._held))
        super().close()

    def _end_part(self, count: int) -> None:
        content = bytes(self._held[:count])
        del self._held[:count]
        self._written += count
        if self._most is not None and self._written > self._most:
            self._held.clear()
            raise PackingFailed(f"more than {self._most:,} bytes")
        name = f"part-{len(self.parts):03}"
        (self._target / name).write_bytes(content)
        self.parts.append(Part(name, count, hashlib.sha256(content).hexdigest()))


class _Joined(io.RawIOBase):
    """The bytes of several files, one after the other."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._blocks = _blocks(paths)
        self._left = b""

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._left) < size:
            block = next(self._blocks, b"")
            if not block:
                break
            self._left += block
        count = len(self._left) if size < 0 else size
        found, self._left = self._left[:count], self._left[count:]
        return found


def _blocks(paths: Sequence[Path]) -> Iterator[bytes]:
    for path in paths:
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                yield block
