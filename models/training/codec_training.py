"""The stage `codec`: a codebook and a decoder for the teacher's voice."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor
from torch.nn import functional

from models.training.codec_losses import LossCurve, feature_loss, rate_at
from models.training.speech_data import recorded
from models.vita.code_stream import EDGE, LEFT, RIGHT
from models.vita.nano_codec import NanoCodec
from models.vita.vocoder import FRAMES_PER_CODE, VOICING

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CodecOptions:
    """The budget of the stage."""

    steps: int = 3000
    free_steps: int = 250  # before there is a codebook
    batch: int = 8
    crop: int = 160  # codes
    rate: float = 2e-3
    commitment: float = 0.1
    seed: int = 1
    save_every: int = 500


class CodecSound:
    """All training features in one row; crops of it, normalised."""

    def __init__(self, folder: Path) -> None:
        parts = [spoken.features for spoken in recorded(folder)]
        self.features = torch.from_numpy(np.concatenate(parts))  # [frames, FEATURES] float16
        logger.info("%.2f hours of speech", len(self.features) * 200 / 24_000 / 3600)

    def crops(self, count: int, codes: int) -> Tensor:
        """[count, codes * FRAMES_PER_CODE, FEATURES]."""
        length = codes * FRAMES_PER_CODE
        places = torch.randint((len(self.features) - length) // FRAMES_PER_CODE, (count,))
        starts = (places * FRAMES_PER_CODE).tolist()
        return torch.stack([self.features[start : start + length] for start in starts]).float()

    def measure(self, codec: NanoCodec) -> None:
        """Set the mean and deviation that the codec normalises with."""
        sample = self.features[:: max(1, len(self.features) // 200_000)].float()
        codec.decoder.mean.copy_(sample.mean(0))
        codec.decoder.deviation.copy_(sample.std(0).clamp(min=1e-2))
        codec.decoder.mean[VOICING], codec.decoder.deviation[VOICING] = 0.5, 0.5


class CodecTraining:
    """One run of the stage; resumes from `<out>.resume` where that is there."""

    def __init__(self, data: Path, out: Path, options: CodecOptions) -> None:
        torch.manual_seed(options.seed)
        self.options, self.out = options, out
        self.sound = CodecSound(data)
        self.codec = NanoCodec()
        self.sound.measure(self.codec)
        parameters = [p for p in self.codec.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(parameters, lr=options.rate, weight_decay=0.01)
        self.curve = LossCurve()
        self.step = 0
        if self.resume_file.exists():
            self._resume()

    @property
    def resume_file(self) -> Path:
        return self.out.with_suffix(".resume")

    def run(self) -> None:
        columns = (TextColumn("codec {task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, TimeRemainingColumn()) as progress:
            task = progress.add_task("", total=self.options.steps, completed=self.step)
            while self.step < self.options.steps:
                losses = self.advance()
                progress.update(task, advance=1, description=f"{losses['loss']:.3f}")
                if self.step % self.options.save_every == 0 or self.step == self.options.steps:
                    self.save()

    def advance(self) -> dict[str, float]:
        """One step; gives its losses."""
        if self.step == self.options.free_steps:
            self._start_codebook()
        for group in self.optimiser.param_groups:
            group["lr"] = rate_at(self.step, self.options.steps, self.options.rate)
        features = self.sound.crops(self.options.batch, self.options.crop)
        losses = self._losses(self.codec.normalise(features), features)
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(losses["loss"])
        torch.nn.utils.clip_grad_norm_(self.codec.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        values = {name: float(loss.detach()) for name, loss in losses.items()}
        self.curve.add(self.step, values)
        return values

    def _losses(self, normal: Tensor, features: Tensor) -> dict[str, Tensor]:
        latents = self.codec.encoder(normal)
        quantised, commitment = latents, latents.new_zeros(())
        if self.step >= self.options.free_steps:
            codes = self.codec.nearest(latents.detach())
            exact = functional.embedding(codes, self.codec.codebook)
            commitment = functional.mse_loss(latents, exact)
            quantised = latents + (exact - latents).detach()
            self.codec.follow(latents.detach(), codes)
        edge = self.codec.decoder.embedding.weight[EDGE].expand(len(normal), 1, -1)
        around = (edge.expand(-1, LEFT, -1), quantised, edge.expand(-1, RIGHT, -1))
        out = self.codec.decoder.normal(torch.cat(around, 1))
        losses = feature_loss(out, normal, features)
        losses["commitment"] = commitment
        losses["loss"] = losses["loss"] + self.options.commitment * commitment
        return losses

    @torch.no_grad()
    def _start_codebook(self) -> None:
        latents = self.codec.encoder(self.codec.normalise(self.sound.crops(64, 160)))
        self.codec.start_codebook(latents.flatten(0, 1))

    def save(self) -> None:
        """`out` has the weights alone, `<out>.resume` all that going on needs."""
        self.out.parent.mkdir(parents=True, exist_ok=True)
        weights = self.codec.state_dict()
        state: dict[str, Any] = {
            "weights": weights,
            "optimiser": self.optimiser.state_dict(),
            "curve": self.curve.points,
            "step": self.step,
        }
        for path, content in ((self.resume_file, state), (self.out, weights)):
            partial = path.with_suffix(".partial")
            torch.save(content, partial)
            partial.replace(path)
        self.curve.plot(self.out.with_suffix(".png"), "codec")

    def _resume(self) -> None:
        state = torch.load(self.resume_file, weights_only=True)
        self.codec.load_state_dict(state["weights"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.curve.points, self.step = state["curve"], state["step"]


def train(data: Path, out: Path, options: CodecOptions | None = None) -> None:
    """Train the codec on the readings under `data`; weights go to `out`."""
    CodecTraining(data, out, options or CodecOptions()).run()
