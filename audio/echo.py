"""Is this microphone signal our own output coming back?

Nothing is cancelled: the microphone's sound goes on unchanged, and only the question is answered.
First the delay is found by pattern (echo_delay), then the path is learned (echo_path): what it
explains is echo, and energy that it does not explain is somebody's voice, even over the echo.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audio.echo_delay import LAGS, PATTERN, DelayFinder
from audio.echo_path import EARLY, TAPS, EchoPath
from audio.frame import HEAR_RATE, SPEAK_RATE, Samples
from audio.microphone_clock import MicrophoneClock
from audio.resample import Resampler
from audio.spectra import LINES, STEP, Lines, Recent, Spectra

SMOOTH = 6  # steps over which energies are summed
YOUNG = 60  # steps of learning until the path alone decides
DOUBT = 18  # active steps in which a likeness without a known delay is believed
LEFT_VOICE = 0.5  # share of unexplained energy from which it is a voice
LEFT_YOUNG = 0.75  # the same while the path is young
FRESH = 25  # of those, the steps in which a path knows next to nothing
ALIKE = 0.5  # likeness at a believed delay that is echo while the path is fresh
ALIKE_STILL = 0.6  # the same while it is young
ALIKE_ANYWHERE = 0.6  # the same at whichever delay fits best, before one is believed
SAME = 0.9  # likeness that is echo whatever the path says
HOLD = 20  # steps for which a voice is held through the echo's louder moments
CONFIRM = 3  # steps in a row that make a voice
SURE = 5  # steps in a row that start a hold
NOISE_MEAN = 3.5  # mean of noise over the least of its smoothed power
ABOVE_NOISE = 8.0  # power ratio: sound in the microphone
EXPECTED = 45  # steps after which output comes back, if it does
UNHEARD = 35  # silent steps since then that make an echo unlikely
PAUSE = LAGS * STEP  # samples: a longer gap in our output is its end, a shorter one came late
MISSING = 0.3  # share of the expected echo's power below which it has not come
BLEND = 0.7  # of a step in the powers that are compared for it
LATE = 0.1  # share of the echo that comes later than the path reaches
LATE_FALL = 0.9  # of that, a step (a reverberation of 1.3 s)


@dataclass(frozen=True, slots=True)
class EchoReport:
    """`is_echo`: the latest sound is our own. `likeness`: share of it that our output explains,
    0..1. `delay`: seconds from sending to hearing, None if not known."""

    is_echo: bool
    likeness: float
    delay: float | None


class EchoGuard:
    """One session's guard. Give it all output as sent (after ducking), and all input: when it
    arrives, and when it is to be judged. `now` is seconds of one monotonic clock."""

    def __init__(self, speak_rate: int = SPEAK_RATE) -> None:
        self._speak_rate = speak_rate
        self._resampler = Resampler(speak_rate, HEAR_RATE)
        self._clock = MicrophoneClock()
        self._output_spectra, self._input_spectra = Spectra(), Spectra()
        self._output = Recent(LINES, complex_rows=True)
        self._finder, self._path = DelayFinder(), EchoPath()
        self._sent = -2 * PAUSE  # samples at 16 kHz on the microphone's time line
        self._heard = 0
        self._output_step = 0
        self._input_step = 0
        self._last_output = -10 * LAGS  # step of the latest output that is not silent
        self._first_output = 0  # of the first one since the output began
        self._gaps: deque[int] = deque(maxlen=16)  # steps of output that came late
        self._unheard = 0  # steps in which an echo should have been heard and was not
        self._usual = np.full(LINES, 1e-3)  # power of our output: weighs the lines
        self._smooth: npt.NDArray[np.float64] | None = None
        self._noise = np.full(LINES, np.inf)
        self._late = np.zeros(LINES)
        self._expected = self._came = 0.0  # power of the echo, and of what was heard in its place
        self._missed = -LAGS  # step at which an echo did not come
        self._totals: deque[tuple[float, float]] = deque(maxlen=SMOOTH)
        self._voice_steps = 0
        self._held = 0
        self._report = EchoReport(False, 0.0, None)

    def arrived(self, samples: int, now: float) -> None:
        """So many samples of the microphone at 16 kHz have come in."""
        self._clock.arrived(samples, now)

    def played(self, samples: Samples, now: float) -> None:
        """Samples [n] at the speaking rate leave for the client now. They sound when they come,
        or after those before them: where they are late, there is a gap."""
        here = self._clock.position(now)
        if here - self._sent > PAUSE:
            self._begin(here)
        elif here > self._sent:
            self._gaps.append(self._output_step)
        if here > self._sent:
            self._write(np.zeros((here - self._sent) * self._speak_rate // HEAR_RATE, np.float32))
        self._write(samples)

    def _write(self, samples: Samples) -> None:
        converted = self._resampler.push(samples)
        self._sent += len(converted)
        for spectrum in self._output_spectra.push(converted):
            self._note_output(spectrum)

    def heard(self, samples: Samples) -> EchoReport:
        """Samples [n] of the microphone at 16 kHz; the judgement of the latest."""
        self._heard += len(samples)
        for spectrum in self._input_spectra.push(samples):
            self._judge(spectrum)
            self._input_step += 1
        return self._report

    def _begin(self, here: int) -> None:
        """Output after a pause stands where the microphone is now."""
        self._output_step = self._first_output = here // STEP
        self._sent = self._output_step * STEP
        self._resampler.reset()
        self._output_spectra.reset()
        self._path.loosen()
        self._gaps.clear()
        self._finder.doubt()

    def _note_output(self, spectrum: Lines) -> None:
        step, power = self._output_step, np.square(np.abs(spectrum))
        self._output.write(step, spectrum)
        self._finder.played(step, spectrum)
        if power.mean() > 1e-3:
            self._last_output = step
            self._usual += 0.02 * (power - self._usual)
        self._output_step += 1

    def _judge(self, spectrum: Lines) -> None:
        step = self._input_step
        power = np.square(np.abs(spectrum))
        self._smooth = power if self._smooth is None else 0.8 * self._smooth + 0.2 * power
        self._noise = np.minimum(self._noise * 1.002, np.maximum(self._smooth, 1e-9))
        if step - self._last_output > LAGS + TAPS:
            self._totals.clear()
            self._late[:] = 0.0
            self._say(False, 0.0, sounding=False)
            return
        voiced = bool(power.sum() > ABOVE_NOISE * self._noise.sum())
        if self._finder.heard(step, spectrum, voiced):
            self._path.restart()
        if not voiced and self._first_output + EXPECTED <= step <= self._last_output:
            self._unheard += 1
        left = self._left(step, spectrum)
        self._say(self._decide(left, voiced), 1.0 - left, voiced)

    def _sources(self, step: int) -> Lines | None:
        if self._finder.delay is None:
            return None
        first = step - self._finder.delay + EARLY - TAPS + 1
        return self._output.read(first, TAPS)[::-1].astype(np.complex128)

    def _left(self, step: int, spectrum: Lines) -> float:
        """Share of the microphone's recent energy that our output does not explain, 0..1."""
        sources = self._sources(step)
        if sources is None:
            return 1.0 - max(0.0, self._finder.best)
        self._pass_gaps(step)
        echo, left = self._path.explain(sources, spectrum)
        self._watch(step, float(np.square(np.abs(echo)).sum()), spectrum)
        self._late = LATE_FALL * self._late + LATE * np.square(np.abs(echo))
        weights = 1.0 / (self._usual + 1e-6)
        beyond = np.maximum(0.0, np.square(np.abs(left)) - self._late)
        unexplained = (beyond - NOISE_MEAN * self._noise) @ weights
        self._totals.append((float(unexplained), float(np.square(np.abs(spectrum)) @ weights)))
        top, bottom = np.sum(self._totals, axis=0)
        return float(min(1.0, max(0.0, top) / (bottom + 1e-9)))

    def _watch(self, step: int, expected: float, spectrum: Lines) -> None:
        """Silence where an echo should be: the client plays late, and its delay has moved."""
        came = float(np.square(np.abs(spectrum)).sum())
        self._expected += BLEND * (expected - self._expected)
        self._came += BLEND * (came - self._came)
        is_known = self._path.learned >= FRESH and not self._held
        is_clear = is_known and self._expected > ABOVE_NOISE * self._noise.sum()
        if is_clear and self._came < MISSING * self._expected:
            self._missed = step
            self._finder.doubt()
            self._path.restart()

    def _pass_gaps(self, step: int) -> None:
        """Sound that came late is not where we think to the sample: the path has to find it."""
        assert self._finder.delay is not None
        while self._gaps and self._gaps[0] + self._finder.delay - EARLY <= step:
            self._gaps.popleft()
            self._path.restart()

    @property
    def _is_unlikely(self) -> bool:
        """We have played for a while and the microphone did not hear it: headphones. Speech is a
        little like other speech, so without this the first syllable would pass for an echo."""
        return self._finder.delay is None and self._unheard >= UNHEARD

    def _decide(self, left: float, voiced: bool) -> bool:
        alike = self._finder.best
        if self._input_step - self._missed < LAGS and self._finder.active < PATTERN:
            return True  # what comes after the silence cannot be compared yet
        if self._is_unlikely and voiced:
            return alike >= SAME
        if self._finder.delay is None:
            return alike >= (ALIKE_ANYWHERE if self._finder.active < DOUBT else SAME)
        if self._path.learned < YOUNG or not self._finder.settled:
            fresh = self._path.learned < FRESH
            return left < LEFT_YOUNG or alike >= (ALIKE if fresh else ALIKE_STILL)
        return left < LEFT_VOICE or alike >= SAME

    def _say(self, echo: bool, likeness: float, sounding: bool) -> None:
        self._voice_steps = self._voice_steps + 1 if sounding and not echo else 0
        if self._voice_steps >= SURE:
            self._held = HOLD
        else:
            self._held = max(0, self._held - 1)
        confirm = 1 if self._is_unlikely else CONFIRM
        echo = not self._held and (echo or 0 < self._voice_steps < confirm)
        delay = self._finder.delay
        seconds = None if delay is None else delay * STEP / HEAR_RATE
        self._report = EchoReport(echo, likeness, seconds)
