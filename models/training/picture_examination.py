"""Questions about pictures that training never drew, typed and spoken."""

from __future__ import annotations

from random import Random

import torch
from torch import Tensor

from models.training.clips import ClipStore
from models.training.evaluation import Examiner, quiet_around
from models.training.pinyin import is_chinese
from models.training.scoring import answered
from models.training.sight import pixels_of
from models.training.skills import images
from models.training.skills.exchange import Exchange

SEED = 20


def examine_pictures(examiner: Examiner, store: ClipStore | None, most: int = 200) -> None:
    """Into the examiner's report: typed questions of both languages, and the clips of `store`."""
    if examiner.listener.eyes is None:
        return
    random = Random(SEED)
    for name, chinese in (("English", False), ("Chinese", True)):
        asked = [images.picture(random, held_out=True, chinese=chinese) for _ in range(most)]
        right = [_is_right(examiner, exchange, None, exchange.question) for exchange in asked]
        examiner.report.put(f"right {name} pictures typed", sum(right), most)
    if store is not None:
        _spoken(examiner, store, random, most)


def _spoken(examiner: Examiner, store: ClipStore, random: Random, most: int) -> None:
    counts = {name: [0, 0] for name in ("English", "Chinese")}
    for number in random.sample(store.extra["pictures"], min(most, len(store.extra["pictures"]))):
        text = store.clips[number].text
        vectors, letters = examiner.hear(quiet_around(store.features(number)))
        exchange = images.fitting(text, random, held_out=True)
        count = counts["Chinese" if is_chinese(text) else "English"]
        count[0] += _is_right(examiner, exchange, vectors, f"{text} [{letters}]")
        count[1] += 1
    for name, (right, asked) in counts.items():
        examiner.report.put(f"right {name} pictures spoken", right, asked)


@torch.no_grad()
def _is_right(examiner: Examiner, exchange: Exchange, sound: Tensor | None, asked: str) -> bool:
    """`sound` is the question as vectors [1, n, width]; None: it is typed."""
    eyes, prompt, embed = examiner.listener.eyes, examiner.prompt, examiner.listener.language.embed
    assert eyes is not None
    seen = eyes(pixels_of(exchange.scenes, eyes.vision.config.image)).flatten(0, 1)[None]
    question = embed(torch.tensor([prompt.typed(asked)])) if sound is None else sound
    vectors = torch.cat((embed(torch.tensor([prompt.image()])), seen, question), 1)
    _, ids = examiner.ask([], vectors, spoken=sound is not None)
    said = examiner.said(ids)
    right = answered(exchange, *said)
    if not right:
        examiner.report.misses.append((exchange.skill, f"{exchange.scenes[-1]} {asked}", said[0]))
    return right
