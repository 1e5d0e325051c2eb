"""Batches of sound: clips are drawn, changed, padded with silence, and said where they end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from audio.features import BINS, Features
from models.training import augmentation
from models.training.augmentation import Strength
from models.training.clips import Clip, ClipStore
from models.training.pinyin import words_of

UNTRIMMED = ("order", "digit", "word")  # recordings that go on after the last word
_TRAILS = ((8, 35), (30, 120), (120, 450))  # frames
_TRAIL_SHARES = (0.62, 0.3, 0.08)
OPEN_WORDS = frozenset(  # after these a question goes on
    (
        "a an the of is are what which how can could i me my for with plus minus times and to in "
        "do does you tell have get make like on from who where many much that's what's please set "
        "turn 的 是 加 减 乘 在 请 我 给 杯 和 有 诉 知 讲 个 什"
    ).split()
)


@dataclass(frozen=True, slots=True)
class ListeningResult:
    """A clip as nano hears it: features [frames, 80], voice from `onset` to `end` in frames,
    and phonemes as (first frame, name)."""

    features: Features
    onset: int
    end: int
    clip: Clip
    phones: tuple[tuple[int, str], ...] = ()
    ends: tuple[int, ...] = ()  # where each word of the text is over, in frames
    whole: bool = True
    unclear: bool = False  # the sound is another clip's: its words have to be given


class Ear:
    """Draws clips of several stores and puts them into random surroundings."""

    def __init__(self, stores: Sequence[ClipStore], strength: Strength, seed: int) -> None:
        self.stores = list(stores)
        self.random = np.random.default_rng(seed)
        self.strength = strength
        self._noises = self._numbers(("noise", "echo"))
        self._speech = self._numbers(("query", "talk", "speech", "order"))

    def _numbers(self, kinds: tuple[str, ...]) -> list[tuple[int, int]]:
        return [
            (index, number)
            for index, store in enumerate(self.stores)
            for number, clip in enumerate(store.clips)
            if clip.kind in kinds and clip.split == "train"
        ]

    def hear(self, store: int, number: int, *, whole: bool = True) -> ListeningResult:
        """One clip, augmented, with random silence before and behind; if not whole, its voice is
        broken off somewhere in the middle."""
        random = self.random
        clip = self.stores[store].clips[number]
        features, onset, end = self._cropped(store, number)
        shift = clip.onset - onset
        pause = self._pause(clip) if clip.kind == "query" and whole else None
        if not whole:
            end = onset + max(8, int((end - onset) * random.uniform(0.25, 0.8)))
            features = features[:end]
        if pause is not None:
            at, frames = pause[0] - shift, pause[1]
            features, end = augmentation.insert_silence(features, at, frames), end + frames
        features, speed = augmentation.mouth(random, features, self.strength)
        lead = int(random.integers(12, 45))
        trail = self._trail()
        features = augmentation.pad(features, lead, trail)
        features = augmentation.surroundings(
            random, features, self.strength, self._background, self._talker
        )
        phones = (
            ()
            if pause or not whole
            else tuple((lead + round((f - shift) / speed), n) for f, n in clip.phones)
        )
        onset, end = lead + round(onset / speed), lead + round(end / speed)
        starts = (
            ()
            if pause or not whole
            else tuple(lead + round((f - shift) / speed) for f in clip.words)
        )
        ends = word_ends(clip.text, starts, end) if whole else ()
        return ListeningResult(features, onset, end, clip, phones, ends, whole)

    def mishear(self, sound: ListeningResult, store: int, number: int) -> ListeningResult:
        """What is said, in the sound of another clip: as a voice is to an encoder that cannot hear
        it. A recogniser's words then have to be believed."""
        other = self.hear(store, number, whole=sound.whole)
        return replace(other, clip=sound.clip, phones=(), ends=(), unclear=True)

    def _trail(self) -> int:
        """Frames of quiet behind a clip: short as in a talk, seldom as long as in a recording."""
        low, high = _TRAILS[int(self.random.choice(len(_TRAILS), p=_TRAIL_SHARES))]
        return int(self.random.integers(low, high))

    def _cropped(self, store: int, number: int) -> tuple[Features, int, int]:
        """Without most of the silence that was recorded; real rooms keep some of theirs."""
        clip = self.stores[store].clips[number]
        features = self.stores[store].features(number)
        if clip.kind == "noise":
            return self._window(features, 300)
        before, behind = self.random.integers(0, 25, 2)
        if clip.kind in UNTRIMMED and self.random.random() < 0.3:
            behind = self.random.integers(25, 450)
        start, stop = max(0, clip.onset - int(before)), min(clip.frames, clip.end + int(behind))
        if clip.kind == "speech":
            return self._window(features, 400, least=40)
        return features[start:stop], clip.onset - start, clip.end - start

    def _window(self, features: Features, most: int, least: int = 75) -> tuple[Features, int, int]:
        length = min(len(features), int(self.random.integers(least, most)))
        start = int(self.random.integers(0, len(features) - length + 1))
        return features[start : start + length], 0, length

    def _pause(self, clip: Clip) -> tuple[int, int] | None:
        """Sometimes a hesitation after a word that cannot be the last."""
        words = words_of(clip.text.lower())
        if len(words) < 3 or len(clip.words) < len(words) or self.random.random() > 0.3:
            return None
        places = [i for i in range(1, len(words)) if words[i - 1] in OPEN_WORDS]
        if not places:
            return None
        chosen = clip.words[int(self.random.choice(places))]
        if not clip.onset < chosen < clip.end:
            return None
        return chosen, int(self.random.integers(8, 60))

    def _background(self, random: np.random.Generator, frames: int) -> Features:
        if self._noises and random.random() < 0.75:
            return self._looped(self._noises, frames)
        layers = [self._looped(self._speech, frames) for _ in range(random.integers(3, 6))]
        total = layers[0]
        for layer in layers[1:]:
            total = np.logaddexp(total, layer)
        return total

    def _talker(self, random: np.random.Generator, frames: int) -> Features:
        return self._looped(self._speech, frames)

    def _looped(self, numbers: list[tuple[int, int]], frames: int) -> Features:
        store, number = numbers[int(self.random.integers(len(numbers)))]
        features = self.stores[store].features(number)
        start = int(self.random.integers(0, len(features)))
        places = (start + np.arange(frames)) % len(features)
        chosen: Features = features[places]
        return chosen


def word_ends(text: str, starts: Sequence[int], end: int) -> tuple[int, ...]:
    """Ends of all words of a text from their starts; none where these do not fit the text."""
    count = len(words_of(text))
    if count == 0 or len(starts) not in (count, count + 1):
        return ()
    return (*starts[1:count], end)


def stack(heard: Sequence[ListeningResult], device: str) -> tuple[Tensor, Tensor]:
    """Right-padded features [b, t, 80] in bfloat16 and lengths [b]."""
    lengths = [len(one.features) for one in heard]
    batch = np.zeros((len(heard), max(lengths), BINS), dtype=np.float32)
    for row, one in zip(batch, heard, strict=True):
        row[: len(one.features)] = one.features
    features = torch.from_numpy(batch).to(device, torch.bfloat16)
    return features, torch.tensor(lengths, device=device)
