"""models.training: words as a recogniser would give them for a sound: mostly right, sometimes not.

Where Moonshine has heard a clip, its own words are used. Otherwise words are changed as it changed
them elsewhere: `Misreading.of` gathers which words it took for which others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from difflib import SequenceMatcher
from random import Random

from models.training.clips import Clip, ClipStore
from models.training.hearing import ListeningResult
from models.training.pinyin import is_chinese
from models.training.simulation import CONFUSED, Simulated
from models.vita.spoken_form import spoken_form

GIVEN = 0.75  # share of English sounds whose words there are
FOREIGN = 0.12  # share of Chinese sounds that are taken for English words
INVENTED = 0.25  # share of noises in which words are heard
MOST_WRONG = 0.25  # share of words that are wrong, at most
GARBLED = 0.7  # the same for voices that speak by rule, which a recogniser of people hardly knows
_OWN = 0.6  # share of clips for which Moonshine's own words are used
_LONGEST_SPAN = 3  # words that were taken for others together
_INVENTIONS = (
    "you", "thank you", "thank you very much", "oh", "okay", "i'm sorry", "hmm", "yeah", "so", "no",
    "the", "i don't know", "bye", "and", "what", "i'm going to go to the next one", "hey", "uh",
)  # fmt: skip
_UNKNOWN = ("i don't know what you're saying", "she said she ate", "you should hear me", "to the")


class Misreading:
    """Draws words for sounds. `seen`: what a word was taken for; `foreign`: what Chinese was."""

    def __init__(
        self,
        seed: int,
        seen: dict[str, list[str]] | None = None,
        foreign: list[str] | None = None,
    ) -> None:
        self._random = Random(seed)
        self._seen, self._foreign = seen or {}, foreign or list(_UNKNOWN)

    @classmethod
    def of(cls, stores: Iterable[ClipStore], seed: int) -> Misreading:
        """With the mistakes in the clips that Moonshine has heard."""
        seen: defaultdict[str, list[str]] = defaultdict(list)
        foreign: list[str] = []
        clips = (clip for store in stores for clip in store.clips if clip.recognised)
        for clip in clips:
            if is_chinese(clip.text):
                foreign.append(clip.recognised)
            elif clip.kind not in ("order", "speech"):
                for right, wrong in mistakes(clip.text, clip.recognised):
                    seen[right].append(wrong)
        return cls(seed, dict(seen), foreign)

    def words(self, sound: ListeningResult | Simulated) -> str:
        """What a recogniser makes of this sound; empty where it is not asked or has no words."""
        random = self._random
        if isinstance(sound, Simulated):
            if is_chinese(sound.text):
                return self._unknown()
            given = sound.unclear or random.random() < GIVEN
            return self.changed(sound.text) if given else ""
        return self._of_clip(sound)

    def _of_clip(self, sound: ListeningResult) -> str:
        random, clip = self._random, sound.clip
        if clip.kind in ("noise", "echo"):
            return random.choice(_INVENTIONS) if random.random() < INVENTED else ""
        if is_chinese(clip.text):
            return self._unknown()
        if not sound.unclear and random.random() >= GIVEN:
            return ""
        is_garbled = clip.speaker.startswith(_BY_RULE)
        is_own = random.random() < _OWN and not (is_garbled and sound.unclear)
        own = bool(clip.recognised) and (clip.kind in _ONLY_OWN or is_own)
        most = GARBLED if is_garbled and not sound.unclear else MOST_WRONG
        words = clip.recognised if own else self.changed(_text(clip), most)
        return _part(words, sound, random)

    def _unknown(self) -> str:
        random = self._random
        return random.choice(self._foreign) if random.random() < FOREIGN else ""

    def changed(self, text: str, most: float = MOST_WRONG) -> str:
        """A text with up to that share of its words taken for others."""
        random = self._random
        error = random.uniform(0, most) if random.random() < 2 * most else 0.0
        words = [
            self._taken(word) if random.random() < error else word
            for word in spoken_form(text).split()
        ]
        return " ".join(" ".join(words).split())

    def _taken(self, word: str) -> str:
        random = self._random
        if word in self._seen and random.random() < 0.7:
            return random.choice(self._seen[word])
        if random.random() < 0.15:
            return ""
        at = random.randrange(len(word))
        return word[:at] + random.choice(CONFUSED.get(word[at], "e")) + word[at + 1 :]


_BY_RULE = ("espeak-", "flite-", "festival-")
_ONLY_OWN = ("order", "speech")  # whose own words are not known


def mistakes(text: str, recognised: str) -> list[tuple[str, str]]:
    """Words that were taken for others, as pairs of right and wrong."""
    right, wrong = spoken_form(text).split(), spoken_form(recognised).split()
    found = []
    for kind, a, b, c, d in SequenceMatcher(None, right, wrong, autojunk=False).get_opcodes():
        if kind == "replace" and b - a == 1 and d - c <= _LONGEST_SPAN:
            found.append((right[a], " ".join(wrong[c:d])))
    return found


def _text(clip: Clip) -> str:
    return clip.guessed or clip.text


def _part(words: str, sound: ListeningResult, random: Random) -> str:
    """Of a clip that is heard in part, about as many of its words."""
    share = (sound.end - sound.onset) / max(1, sound.clip.end - sound.clip.onset)
    share = random.uniform(0.3, 0.8) if sound.unclear and not sound.whole else share
    if sound.whole and (sound.clip.kind != "speech" or share > 0.95):
        return words
    every = words.split()
    most = len(every) if sound.whole else max(1, len(every) - 1)
    count = min(most, max(1, round(len(every) * min(1.0, share))))
    start = random.randrange(len(every) - count + 1) if sound.clip.kind == "speech" else 0
    return " ".join(every[start : start + count])
