"""The loop that all stages share: a budget of minutes, checkpoints, a progress bar, a plot."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from rich.progress import Progress, TaskID
from torch import Tensor

from models.training.listener import Listener
from models.training.optimiser import MasterWeights

logger = logging.getLogger(__name__)

SAVE_SECONDS = 120.0
Losses = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Stage:
    """What makes a stage: its name, how long it may take, and how fast it learns."""

    name: str
    minutes: float
    rate: float
    device: str = "cpu"
    threads: int = 1


def drawn_seed(folder: Path, name: str, seed: int, resume: bool) -> int:
    """A seed for material: another one after each stop, so that nothing is drawn twice."""
    stored = folder / f"{name}.json"
    if not resume or not stored.exists():
        return seed
    return seed + int(json.loads(stored.read_text())[-1]["step"])


@dataclass(slots=True)
class History:
    """Mean losses every few steps, kept beside the checkpoint and plotted."""

    folder: Path
    name: str
    rows: list[dict[str, float]] = field(default_factory=list)
    _sums: dict[str, float] = field(default_factory=dict)
    _count: int = 0

    def take(self, losses: dict[str, float], step: int, seconds: float, every: int = 25) -> bool:
        """Add one step; True when a mean was written."""
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._count += 1
        if self._count < every:
            return False
        means = {name: round(value / self._count, 4) for name, value in self._sums.items()}
        self.rows.append({"step": step, "seconds": round(seconds, 1), **means})
        self._sums, self._count = {}, 0
        (self.folder / f"{self.name}.json").write_text(json.dumps(self.rows))
        return True

    def plot(self) -> None:
        """Losses over steps as `<stage>.png`."""
        import matplotlib

        matplotlib.use("agg")
        from matplotlib import pyplot

        figure, axes = pyplot.subplots(figsize=(7, 4))
        names = sorted({name for row in self.rows for name in row} - {"step", "seconds"})
        for name in names:
            points = [(row["step"], row[name]) for row in self.rows if name in row]
            axes.plot(*zip(*points, strict=True), label=name)
        axes.set(xlabel="step", ylabel="loss", yscale="log", title=self.name)
        axes.legend()
        figure.savefig(self.folder / f"{self.name}.png", dpi=110)
        pyplot.close(figure)


@dataclass(slots=True)
class Runner:
    """Trains a listener for one stage."""

    stage: Stage
    listener: Listener
    folder: Path
    extra: torch.nn.Module | None = None  # trained along, not part of the model

    def run(self, losses_of: Callable[[], Losses | None], resume: bool = False) -> None:
        """Call `losses_of` until the time is up; the sum of its losses is made smaller."""
        torch.set_num_threads(self.stage.threads)
        # Plain attention would otherwise go to 32 bits and back: twice the time on a CPU.
        torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(True)
        trained = torch.nn.ModuleList([self.listener])
        if self.extra is not None:
            trained.append(self.extra)
        optimiser = MasterWeights(trained, self.stage.rate)
        history = History(self.folder, self.stage.name)
        begun = self._resume(optimiser, history) if resume else (0, 0.0)
        trained.to(self.stage.device, torch.bfloat16).train()
        with Progress() as progress:
            bar = progress.add_task(self.stage.name, total=self.stage.minutes * 60)
            for steps, spent in self._steps(losses_of, optimiser, history, begun):
                begun = (steps, spent)
                _show(progress, bar, history, steps, spent)
        self._save(optimiser, trained, history, *begun)
        history.plot()

    def _steps(
        self,
        losses_of: Callable[[], Losses | None],
        optimiser: MasterWeights,
        history: History,
        begun: tuple[int, float],
    ) -> Iterator[tuple[int, float]]:
        steps, spent = begun
        start, saved = time.monotonic() - spent, time.monotonic()
        trained = torch.nn.ModuleList([self.listener, *([self.extra] if self.extra else [])])
        while spent < self.stage.minutes * 60:
            losses = losses_of()
            if losses is not None:
                total = torch.stack(list(losses.values())).sum()
                total.backward()  # type: ignore[no-untyped-call]
                optimiser.step(spent / (self.stage.minutes * 60), steps)
                shown = {name: float(loss.detach()) for name, loss in losses.items()}
                history.take(shown, steps, spent)
                steps += 1
            spent = time.monotonic() - start
            if time.monotonic() - saved > SAVE_SECONDS:
                saved = time.monotonic()
                self._save(optimiser, trained, history, steps, spent)
            yield steps, spent

    @property
    def path(self) -> Path:
        return self.folder / f"{self.stage.name}.pt"

    def _save(
        self,
        optimiser: MasterWeights,
        trained: torch.nn.Module,
        history: History,
        steps: int,
        spent: float,
    ) -> None:
        full = optimiser.full(trained)
        own = {name[2:]: value for name, value in full.items() if name.startswith("0.")}
        part = self.path.with_suffix(".part")
        torch.save({"config": self.listener.config.to_json(), "weights": own}, part)
        part.rename(self.path)
        state = {"optimiser": optimiser.state_dict(), "steps": steps, "spent": spent}
        torch.save(state, self.folder / f"{self.stage.name}.resume")
        logger.info("%s: step %d, %s", self.stage.name, steps, history.rows[-1:])

    def _resume(self, optimiser: MasterWeights, history: History) -> tuple[int, float]:
        state = torch.load(self.folder / f"{self.stage.name}.resume", weights_only=True)
        optimiser.load_state_dict(state["optimiser"])
        stored = self.folder / f"{self.stage.name}.json"
        history.rows = json.loads(stored.read_text()) if stored.exists() else []
        return int(state["steps"]), float(state["spent"])


def _show(progress: Progress, bar: TaskID, history: History, steps: int, spent: float) -> None:
    last = history.rows[-1] if history.rows else {}
    shown = " ".join(f"{k} {v:.3g}" for k, v in last.items() if k not in ("step", "seconds"))
    progress.update(bar, completed=spent, description=f"step {steps} {shown}")
