"""The stage `second voice`: another teacher's sound in the codes that there are.

The codebook and the first voice's encoder stay as they are, so the first voice's codes do too. The
second voice gets an encoder of its own, and both share the decoder, which learns on.
"""

from __future__ import annotations

import copy
import logging
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.progress import track
from torch import Tensor
from torch.nn import functional

from models.training.codec_losses import LossCurve, feature_loss, rate_at
from models.training.codec_training import CodecSound
from models.training.speech_samples import load_codec
from models.vita.code_stream import EDGE, LEFT, RIGHT
from models.vita.nano_codec import NanoCodec

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JoiningOptions:
    """The budget of the stage. `batch`: crops of each voice in a step."""

    steps: int = 700
    batch: int = 4
    crop: int = 160  # codes
    rate: float = 1e-3
    commitment: float = 0.25
    seed: int = 1


class CodecJoining:
    """`first` is a trained codec; `second` ends as one that shares its codebook and decoder."""

    def __init__(
        self, first: NanoCodec, voices: tuple[Path, Path], options: JoiningOptions
    ) -> None:
        torch.manual_seed(options.seed)
        self.options, self.first = options, first.requires_grad_(False)
        self.second = copy.deepcopy(first)
        self.second.decoder = first.decoder
        self.sounds = tuple(CodecSound(folder) for folder in voices)
        self.second.encoder.requires_grad_(True)
        first.decoder.requires_grad_(True)
        first.decoder.embedding.weight.requires_grad_(False)
        self.trained = [p for p in self.second.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(self.trained, lr=options.rate, weight_decay=0.0)
        self.curve = LossCurve()

    def run(self) -> None:
        for step in track(range(self.options.steps), description="second voice"):
            self.advance(step)

    def advance(self, step: int) -> dict[str, float]:
        """One step; gives its losses."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate_at(step, self.options.steps, self.options.rate, 30)
        losses = self._losses()
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(losses["loss"])
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimiser.step()
        values = {name: float(loss.detach()) for name, loss in losses.items()}
        self.curve.add(step, values)
        return values

    def _losses(self) -> dict[str, Tensor]:
        old, new = (sound.crops(self.options.batch, self.options.crop) for sound in self.sounds)
        codebook = self.first.codebook
        kept = functional.embedding(self.first.encode(old), codebook)
        latents = self.second.encoder(self.second.normalise(new))
        exact = functional.embedding(self.second.nearest(latents.detach()), codebook)
        commitment = functional.mse_loss(latents, exact)
        first = feature_loss(self._decoded(kept), self.first.normalise(old), old)
        through = latents + (exact - latents).detach()
        second = feature_loss(self._decoded(through), self.second.normalise(new), new)
        whole = first["loss"] + second["loss"] + self.options.commitment * commitment
        named = {"first": first["loss"], "second": second["loss"], "commitment": commitment}
        return {**named, "loss": whole}

    def _decoded(self, latents: Tensor) -> Tensor:
        edge = self.first.decoder.embedding.weight[EDGE].expand(len(latents), 1, -1)
        around = (edge.expand(-1, LEFT, -1), latents, edge.expand(-1, RIGHT, -1))
        out: Tensor = self.first.decoder.normal(torch.cat(around, 1))
        return out


def join(
    codec: Path, voices: tuple[Path, Path], out: tuple[Path, Path], options: JoiningOptions
) -> None:
    """Read the first voice's codec; write it with the shared decoder, and the second voice's."""
    joining = CodecJoining(load_codec(codec), voices, options)
    joining.run()
    for path, trained in zip(out, (joining.first, joining.second), strict=True):
        partial = path.with_suffix(".partial")
        torch.save(trained.state_dict(), partial)
        partial.replace(path)
    joining.curve.plot(out[1].with_suffix(".png"), "second voice")
