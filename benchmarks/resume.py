"""Is a disturbed answer the undisturbed one, sample by sample?

Outside a duck both must be bit-equal; inside it the disturbed one must be the other at the ducking
gain, within one step of the 16-bit wire.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from audio.frame import SPEAK_RATE, Samples, to_samples
from audio.gain import Ducker
from audio.pcm import FULL_SCALE, quantise
from benchmarks.driver import CallerLine, together
from benchmarks.scene import Trial
from server.call.caller import Caller, call
from server.call.record import CallRecord, RecordedAnswer

Steps = npt.NDArray[np.int32]  # [n], 16-bit values

_APART = to_samples(0.2, SPEAK_RATE)  # differences further apart belong to two ducks
_RAMP = to_samples(0.01, SPEAK_RATE)
_BEFORE_THE_ANSWER = 8.0  # seconds that a question and its answer's beginning may take


@dataclass(frozen=True, slots=True)
class Comparison:
    """`ducks`: first and last changed sample of each; `error`: largest distance from the reference
    at the ducking gain, in 16-bit steps; `lost`: samples missing (below zero: too many). An answer
    that was stopped, or hung up on, is compared as far as it came; there only too many samples at
    its end can be seen, but one lost or doubled before it shifts all that follows."""

    ducks: tuple[tuple[int, int], ...]
    error: int
    lost: int

    @property
    def is_equal(self) -> bool:
        """No sample lost or doubled, none wrong by more than one step."""
        return self.lost == 0 and self.error <= 1


def compare(reference: Samples, received: Samples, *, is_whole: bool = True) -> Comparison:
    """Compare an answer [m] with the undisturbed one [n], both at 24 kHz."""
    count = min(len(reference), len(received))
    expected, found = (quantise(x[:count]).astype(np.int32) for x in (reference, received))
    ducks: list[tuple[int, int]] = []
    error = 0
    changed = np.flatnonzero(expected != found)
    for first, last in _stretches(changed):
        inside = changed[(changed >= first) & (changed <= last)]
        parts = _explained(expected, found, inside)
        ducks += [duck for duck, _ in parts]
        error = max(error, *(part for _, part in parts))
    lost = len(reference) - len(received)
    return Comparison(tuple(ducks), error, lost if is_whole else min(0, lost))


def _explained(
    expected: Steps, found: Steps, changed: npt.NDArray[np.int64]
) -> list[tuple[tuple[int, int], int]]:
    """One stretch as one duck or, where that explains it better, as two that follow closely (a dog
    that barks twice): each with its error."""
    duck = (int(changed[0]), int(changed[-1]))
    whole = [(duck, _error(expected, found, *duck))]
    gaps = np.diff(changed)
    if whole[0][1] <= 1 or not len(gaps) or gaps.max() < _RAMP:
        return whole
    cut = int(gaps.argmax()) + 1
    parts = [
        ((int(part[0]), int(part[-1])), _error(expected, found, int(part[0]), int(part[-1])))
        for part in (changed[:cut], changed[cut:])
    ]
    return parts if max(error for _, error in parts) < whole[0][1] else whole


def _stretches(changed: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    if not len(changed):
        return []
    parts = np.split(changed, np.flatnonzero(np.diff(changed) > _APART) + 1)
    return [(int(part[0]), int(part[-1])) for part in parts]


def _error(expected: Steps, found: Steps, first: int, last: int) -> int:
    """The smallest error that some moment of ducking and of restoring leaves.

    A ramp changes its first samples by less than a step, so the moment lies a little before the
    first sample that differs. A short look at the ramp finds it in a short duck, a long look in a
    soft passage.
    """
    begin, end = max(0, first - _RAMP), min(len(expected), last + _RAMP + 1)
    reference, heard = expected[begin:end], found[begin:end]
    errors = []
    for look in (_RAMP // 3, _RAMP, 4 * _RAMP):
        part = slice(0, min(len(heard), first - begin + look))
        downs = range(first - begin + 1)
        down = min(downs, key=lambda at: _distance(reference, heard, at, len(heard), part))
        earliest = max(down + 1, last - begin - 2 * _RAMP)
        ups = range(earliest, max(earliest + 1, last - begin + 1))
        errors.append(min(_distance(reference, heard, down, up, slice(None)) for up in ups))
        if errors[-1] <= 1:
            break
    return min(errors)


def _distance(reference: Steps, heard: Steps, down: int, up: int, part: slice) -> int:
    ducker = Ducker()
    samples = (reference / FULL_SCALE).astype(np.float32)
    before = samples[:down]
    ducker.duck()
    inside = ducker.process(samples[down:up])
    ducker.restore()
    after = ducker.process(samples[up:])
    expected = quantise(np.concatenate((before, inside, after))).astype(np.int32)
    return int(np.max(np.abs(expected - heard)[part], initial=0))


@dataclass(slots=True)
class Resumes:
    """Collects disturbed answers, then calls again without the disturbance and compares."""

    found: list[tuple[Trial, RecordedAnswer]] = field(default_factory=list)
    references: dict[str, Samples] = field(default_factory=dict)

    async def take(self, trial: Trial, record: CallRecord, caller: Caller) -> None:
        spoken = [answer for answer in record.answers if answer.audible is not None]
        if spoken:
            self.found.append((trial, spoken[0]))

    async def judge(self, line: CallerLine) -> list[dict[str, Any]]:
        """One outcome for each disturbed answer."""
        trials = {trial.question: trial for trial, _ in self.found}
        calls = [self._reference(line, trial) for trial in trials.values()]
        self.references = dict(zip(trials, await together(calls), strict=True))
        outcomes = []
        for trial, answer in self.found:
            name = trial.question
            reference, is_whole = self.references[name], answer.status == "completed"
            found = compare(reference, answer.received, is_whole=is_whole)
            outcomes.append(
                {
                    "bit_equal_outside_the_duck": found.is_equal,
                    "ducked_once_or_never": len(found.ducks) <= 1,
                    "ducked_ever": bool(found.ducks),
                    "stopped": answer.status == "cancelled",
                    "error": float(found.error),
                    "lost_samples": float(found.lost),
                    "question": name,
                }
            )
        return outcomes

    async def _reference(self, line: CallerLine, trial: Trial) -> Samples:
        same = [a for other, a in self.found if other.question == trial.question]
        longest = max(len(answer.received) for answer in same) / SPEAK_RATE
        alone = trial.alone(longest + _BEFORE_THE_ANSWER)
        record = await call(line.url, alone, key=line.key, model=line.model)
        spoken = [answer.received for answer in record.answers if answer.audible is not None]
        return spoken[0] if spoken else np.zeros(0, dtype=np.float32)
