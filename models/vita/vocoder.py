"""From acoustic features to samples: pulses and noise through a moving filter, as they arrive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.base import SPEAK_RATE, Samples

Array = npt.NDArray[np.float64]

HOP = 200  # samples a frame
FRAMES_PER_CODE = 3  # 25 ms
BANDS = 48  # of the log envelope
NOISE_BANDS = 3  # of the log aperiodicity
FEATURES = BANDS + NOISE_BANDS + 2  # ..., log2 of the pitch in hertz, voicing
PITCH, VOICING = FEATURES - 2, FEATURES - 1

_SIZE = 1024  # of the filters' transform
_BINS = _SIZE // 2 + 1
_FLOOR, _CEILING = 70.0, 500.0  # hertz
_NOISE_PLACES = (0.0, 3_000.0, 6_000.0, 9_000.0, 12_000.0)  # hertz; the ends are known
_GRAIN = np.hanning(2 * HOP + 1)[:-1] ** 0.5  # neighbours add up to even power
_RUMBLE = np.log1p(-np.exp(-((np.arange(_BINS) * SPEAK_RATE / _SIZE / 60) ** 2)) + 1e-4)


def band_places() -> Array:
    """Bins [BANDS] at which the log envelope is kept, evenly spaced in mel from 40 Hz to 12 kHz."""
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (40.0, SPEAK_RATE / 2))
    hertz = 700 * (10 ** (np.linspace(low, high, BANDS) / 2595) - 1)
    return np.asarray(hertz * _SIZE / SPEAK_RATE, np.float64)


def interpolation(places: Array) -> Array:
    """[len(places), bins]: linear interpolation from values at `places` to every bin."""
    bins = np.arange(_BINS)
    columns = [np.interp(bins, places, unit) for unit in np.eye(len(places))]
    return np.stack(columns)


def _minimum_phase(log_power: Array) -> Array:
    """Complex spectra [n, bins] of least delay whose log power is `log_power` [n, bins]."""
    cepstrum = np.fft.irfft(log_power / 2, axis=1)
    cepstrum[:, 1 : _SIZE // 2] *= 2
    cepstrum[:, _SIZE // 2 + 1 :] = 0
    return np.asarray(np.exp(np.fft.rfft(cepstrum, axis=1)))


@dataclass(frozen=True, slots=True)
class _Frames:
    """Features taken apart: log power of the two filters [n, bins], pitch [n] in hertz, 0 where
    there is no voice."""

    voiced: Array
    noise: Array
    pitch: Array


class Vocoder:
    """One answer's synthesis; feed features in any portions, the samples are the same.

    A frame gives HOP samples. Pulses and noise of a frame ring on into later ones, so the state is
    the phase of the pulses, the generator of the noise and the sound that is still to come.
    Source: the harmonic-plus-noise form of WORLD (Morise and others, 2016).
    """

    def __init__(self, seed: int = 0) -> None:
        self._random = np.random.default_rng(seed)
        self._ringing = np.zeros(_SIZE + 2 * HOP)
        self._phase = 0.0  # turns since the last pulse; one or more: a pulse is due
        self._pitch = 0.0
        self._envelope = interpolation(band_places())
        places = np.asarray(_NOISE_PLACES) * _SIZE / SPEAK_RATE
        self._aperiodicity = interpolation(places)

    def feed(self, features: npt.NDArray[np.float32]) -> Samples:
        """features [n, FEATURES] -> samples [n * HOP] at 24 kHz, within -1..1."""
        if not len(features):
            return np.zeros(0, np.float32)
        frames = self._apart(features.astype(np.float64))
        pulses, noises = _minimum_phase(frames.voiced), _minimum_phase(frames.noise)
        out = np.empty((len(features), HOP))
        for index in range(len(features)):
            self._add_pulses(pulses[index], float(frames.pitch[index]))
            self._add_noise(noises[index])
            out[index] = self._ringing[:HOP]
            self._ringing[:-HOP] = self._ringing[HOP:]
            self._ringing[-HOP:] = 0
        return np.clip(out.reshape(-1), -1, 1).astype(np.float32)

    def _apart(self, features: Array) -> _Frames:
        envelope = features[:, :BANDS] @ self._envelope + _RUMBLE
        kept = np.clip(features[:, BANDS : BANDS + NOISE_BANDS], -14, 0)
        ends = np.full((len(kept), 1), -14.0), np.zeros((len(kept), 1))
        share = np.concatenate((ends[0], kept, ends[1]), 1) @ self._aperiodicity
        voice = features[:, VOICING] > 0.5
        harmonic = np.log(np.maximum(1 - np.exp(share), 1e-6))
        pitch = np.clip(2 ** features[:, PITCH], _FLOOR, _CEILING) * voice
        return _Frames(envelope + harmonic, envelope + share * voice[:, None], pitch)

    def _add_pulses(self, spectrum: npt.NDArray[np.complex128], pitch: float) -> None:
        """Pulses that fall into this frame, each at its exact time between the samples."""
        if not pitch:
            self._pitch = 0.0
            return
        if not self._pitch:  # voice sets in: at once
            self._phase, self._pitch = 1.0, pitch
        step = np.linspace(self._pitch, pitch, HOP, endpoint=False) / SPEAK_RATE
        phase = self._phase + np.cumsum(step) - step
        self._phase, self._pitch = float(phase[-1] + step[-1] - np.floor(phase[-1])), pitch
        turns = np.floor(phase)
        for place in np.flatnonzero(np.diff(turns, prepend=turns[0] - (phase[0] >= 1))):
            late = place - (phase[place] - turns[place]) / step[place]  # the pulse's exact time
            self._add(spectrum, max(late, 0.0), np.sqrt(SPEAK_RATE / pitch))

    def _add(self, spectrum: npt.NDArray[np.complex128], time: float, gain: float) -> None:
        turn = np.exp(-2j * np.pi * np.arange(_BINS) / _SIZE * (time % 1))
        start = int(time)
        self._ringing[start : start + _SIZE] += np.fft.irfft(spectrum * turn) * gain

    def _add_noise(self, spectrum: npt.NDArray[np.complex128]) -> None:
        grain = self._random.standard_normal(2 * HOP) * _GRAIN
        self._ringing[:_SIZE] += np.fft.irfft(np.fft.rfft(grain, _SIZE) * spectrum)
