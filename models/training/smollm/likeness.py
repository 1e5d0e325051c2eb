"""How like the served graph, in 8 bits, is to the trained model in 32-bit floats."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from models.smollm.chat import Chat
from models.smollm.gguf import GgufFile
from models.smollm.network import SmolNetwork
from models.training.smollm.dialogues import NOTHING, Material
from models.training.smollm.lowrank import AdaptedLanguageModel
from models.training.smollm.tuning import pretrained


@dataclass(frozen=True, slots=True)
class GraphLikeness:
    """Of `places` where an answer's next token is asked for: at how many both chose the same, and
    the mean of what the likeliest token's probability differs by."""

    places: int
    same: int
    difference: float


def adapted(file: GgufFile, chat: Chat, trained: Path) -> AdaptedLanguageModel:
    """The trained model in 32-bit floats."""
    model = AdaptedLanguageModel(pretrained(file), chat.markers)
    model.load_state_dict(torch.load(trained, weights_only=True), strict=False)
    return model.eval()


@torch.no_grad()
def likeness(
    model: AdaptedLanguageModel, network: SmolNetwork, rows: int = 40, seed: int = 9
) -> GraphLikeness:
    """On the answers of dialogues drawn anew."""
    material, same, places, difference = Material(network.chat, seed), 0, 0, 0.0
    for _ in range(rows):
        row = material.row()
        wanted = model.logits(model(torch.tensor([row.ids]))[0]).softmax(-1)
        cache = network.cache(len(row.ids))
        for place, token in enumerate(row.ids):
            found = torch.from_numpy(network.read(cache, [token])).softmax(-1)
            if row.targets[place] == NOTHING:
                continue
            best = int(wanted[place].argmax())
            places += 1
            same += int(found.argmax()) == best
            difference += abs(float(found[best] - wanted[place, best]))
    return GraphLikeness(places, same, difference / max(1, places))
