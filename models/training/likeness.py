"""models.training: how alike two voice prints of one speaker are, fitted on people's recordings.

    python -m models.training likeness ../data/MANIFEST.tsv

Readers and people who order coffee, of the manifest's train split only, each near (as recorded) and
across a simulated room. For pairs of a known voice (up to 4.8 s) and the beginning of another
recording: are they one speaker? Prints are centred by how much was heard, since a short sound pulls
every voice to the same corner; that brought more than anything else. How fast the level of a voice
can fall, as a measure of the direct sound, was tried and said nothing, so it is no part of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import soundfile
import typer
from rich.console import Console
from rich.progress import track

from audio.frame import Samples
from models.base import HEAR_RATE, VoicePrint
from models.speaker.encoder import SpeakerModel
from models.speaker.likeness import FITTED, LENGTHS_S, Array, VoiceLikeness, features, length_of
from models.speaker.sound import level
from models.training.recordings import Recording, read_manifest, speakers_apart
from models.vad import WINDOW, SileroModel

TAKEN_S, MOST_EACH, PAIRS = 6.0, 5, 30_000
SHORTEST = HEAR_RATE // 2  # voiced samples
USER_FAR, OTHER_FAR = 0.25, 0.5  # how often a user is across the room, and somebody else
NEAR_DB, FAR_DB, HISS_DB = (-32.0, -18.0), (-46.0, -33.0), (-75.0, -55.0)
Random = np.random.Generator


@dataclass(frozen=True, slots=True)
class Spoken:
    """One recording in one place, with the prints of its beginnings by their place in LENGTHS_S;
    the longest is what is known of a user."""

    speaker: str
    kind: str
    number: int
    is_far: bool
    prints: dict[int, VoicePrint]

    @property
    def known(self) -> VoicePrint:
        return self.prints[max(self.prints)]


def utterances(manifest: Path) -> Iterator[tuple[Recording, int, Samples]]:
    """Recordings of the train split with their numbers; readers' are halved, for there is one of
    each."""
    taken: dict[str, int] = defaultdict(int)
    for recording in speakers_apart(read_manifest(manifest)):
        if recording.split != "train" or recording.label not in ("read_speech", "query"):
            continue
        taken[recording.speaker] += 1
        if taken[recording.speaker] > MOST_EACH:
            continue
        samples, _ = soundfile.read(recording.path, dtype="float32")
        pieces = np.array_split(samples, 2 if recording.label == "read_speech" else 1)
        for number, piece in enumerate(pieces):
            most = round(TAKEN_S * HEAR_RATE)
            yield recording, 2 * taken[recording.speaker] + number, piece[:most]


def across_the_room(random: Random, samples: Samples) -> Samples:
    """[n] in a simulated room: a direct sound and an exponentially falling tail."""
    seconds = random.uniform(0.25, 0.7)
    count = round(seconds * HEAR_RATE)
    tail = random.normal(size=count) * 10 ** (-3 * np.arange(count) / count)
    tail /= np.sqrt(np.sum(tail**2))
    tail[0] = 10 ** (random.uniform(-12, 0) / 20)
    size = len(samples) + count
    wet = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(tail, size), size)
    return wet[: len(samples)].astype(np.float32)


def spoken(
    encoder: SpeakerModel, silero: SileroModel, random: Random, manifest: Path
) -> Iterator[Spoken]:
    """Each recording near and far, as far as there is voice in it."""
    for recording, number, samples in track(list(utterances(manifest)), "voice prints"):
        is_voice = np.asarray(silero.probabilities(samples)) >= 0.5
        for is_far in (False, True):
            sound = across_the_room(random, samples) if is_far else samples
            windows = sound[: len(is_voice) * WINDOW].reshape(-1, WINDOW)[is_voice]
            if windows.size < SHORTEST:
                continue
            wanted = random.uniform(*(FAR_DB if is_far else NEAR_DB))
            voiced = windows.reshape(-1) * 10 ** ((wanted - level(windows.reshape(-1))) / 20)
            hiss = 10 ** (random.uniform(*HISS_DB) / 20)
            voiced = (voiced + random.normal(size=len(voiced)) * hiss).astype(np.float32)
            prints = dict(_beginnings(encoder, voiced))
            yield Spoken(recording.speaker, recording.label, number, is_far, prints)


def _beginnings(encoder: SpeakerModel, voiced: Samples) -> Iterator[tuple[int, VoicePrint]]:
    for place, seconds in enumerate(LENGTHS_S):
        count = min(round(seconds * HEAR_RATE), len(voiced))
        if length_of(count / HEAR_RATE) == place:
            yield place, encoder.measure(voiced[:count])


def centres_of(every: Sequence[Spoken]) -> Array:
    """The mean vectors [len(LENGTHS_S), width]."""
    rows = []
    for place in range(len(LENGTHS_S)):
        vectors = [one.prints[place].vector for one in every if place in one.prints]
        rows.append(np.mean(vectors, axis=0, dtype=np.float64))
    return np.array(rows)


def pairs(
    random: Random, every: Sequence[Spoken], centres: Array
) -> tuple[Array, Array, list[int]]:
    """Features [n, 6] of pairs, whether each is one speaker [n], and how long was heard."""
    near = [one for one in every if not one.is_far]
    rows: list[Array] = []
    same: list[float] = []
    lengths: list[int] = []
    while len(rows) < PAIRS:
        user = near[random.integers(len(near))]
        is_same = bool(random.random() < 0.5)
        is_far = bool(random.random() < (USER_FAR if is_same else OTHER_FAR))
        found = [
            one
            for one in every
            if (one.speaker == user.speaker) is is_same
            and one.is_far is is_far
            and (one.kind, one.number) != (user.kind, user.number if is_same else -1)
            and one.kind == user.kind  # else the microphone tells them apart
        ]
        if not found:
            continue
        heard = found[random.integers(len(found))]
        places = [place for place in heard.prints if LENGTHS_S[place] <= 1.6]
        place = places[random.integers(len(places))]
        rows.append(features(centres, user.known, heard.prints[place]))
        same.append(float(is_same))
        lengths.append(place)
    return np.array(rows), np.array(same), lengths


def fit(rows: Array, same: Array) -> Array:
    """Weights [6] by Newton's method, with a little decay."""
    weights = np.zeros(rows.shape[1])
    for _ in range(40):
        chance = 1 / (1 + np.exp(-rows @ weights))
        slope = rows.T @ (chance - same) / len(same) + 1e-3 * weights
        curve = (rows * (chance * (1 - chance))[:, None]).T @ rows / len(same)
        weights -= np.linalg.solve(curve + 1e-3 * np.eye(len(weights)), slope)
    return weights


def fit_likeness(
    random: Random, every: Sequence[Spoken]
) -> tuple[VoiceLikeness, dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float16]]]]:
    """The fit on these recordings, and as it is stored."""
    centres = centres_of(every).astype(np.float16).astype(np.float64)
    rows, same, _ = pairs(random, every, centres)
    weights = fit(rows, same)
    kept = {"centres": centres.astype(np.float16), "weights": weights.astype(np.float16)}
    return VoiceLikeness(centres, weights), kept


def report(console: Console, random: Random, every: Sequence[Spoken]) -> None:
    """How well it does on speakers whom the fit has not seen: each half judged by the other."""
    names = sorted({one.speaker for one in every})
    random.shuffle(names)
    halves = [[one for one in every if names.index(one.speaker) % 2 == half] for half in range(2)]
    found: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for half in range(2):
        centres = centres_of(halves[half])
        rows, same, _ = pairs(random, halves[half], centres)
        weights = fit(rows, same)
        rows, same, lengths = pairs(random, halves[1 - half], centres)
        for place, chance, truth in zip(
            lengths, 1 / (1 + np.exp(-rows @ weights)), same, strict=True
        ):
            found[place].append((float(chance), float(truth)))
    for place in sorted(found):
        chances, truths = np.array(found[place]).T
        user, other = chances[truths == 1], chances[truths == 0]
        cuts = np.linspace(0, 1, 501)
        error = min(cuts, key=lambda cut: abs(np.mean(user < cut) - np.mean(other >= cut)))
        console.print(
            f"{LENGTHS_S[place]} s: equal error {np.mean(user < error):.1%}; below 0.2: "
            f"{np.mean(user < 0.2):.1%} of users, {np.mean(other < 0.2):.1%} of others"
        )


def likeness(
    manifest: Annotated[Path, typer.Argument()], seed: int = 0, target: Path = FITTED
) -> None:
    """Fit how alike voice prints of one speaker are."""
    random, console = np.random.default_rng(seed), Console()
    every = list(spoken(SpeakerModel(fitted=None), SileroModel(), random, manifest))
    console.print(f"{len(every)} sounds of {len({one.speaker for one in every})} speakers")
    report(console, random, every)
    _, kept = fit_likeness(random, every)
    np.savez(target, **kept)  # type: ignore[arg-type]
