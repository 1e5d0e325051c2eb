"""Recordings and synthesised speech that scenes are built from."""

from __future__ import annotations

import itertools
import os
import shutil
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from audio.frame import HEAR_RATE, Samples
from audio.resample import resample
from models.training.synthesis import speak
from models.training.voices import RESERVED_FLITE, RESERVED_VARIANTS, Voice
from server.call.timeline import RATE, TimelineClip
from server.call.voiced import Span, voiced_spans
from server.evaluation.manifest import LabelledRecording, read_manifest, read_sound

DATA_VARIABLE = "ANTIPHON_DATA"
_SPEECH_LEVEL = -23.0  # dBFS of synthesised speech


class MissingMaterial(Exception):
    """This scene cannot be built here; the text says what it lacks."""


class Material:
    """What there is to build from: a data folder (or none) and the synthesisers installed."""

    def __init__(self, folder: Path | None, split: str) -> None:
        self.split = split
        self._all = read_manifest(folder / "MANIFEST.tsv") if folder else []
        self._recordings = [one for one in self._all if split in (one.split, "all")]

    def recordings(
        self, labels: tuple[str, ...], tags: tuple[str, ...] = (), seconds: float = np.inf
    ) -> list[LabelledRecording]:
        """Recordings with one of these labels (and tags), at most so long.

        Raises MissingMaterial.
        """
        found = [
            one
            for one in self._recordings
            if one.label in labels and (not tags or one.tag in tags) and one.seconds <= seconds
        ]
        if not found:
            what = ", ".join(labels)
            raise MissingMaterial(f"no {self.split} recordings of {what}: set {DATA_VARIABLE}")
        return found

    def room(self) -> Samples | None:
        """The impulse response of a room, of any split, [n] at 24 kHz; None without one."""
        found = [one for one in self._all if one.label == "rir"]
        return load(found[0]).samples if found else None


def find_data(argument: Path | None = None) -> Path | None:
    """The data folder: the argument, else the environment's. Raises MissingMaterial."""
    named = argument or (Path(os.environ[DATA_VARIABLE]) if DATA_VARIABLE in os.environ else None)
    if named is not None and not (named / "MANIFEST.tsv").is_file():
        raise MissingMaterial(f"{named} holds no MANIFEST.tsv")
    return named


@lru_cache(maxsize=256)
def load(recording: LabelledRecording) -> TimelineClip:
    """The recording as a clip at 24 kHz, voiced bounds by energy."""
    return TimelineClip.of(recording.path.stem, read_sound(recording, RATE))


# ------------------------------------------------------------------------------------ speech


def voices(*, timed: bool = False) -> list[Voice]:
    """Voices that no training has heard, as far as their engines are installed; `timed`: only
    those that say where their words begin."""
    found = []
    if shutil.which("flite") and not timed:
        found += [Voice("flite", name) for name in RESERVED_FLITE]
    if shutil.which("espeak-ng"):
        found += [Voice("espeak", name, "en-us") for name in RESERVED_VARIANTS[:4]]
    return found


@lru_cache(maxsize=256)
def spoken(text: str, voice: Voice) -> TimelineClip:
    """A sentence in this voice, at the level of close speech, with a little room round it. A bar
    in the text is a place where somebody might stop to think; it is not heard."""
    before, bar, _ = text.partition("|")
    plain = " ".join(text.replace("|", " ").split())
    said = speak(plain, voice)
    samples = resample(said.samples, HEAR_RATE, RATE)
    quiet = np.zeros(RATE // 10, dtype=np.float32)
    padded = np.concatenate((quiet, at_level(samples, _SPEECH_LEVEL), quiet))
    clip = TimelineClip.of(f"{plain} [{voice.speaker}]", padded)
    place = len(before.split())
    if not bar or place >= len(said.words):
        return clip
    return replace(clip, breaks=(softest(padded, said.words[place] + 0.1),))


# ---------------------------------------------------------------------------- pure treatments


def at_level(samples: Samples, level: float) -> Samples:
    """Scaled so that the loud part of [n] has this RMS level in dBFS; peaks stay below -1 dB."""
    spans = voiced_spans(samples, RATE)
    loud = np.concatenate([samples[_slice(span)] for span in spans]) if spans else samples
    rms = float(np.sqrt(np.mean(loud.astype(np.float64) ** 2))) if len(loud) else 0.0
    if rms == 0.0:
        return samples
    peak = float(np.max(np.abs(samples)))
    gain = min(10 ** (level / 20) / rms, 0.89 / peak)
    scaled: Samples = (samples * np.float32(gain)).astype(np.float32)
    return scaled


def longest_gap(clip: TimelineClip, shortest: float = 0.08) -> Span | None:
    """The longest silence inside speech, seconds of the clip; None if all are shorter."""
    spans = voiced_spans(clip.samples, RATE, gap=shortest)
    gaps = [Span(a.end, b.start) for a, b in itertools.pairwise(spans)]
    return max(gaps, key=lambda gap: gap.seconds, default=None)


def stretched(clip: TimelineClip, gap: Span, seconds: float) -> tuple[TimelineClip, Span]:
    """The clip with this gap stretched to `seconds` by its own room tone, and the new pause."""
    first, last = round(gap.start * RATE), round(gap.end * RATE)
    edge = round(0.01 * RATE)
    tone = clip.samples[first + edge : max(last - edge, first + edge + 1)]
    wanted = round(seconds * RATE) - (last - first)
    if wanted <= 0:
        return clip, gap
    # There and back again, so that the seams are continuous.
    there_and_back = np.concatenate((tone, tone[::-1]))
    more = np.resize(there_and_back, wanted).astype(np.float32)
    middle = (first + last) // 2
    samples = np.concatenate((clip.samples[:middle], more, clip.samples[middle:]))
    pause = Span(gap.start, gap.start + seconds)
    voiced = clip.voiced
    shift = wanted / RATE
    moved = Span(voiced.start, voiced.end + shift) if voiced else None
    return TimelineClip(clip.name, samples, moved), pause


def softest(samples: Samples, moment: float, reach: float = 0.04) -> float:
    """The softest moment of [n] near `moment`, in seconds: words are cut apart there."""
    step = RATE // 200
    first = max(0, round((moment - reach) * RATE))
    part = samples[first : round((moment + reach) * RATE)]
    count = len(part) // step
    if not count:
        return moment
    power = np.mean(part[: count * step].reshape(count, step).astype(np.float64) ** 2, axis=1)
    return (first + (int(np.argmin(power)) + 0.5) * step) / RATE


def broken_off(clip: TimelineClip, moment: float, seconds: float) -> tuple[TimelineClip, Span]:
    """The clip with silence of `seconds` put in at `moment`, and the pause; its edges are soft."""
    at, edge = round(moment * RATE), round(0.005 * RATE)
    before, after = clip.samples[:at].copy(), clip.samples[at:].copy()
    fade = np.linspace(1, 0, edge, dtype=np.float32)
    before[-edge:] *= fade[-len(before[-edge:]) :]
    after[:edge] *= fade[::-1][: len(after[:edge])]
    silence = np.zeros(round(seconds * RATE), dtype=np.float32)
    return TimelineClip.of(clip.name, np.concatenate((before, silence, after))), Span(
        moment, moment + seconds
    )


def in_room(clip: TimelineClip, response: Samples) -> TimelineClip:
    """The clip as heard in a room with this impulse response [n]; its level is kept."""
    size = len(clip.samples) + len(response) - 1
    spectrum = np.fft.rfft(clip.samples, size) * np.fft.rfft(response, size)
    wet = np.fft.irfft(spectrum, size)[: len(clip.samples)].astype(np.float32)
    before, after = (float(np.sqrt(np.mean(x**2))) or 1.0 for x in (clip.samples, wet))
    return TimelineClip(
        clip.name, (wet * np.float32(before / after)).astype(np.float32), clip.voiced
    )


def cropped(clip: TimelineClip, seconds: float) -> TimelineClip:
    """At most so much of a clip, from its first voiced moment on."""
    start = round((clip.voiced.start if clip.voiced else 0.0) * RATE)
    return TimelineClip.of(clip.name, clip.samples[start : start + round(seconds * RATE)])


def _slice(span: Span) -> slice:
    return slice(round(span.start * RATE), round(span.end * RATE))
