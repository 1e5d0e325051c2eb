"""Speech from free synthesisers: espeak-ng (in process, with times), flite, festival, and
where they are installed RHVoice (RHVoice-test), Pico (ttspico), Kokoro and hibari."""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from audio.frame import Samples
from models.base import HEAR_RATE
from models.training.kokoro import RATE as NEURAL_RATE
from models.training.kokoro import hibari_speech, kokoro
from models.training.voices import Voice

_SYNCHRONOUS = 2
_PHONEME_EVENTS = 1
_CHARACTERS_UTF8 = 1
_RATE, _PITCH, _RANGE = 1, 3, 4  # espeak_PARAMETER
_EVENT_WORD, _EVENT_PHONEME = 1, 7
_WORDS_A_MINUTE = 165


@dataclass(frozen=True, slots=True)
class SynthesizedSpeech:
    """Sound at 16 kHz if nothing else was asked for; starts of words and of phonemes in seconds
    (espeak-ng only)."""

    samples: Samples
    words: tuple[float, ...] = ()
    phones: tuple[tuple[float, str], ...] = ()


class _Identity(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _WordEvent(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int), ("unique", ctypes.c_uint), ("text_position", ctypes.c_int),
        ("length", ctypes.c_int), ("audio_position", ctypes.c_int), ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p), ("id", _Identity),
    )  # fmt: skip


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_WordEvent)
)


class Espeak:
    """espeak-ng inside this process; one at a time, for its library keeps global state."""

    def __init__(self) -> None:
        name = ctypes.util.find_library("espeak-ng")
        if name is None:
            raise RuntimeError("espeak-ng is not installed")
        self._library = ctypes.CDLL(name)
        self.rate = int(self._library.espeak_Initialize(_SYNCHRONOUS, 0, None, _PHONEME_EVENTS))
        self._pieces: list[Samples] = []
        self._words: list[float] = []
        self._phones: list[tuple[float, str]] = []
        self._callback = _Callback(self._take)  # kept: the library holds only its address
        self._library.espeak_SetSynthCallback(self._callback)

    def _take(self, wave: ctypes._Pointer, count: int, events: ctypes._Pointer) -> int:  # type: ignore[type-arg]
        if count > 0 and wave:
            piece: Samples = np.ctypeslib.as_array(wave, (count,)).astype(np.float32)
            self._pieces.append(piece / np.float32(32768))
        index = 0
        while events[index].type:
            event = events[index]
            if event.type == _EVENT_WORD:
                self._words.append(event.sample / self.rate)
            elif event.type == _EVENT_PHONEME:
                self._phones.append(
                    (event.sample / self.rate, event.id.string.decode("utf-8", "ignore"))
                )
            index += 1
        return 0

    def speak(self, text: str, voice: Voice, rate: int = HEAR_RATE) -> SynthesizedSpeech:
        """At `rate` hertz. Raises RuntimeError if there is no such voice or nothing was said."""
        if self._library.espeak_SetVoiceByName(f"{voice.accent}+{voice.name}".encode()) != 0:
            raise RuntimeError(f"espeak-ng has no voice {voice.accent}+{voice.name}")
        self._library.espeak_SetParameter(_RATE, int(_WORDS_A_MINUTE * voice.speed), 0)
        self._library.espeak_SetParameter(_PITCH, int(100 * voice.pitch), 0)
        self._library.espeak_SetParameter(_RANGE, int(100 * voice.liveliness), 0)
        self._pieces, self._words, self._phones = [], [], []
        spoken = text.encode()
        self._library.espeak_Synth(spoken, len(spoken) + 1, 0, 1, 0, _CHARACTERS_UTF8, None, None)
        if not self._pieces:
            raise RuntimeError(f"espeak-ng said nothing for {text!r}")
        samples = soxr.resample(np.concatenate(self._pieces), self.rate, rate)
        return SynthesizedSpeech(
            samples.astype(np.float32), tuple(self._words), tuple(self._phones)
        )


@cache
def espeak() -> Espeak:
    return Espeak()


def _read(path: Path) -> Samples:
    samples, rate = soundfile.read(path, dtype="float32")
    if rate != HEAR_RATE:
        samples = soxr.resample(samples, rate, HEAR_RATE)
    return np.asarray(samples, dtype=np.float32)


def _flite(text: str, voice: Voice, path: Path) -> SynthesizedSpeech:
    settings = ["--setf", f"duration_stretch={1 / voice.speed:.2f}"]
    if voice.pitch != 0.5:
        middle = 110 if voice.name.startswith("kal") else 170
        settings += ["--setf", f"int_f0_target_mean={middle * 2 ** (voice.pitch - 0.5):.0f}"]
    command = ["flite", "-voice", voice.name, *settings, "-t", text, str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return SynthesizedSpeech(_read(path))


def _festival(text: str, voice: Voice, path: Path) -> SynthesizedSpeech:
    script = f"(voice_{voice.name}) (Parameter.set 'Duration_Stretch {1 / voice.speed:.2f})"
    command = ["text2wave", "-eval", script, "-o", str(path)]
    subprocess.run(command, input=text.encode(), check=True, capture_output=True)
    return SynthesizedSpeech(_read(path))


def _rhvoice(text: str, voice: Voice, path: Path) -> SynthesizedSpeech:
    settings = [
        "-r",
        f"{100 * voice.speed:.0f}",
        "-t",
        f"{100 * 2 ** (0.8 * voice.pitch - 0.4):.0f}",
    ]
    command = ["RHVoice-test", "-p", voice.name, *settings, "-o", str(path)]
    subprocess.run(command, input=text.encode(), check=True, capture_output=True)
    return SynthesizedSpeech(_read(path))


@cache
def _pico_engine(language: str) -> Any:
    return importlib.import_module("ttspico").TtsEngine(language)


def _pico(text: str, voice: Voice) -> SynthesizedSpeech:
    engine = _pico_engine(voice.name)
    engine.rate, engine.pitch = int(100 * voice.speed), int(100 * 2 ** (0.8 * voice.pitch - 0.4))
    samples = np.frombuffer(engine.speak(text) or b"", np.int16).astype(np.float32)
    return SynthesizedSpeech(samples / np.float32(32768))


def _neural(text: str, voice: Voice) -> SynthesizedSpeech:
    if voice.engine == "hibari":
        samples = hibari_speech(text)
    else:
        samples = kokoro().speak(text, voice.name, voice.speed)
    return SynthesizedSpeech(soxr.resample(samples, NEURAL_RATE, HEAR_RATE).astype(np.float32))


_PROGRAMS = {"flite": _flite, "festival": _festival, "rhvoice": _rhvoice}


def speak(text: str, voice: Voice) -> SynthesizedSpeech:
    """The text in this voice. Raises RuntimeError, ImportError, ValueError, FileNotFoundError or
    CalledProcessError if that fails."""
    if voice.engine == "espeak":
        return espeak().speak(text, voice)
    if voice.engine == "pico":
        return _pico(text, voice)
    if voice.engine in ("kokoro", "hibari"):
        return _neural(text, voice)
    with tempfile.TemporaryDirectory() as folder:
        return _PROGRAMS[voice.engine](text, voice, Path(folder) / "speech.wav")
