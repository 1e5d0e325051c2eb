"""Greedy answers of a torch language model to many prompts at once, for material and scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from models.vita.language_model import LanguageModel

SIDE_BY_SIDE = 32


@torch.no_grad()
def decode(
    model: LanguageModel,
    prompts: Sequence[Sequence[int]],
    end: int,
    most: int,
    embed: Callable[[Tensor], Tensor] | None = None,
    logits: Callable[[Tensor], Tensor] | None = None,
) -> list[list[int]]:
    """What follows each prompt until `end`, at most so many tokens. `embed` and `logits` stand in
    for the model's own. Prompts of one length are read side by side."""
    said: list[list[int]] = [[] for _ in prompts]
    by_length: dict[int, list[int]] = {}
    for place, prompt in enumerate(prompts):
        by_length.setdefault(len(prompt), []).append(place)
    for places in by_length.values():
        for start in range(0, len(places), SIDE_BY_SIDE):
            group = places[start : start + SIDE_BY_SIDE]
            ids = torch.tensor([list(prompts[place]) for place in group])
            found = _group(model, ids, end, most, embed or model.embed, logits or model.logits)
            for place, answer in zip(group, found, strict=True):
                said[place] = answer
    return said


def _group(
    model: LanguageModel,
    ids: Tensor,
    end: int,
    most: int,
    embed: Callable[[Tensor], Tensor],
    logits: Callable[[Tensor], Tensor],
) -> list[list[int]]:
    past = tuple(kept.expand(len(ids), -1, -1, -1) for kept in model.start())
    said: list[list[int]] = [[] for _ in ids]
    open_rows = set(range(len(ids)))
    length = 0
    for _ in range(most):
        hidden, past = model.read(embed(ids), past, length)
        length += ids.shape[1]
        ids = logits(hidden[:, -1]).argmax(-1, keepdim=True)
        for row in sorted(open_rows):
            token = int(ids[row, 0])
            if token == end:
                open_rows.discard(row)
            else:
                said[row].append(token)
        if not open_rows:
            break
    return said
