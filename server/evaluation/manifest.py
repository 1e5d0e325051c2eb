"""A manifest of recordings, one line each, paths relative to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import soundfile

from audio.frame import Samples
from audio.resample import resample


@dataclass(frozen=True, slots=True)
class LabelledRecording:
    """One line: `name` is the path as written, `tag` the transcript, slots, or kind of noise."""

    path: Path
    name: str
    split: str
    label: str
    speaker: str
    tag: str
    seconds: float


def read_manifest(path: Path, recordings: Path | None = None) -> list[LabelledRecording]:
    """The lines of a manifest: tab-separated, with a head line; path, split and label are needed.
    Paths are relative to `recordings`, or else to the manifest.

    Raises OSError, and ValueError naming the line that cannot be read.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    columns = lines[0].split("\t") if lines else []
    if missing := {"path", "split", "label"} - set(columns):
        raise ValueError(f"{path.name}: no column {', '.join(sorted(missing))}")
    found, folder = [], recordings or path.parent
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        try:
            found.append(_recording(folder, dict(zip(columns, line.split("\t"), strict=True))))
        except ValueError as error:
            raise ValueError(f"{path.name}:{number}: {error}") from error
    return found


def _recording(folder: Path, fields: dict[str, str]) -> LabelledRecording:
    return LabelledRecording(
        folder / fields["path"],
        fields["path"],
        fields["split"],
        fields["label"],
        fields.get("speaker", "-"),
        fields.get("transcript_or_tag", ""),
        float(fields.get("seconds", "nan")),
    )


def read_sound(recording: LabelledRecording, rate: int) -> Samples:
    """The recording's samples [n], mono, at this rate. Raises OSError, ValueError."""
    if not recording.path.is_file():
        raise FileNotFoundError(f"{recording.path}: no such file")
    try:
        samples, source = soundfile.read(recording.path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{recording.name}: {error.error_string}") from error
    return resample(samples.mean(axis=1).astype("float32"), source, rate)
