"""What the corpora hold, sorted for drawing: dialogues by skill, talk, and people's recordings.

A place is a pair of numbers: of the store, and of the clip in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence as Many
from typing import Any

from models.training.clips import ClipStore
from models.training.pinyin import is_chinese
from models.training.skills.registry import CHINESE, spoken_share
from models.training.skills.skill import Language


def balanced(entries: Many[dict[str, Any]]) -> list[float]:
    """Weights that give each language and skill its share, however many of it were spoken."""
    kinds = [_kind(entry) for entry in entries]
    counts = Counter(kinds)
    return [
        spoken_share(skill, Language.CHINESE if chinese else Language.ENGLISH)
        * (CHINESE if chinese else 1 - CHINESE)
        / counts[chinese, skill]
        for chinese, skill in kinds
    ]


def _kind(entry: dict[str, Any]) -> tuple[bool, str]:
    """Whether it is Chinese, and the skill of its last question."""
    last = entry["exchanges"][-1]
    return is_chinese(last["question"]), last["skill"]


def single_questions(dialogues: Many[tuple[int, dict[str, Any]]]) -> dict[bool, list[Any]]:
    """Questions that stand by themselves and need no function, in English and in Chinese."""
    found: dict[bool, list[Any]] = {False: [], True: []}
    for store, entry in dialogues:
        if len(entry["exchanges"]) == 1 and not entry["tools"]:
            only = entry["exchanges"][0]
            found[is_chinese(only["question"])].append((store, only))
    return found


def gathered(stores: Many[ClipStore], name: str) -> list[Any]:
    """All entries of that name in the indices of the stores, each with its store's number."""
    return [
        (index, each) for index, store in enumerate(stores) for each in store.extra.get(name, [])
    ]


def parted_talk(stores: Many[ClipStore]) -> tuple[list[Any], list[Any]]:
    """Backchannels, and all other talk that is not meant for the assistant."""
    parted: tuple[list[Any], list[Any]] = [], []
    for store, number in gathered(stores, "negatives"):
        spoken = stores[store].clips[number].kind == "backchannel"
        parted[0 if spoken else 1].append((store, number))
    return parted


def recorded(stores: Many[ClipStore], kinds: tuple[str, ...]) -> list[tuple[int, int]]:
    """Places of the training clips of these kinds."""
    return [
        (index, number)
        for index, store in enumerate(stores)
        for number, clip in enumerate(store.clips)
        if clip.kind in kinds and clip.split == "train"
    ]
