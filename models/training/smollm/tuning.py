"""Teaching SmolLM2 the list: low-rank changes learned on answers and verdicts, within minutes."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from models.smollm import checkpoint
from models.smollm.chat import Chat
from models.smollm.gguf import GgufFile
from models.training.optimiser import MasterWeights
from models.training.smollm.dialogues import (
    HALF,
    NOT_MEANT,
    NOTHING,
    WHOLE,
    Material,
    RowBatch,
    batches,
    own_answers,
)
from models.training.smollm.lowrank import AdaptedLanguageModel
from models.vita.language_model import LanguageModel

logger = logging.getLogger(__name__)
POSITIONS = 896  # of one step
VERDICT_SHARE, WITHIN_SHARE = 0.3, 0.1  # of the loss: verdicts at the end of words, and within
SAVE_SECONDS = 150.0
WARM_UP = 40


def pretrained(file: GgufFile) -> LanguageModel:
    """SmolLM2 as it was published, in 32-bit floats."""
    config = checkpoint.configuration(file)
    with torch.device("meta"):
        model = LanguageModel(config)
    for name, values in checkpoint.tensors(file, config):
        model.model.take(name.removeprefix("model."), torch.from_numpy(values))
    model.lm_head.weight = model.model.embed_tokens.weight
    return model


class Learner:
    """The losses of a batch."""

    def __init__(self, model: AdaptedLanguageModel, chat: Chat) -> None:
        self.model = model
        order = {WHOLE: chat.end, HALF: chat.unfinished, NOT_MEANT: chat.noise}
        self._verdicts = [order[place] for place in range(len(order))]

    def losses(self, batch: RowBatch) -> dict[str, Tensor]:
        hidden = self.model(torch.from_numpy(batch.ids)).flatten(0, 1)
        targets, verdicts = (
            torch.from_numpy(each).flatten() for each in (batch.targets, batch.verdicts)
        )
        losses = {}
        asked = targets != NOTHING
        if asked.any():
            logits = self.model.logits(hidden[asked]).float()
            each = functional.cross_entropy(logits, targets[asked], reduction="none")
            weights = torch.from_numpy(batch.weights).flatten()[asked]
            losses["answers"] = (each * weights).sum() / weights.sum()
        judged = verdicts != NOTHING
        within = judged & (verdicts != WHOLE) & (verdicts.roll(-1) == verdicts)
        for name, share, places in (
            ("verdicts", VERDICT_SHARE, judged & ~within),
            ("within", WITHIN_SHARE, within),
        ):
            if places.any():
                scores = self._judge(hidden[places])
                losses[name] = share * functional.cross_entropy(scores, verdicts[places])
        return losses

    def _judge(self, hidden: Tensor) -> Tensor:
        """Scores [n, 3] of the verdicts after these places."""
        table, rows = self.model.model.lm_head.weight, self.model.rows
        at = self.model.rows_at.tolist()
        kept = [rows[at.index(i)] if i in at else table[i] for i in self._verdicts]
        return (hidden @ torch.stack(kept).T).float()


@dataclass(slots=True)
class LowRankTuning:
    """A run of so many minutes into `folder`; it can be resumed after a stop."""

    gguf: Path
    folder: Path
    minutes: float
    rate: float = 8e-4
    threads: int = 1
    seed: int = 0

    def run(self, resume: bool = False) -> None:
        torch.set_num_threads(self.threads)
        torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(True)
        torch.manual_seed(self.seed)
        file = GgufFile(self.gguf)
        chat = Chat(checkpoint.tokenizer(file))
        model = AdaptedLanguageModel(pretrained(file), chat.markers)
        optimiser = MasterWeights(model, self.rate, weight_decay=0.01)
        steps, spent = self._resumed(optimiser) if resume else (0, 0.0)
        model.to(torch.bfloat16).train()
        material = Material(chat, self.seed + steps, own_answers(self.folder / "own.json"))
        learner, start, saved = Learner(model, chat), time.monotonic() - spent, time.monotonic()
        sums: dict[str, list[float]] = {}
        for batch in batches(material, POSITIONS):
            losses = learner.losses(batch)
            torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
            optimiser.step(spent / (60 * self.minutes), steps, WARM_UP)
            steps, spent = steps + 1, time.monotonic() - start
            for name, loss in losses.items():
                sums.setdefault(name, []).append(float(loss.detach()))
            sums.setdefault("positions", []).append(batch.positions)
            if steps % 20 == 0:
                self._note(steps, spent, sums)
                sums = {}
            if time.monotonic() - saved > SAVE_SECONDS or spent > 60 * self.minutes:
                saved = time.monotonic()
                self._save(model, optimiser, steps, spent)
            if spent > 60 * self.minutes:
                return

    def _note(self, steps: int, spent: float, sums: dict[str, list[float]]) -> None:
        means = {name: round(sum(v) / len(v), 4) for name, v in sums.items()}
        row = {"step": steps, "seconds": round(spent, 1), **means}
        with (self.folder / "history.jsonl").open("a") as stream:
            stream.write(json.dumps(row) + "\n")
        logger.info("%s", row)

    def _save(
        self, model: AdaptedLanguageModel, optimiser: MasterWeights, steps: int, spent: float
    ) -> None:
        full = optimiser.full(model)
        part = self.folder / "changes.part"
        torch.save({name: full[name] for name in model.changes()}, part)
        part.rename(self.folder / "changes.pt")
        state = {"optimiser": optimiser.state_dict(), "steps": steps, "spent": spent}
        torch.save(state, self.folder / "resume.part")
        (self.folder / "resume.part").rename(self.folder / "resume.pt")

    def _resumed(self, optimiser: MasterWeights) -> tuple[int, float]:
        state = torch.load(self.folder / "resume.pt", weights_only=True)
        optimiser.load_state_dict(state["optimiser"])
        return int(state["steps"]), float(state["spent"])
