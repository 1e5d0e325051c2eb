"""The stage `speech decoder`: letters to codes, and an aligner that tells the spoken letter."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from models.training.codec_losses import LossCurve, rate_at
from models.training.speech_data import SpokenUtterance, recorded
from models.training.speech_samples import (
    SpeechSample,
    batches,
    codes_of,
    load_codec,
    random_cuts,
    samples_of,
)
from models.vita.config import SpeechDecoderConfig
from models.vita.letters import LETTERS
from models.vita.nano_codec import NanoCodec
from models.vita.speech_decoder import SpeechDecoder

logger = logging.getLogger(__name__)
Codes: TypeAlias = npt.NDArray[np.int64]

NANO_SPEECH = SpeechDecoderConfig(
    width=256,
    layers=4,
    pre_layers=2,
    heads=4,
    feed_forward=512,
    max_codes=600,
    top_k=1,
    text_vocabulary=len(LETTERS),
    aligner=(1, 0),
)
_LETTER_TABLE = "text_embedding.weight"
_NOTHING = -100  # a place that has no target
_SPREAD = 1.0  # letters by which the aligner may be off without much loss


@dataclass(frozen=True, slots=True)
class SpeechOptions:
    """The budget of the stage. `confused` and `random` are the shares of input codes that are
    replaced by a neighbour in the codebook, or by any code: with so many slips in its past, the
    decoder has to look at the letters instead of guessing how such sentences go on."""

    steps: int = 9000
    tokens: int = 1800
    rate: float = 1.5e-3
    warm_up: int = 150
    alignment: float = 1.0
    confused: float = 0.1
    random: float = 0.25
    half: bool = True  # matrix products in bfloat16: 1.7 times as fast where the processor has it
    averaged: float = 0.998  # decay of the running mean of the weights, which is what is used
    seed: int = 1
    save_every: int = 200


@dataclass(frozen=True, slots=True)
class VoiceData:
    """One teacher's readings (a folder of shards), and the codec that makes codes of them."""

    readings: Path
    codec: Path

    def coded(self) -> list[tuple[SpokenUtterance, Codes]]:
        codec = load_codec(self.codec)
        return [(part, codes_of(part, codec)) for part in recorded(self.readings)]


@dataclass(frozen=True, slots=True)
class Batch:
    """Right-padded samples: letters [b, t], their counts [b], codes [b, c] (padded with 0),
    targets [b, c + 1] with the end in place, and the letter of each target [b, c + 1]."""

    letters: Tensor
    lengths: Tensor
    codes: Tensor
    targets: Tensor
    spoken: Tensor


def batch_of(samples: Sequence[SpeechSample], end: int) -> Batch:
    text = max(len(sample.letters) for sample in samples)
    count = max(len(sample.codes) for sample in samples)
    letters = np.zeros((len(samples), text), np.int64)
    codes = np.zeros((len(samples), count), np.int64)
    targets = np.full((len(samples), count + 1), _NOTHING, np.int64)
    spoken = np.full((len(samples), count + 1), _NOTHING, np.int64)
    for row, sample in enumerate(samples):
        length = len(sample.codes)
        letters[row, : len(sample.letters)] = sample.letters
        codes[row, :length] = targets[row, :length] = sample.codes
        targets[row, length], spoken[row, length] = end, sample.spoken[-1]
        spoken[row, :length] = sample.spoken
    lengths = np.array([len(sample.letters) for sample in samples])
    return Batch(*(torch.from_numpy(part) for part in (letters, lengths, codes, targets, spoken)))


def speech_losses(decoder: SpeechDecoder, batch: Batch, heard: Tensor) -> dict[str, Tensor]:
    """`heard`: the codes as the decoder gets them, [b, c]. Means over all targets."""
    text = decoder.embed_text(batch.letters)
    logits, weights = decoder(text, batch.lengths, heard, return_alignment=True)
    there = batch.targets != _NOTHING
    flat, targets = logits[there].float(), batch.targets[there]
    places = torch.arange(weights.shape[2], device=weights.device)
    off = (places - batch.spoken[there][:, None]).float()
    near = (weights[there].float() * torch.exp(-off.square() / (2 * _SPREAD**2))).sum(1)
    return {
        "codes": functional.cross_entropy(flat, targets),
        "alignment": -near.clamp(min=1e-6).log().mean(),
        "wrong": (flat.argmax(1) != targets).float().mean(),
    }


class SpeechTraining:
    """One run of the stage; resumes from `<out>.resume`, with other options if so wished."""

    def __init__(self, voices: Sequence[VoiceData], out: Path, options: SpeechOptions) -> None:
        torch.manual_seed(options.seed)
        self.options, self.out = options, out
        self.choose = random.Random(options.seed)
        self.neighbours = _neighbours(load_codec(voices[0].codec))
        self.readings = [reading for voice in voices for reading in voice.coded()]
        self.decoder = SpeechDecoder(NANO_SPEECH)
        self.decoder.initialise()
        self.optimiser = torch.optim.AdamW(
            self.decoder.parameters(), lr=options.rate, betas=(0.9, 0.98), fused=True
        )
        self.average = _copied(self.decoder.state_dict())
        self.curve = LossCurve()
        self.step = 0
        if self.resume_file.exists():
            self._resume()

    @property
    def resume_file(self) -> Path:
        return self.out.with_suffix(".resume")

    def run(self) -> None:
        columns = (TextColumn("speech {task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, TimeRemainingColumn()) as progress:
            task = progress.add_task("", total=self.options.steps, completed=self.step)
            for samples in self._endless():
                if self.step >= self.options.steps:
                    break
                losses = self.advance(samples)
                told = " ".join(f"{name} {value:.3f}" for name, value in losses.items())
                progress.update(task, advance=1, description=told)
                if self.step % self.options.save_every == 0 or self.step == self.options.steps:
                    logger.info("step %d: %s", self.step, told)
                    self.save()

    def _endless(self) -> Iterator[list[SpeechSample]]:
        """Batches, epoch after epoch; half of the readings are cut where answers are cut."""
        while True:
            samples: list[SpeechSample] = []
            for spoken, codes in self.readings:
                cuts = None if self.choose.random() < 0.5 else random_cuts(self.choose)
                samples += samples_of(spoken, codes, cuts)
            yield from batches(samples, self.options.tokens, self.choose)

    def advance(self, samples: Sequence[SpeechSample]) -> dict[str, float]:
        """One step; gives its losses."""
        options = self.options
        for group in self.optimiser.param_groups:
            group["lr"] = rate_at(self.step, options.steps, options.rate, options.warm_up)
        self.decoder.train()
        batch = batch_of(samples, NANO_SPEECH.end)
        half = torch.autocast("cpu", torch.bfloat16, enabled=options.half)
        with half, sdpa_kernel(SDPBackend.MATH):  # for short rows the fused kernel is slower
            losses = speech_losses(self.decoder, batch, self._heard(batch.codes))
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(losses["codes"] + self.options.alignment * losses["alignment"])
        torch.nn.utils.clip_grad_norm_(self.decoder.parameters(), 1.0)
        self.optimiser.step()
        self._follow()
        self.step += 1
        values = {name: float(loss.detach()) for name, loss in losses.items()}
        self.curve.add(self.step, values)
        return values

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the running mean; early on it is the mean of all steps so far."""
        share = max(1 - self.options.averaged, 1 / (self.step + 1))
        for name, weight in self.decoder.state_dict().items():
            self.average[name].lerp_(weight, share)

    def _heard(self, codes: Tensor) -> Tensor:
        """The codes with slips, such as the decoder makes itself."""
        draw = torch.rand(codes.shape)
        rank = torch.randint(self.neighbours.shape[1], codes.shape)
        near = self.neighbours[codes, rank]
        anything = torch.randint(NANO_SPEECH.codes, codes.shape)
        heard = torch.where(draw < self.options.confused, near, codes)
        return torch.where(draw > 1 - self.options.random, anything, heard)

    def save(self) -> None:
        """`out` has the weights alone, `<out>.resume` all that going on needs."""
        self.out.parent.mkdir(parents=True, exist_ok=True)
        state: dict[str, Any] = {
            "weights": self.decoder.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
            "curve": self.curve.points,
            "step": self.step,
        }
        for path, content in ((self.resume_file, state), (self.out, self.average)):
            partial = path.with_suffix(".partial")
            torch.save(content, partial)
            partial.replace(path)
        self.curve.plot(self.out.with_suffix(".png"), "speech decoder")

    def _resume(self) -> None:
        state = torch.load(self.resume_file, weights_only=True)
        weights = with_all_letters(state["weights"])
        self.decoder.load_state_dict(weights)
        self.average = with_all_letters(state.get("average", _copied(weights)))
        self._resume_optimiser(state["optimiser"])
        self.curve.points, self.step = state["curve"], state["step"]
        self.choose.seed(self.options.seed + self.step)

    def _resume_optimiser(self, state: dict[str, Any]) -> None:
        """New letters have no moments yet."""
        for parameter, moments in zip(
            self.decoder.parameters(), state["state"].values(), strict=True
        ):
            for name in ("exp_avg", "exp_avg_sq"):
                moments[name] = _filled(moments[name], torch.zeros_like(parameter))
        self.optimiser.load_state_dict(state)


def load_speech(path: Path) -> SpeechDecoder:
    """The trained speech decoder. Raises FileNotFoundError."""
    decoder = SpeechDecoder(NANO_SPEECH)
    decoder.load_state_dict(with_all_letters(torch.load(path, weights_only=True)))
    return decoder.eval()


def with_all_letters(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights that were trained before there were so many letters, with new ones of no meaning."""
    trained = weights[_LETTER_TABLE]
    fresh = torch.randn(NANO_SPEECH.text_vocabulary, NANO_SPEECH.width) * float(trained.std())
    return {**weights, _LETTER_TABLE: _filled(trained, fresh)}


def _filled(known: Tensor, whole: Tensor) -> Tensor:
    """`whole`, its first rows replaced by those that are known."""
    return torch.cat((known, whole[len(known) :]))


def _copied(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in weights.items()}


@torch.no_grad()
def _neighbours(codec: NanoCodec, count: int = 8) -> Tensor:
    """[codes, count]: the codes next to each in the codebook."""
    return torch.cdist(codec.codebook, codec.codebook).argsort(1)[:, 1 : count + 1]


def train(voices: Sequence[VoiceData], out: Path, options: SpeechOptions | None = None) -> None:
    """Train the speech decoder on what the teachers read; weights go to `out`. The voices' codecs
    share one codebook."""
    SpeechTraining(voices, out, options or SpeechOptions()).run()
