"""Our own reference: seeded inputs through a seeded tiny model, outputs stored with the tests.

It was written when the modules were equal to the outside reference, so that any machine notices a
change of a number, not only one that has that reference. `python -m tests.models.vita.own` writes
it again.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from models.vita.adapter import AudioTower
from models.vita.codec import Codec
from models.vita.config import (
    AdapterConfig,
    AudioEncoderConfig,
    CodecConfig,
    LanguageModelConfig,
    SpeechDecoderConfig,
    VisionConfig,
)
from models.vita.language_model import LanguageModel
from models.vita.speech_decoder import SpeechDecoder
from models.vita.vision import Projector, VisionTower

FILE = Path(__file__).parents[2] / "data" / "vita" / "own.safetensors"
WIDTH = 24
VITA_AUDIO = AudioEncoderConfig(width=16, layers=2, heads=2, feed_forward=32)
NANO_AUDIO = AudioEncoderConfig(
    width=16, layers=2, heads=2, feed_forward=32, subsampling_channels=4, chunk=4, left_chunks=2,
    position="rotary", letters=5,
)  # fmt: skip
LANGUAGE = LanguageModelConfig(
    vocabulary=40, width=WIDTH, layers=2, heads=4, key_value_heads=2, feed_forward=32
)
EXPERTS = LanguageModelConfig(
    vocabulary=40, width=WIDTH, layers=1, heads=4, key_value_heads=2, feed_forward=32,
    attention_bias=False, experts=4,
)  # fmt: skip
VISION = VisionConfig(width=16, layers=2, heads=2, feed_forward=32, image=56)
SPEECH = SpeechDecoderConfig(width=16, layers=2, heads=2, feed_forward=32, codes=12, aligner=(1, 0))
CODEC = CodecConfig(codes=12, code_width=16, initial_width=16, global_width=4, global_codes=(3, 5))


def drawn(name: str, *shape: int) -> Tensor:
    """Numbers that depend on the name alone, on every machine."""
    random = np.random.RandomState(zlib.crc32(f"antiphon {name}".encode()))
    return torch.from_numpy(random.standard_normal(shape).astype(np.float32))


def seeded(name: str, module: torch.nn.Module) -> None:
    """Every weight from the name that it has in a checkpoint."""
    buffers = {key for key, _ in module.named_buffers()}
    for key, tensor in module.state_dict().items():
        if key not in buffers:
            tensor.copy_(0.2 * drawn(f"{name}.{key}", *tensor.shape))
    module.eval().requires_grad_(False)


def outputs() -> dict[str, Tensor]:
    """What the modules make of the seeded inputs."""
    made: dict[str, Tensor] = {}
    for name, audio, side in (("vita", VITA_AUDIO, "right"), ("nano", NANO_AUDIO, "left")):
        adapter = AdapterConfig(width=32, padding="left" if side == "left" else "right")
        tower = AudioTower(audio, adapter, WIDTH)
        seeded(f"{name} hearing", tower)
        features = drawn("features", 1, 71, 80)
        made[f"{name}.vectors"] = tower(features, torch.tensor([71]))[0]
    made |= _words() | _sight() | _speech()
    return {key: tensor.contiguous() for key, tensor in made.items()}


def _words() -> dict[str, Tensor]:
    made = {}
    for name, config in (("dense", LANGUAGE), ("experts", EXPERTS)):
        model = LanguageModel(config)
        seeded(name, model)
        made[f"{name}.logits"] = model.logits(model(drawn("words", 1, 9, WIDTH)))
    return made


def _sight() -> dict[str, Tensor]:
    tower, projector = VisionTower(VISION), Projector(VISION, WIDTH)
    seeded("sight", tower)
    seeded("projector", projector)
    return {"sight.vectors": projector(tower(drawn("pixels", 1, 3, 56, 56)))}


def _speech() -> dict[str, Tensor]:
    decoder, codec = SpeechDecoder(SPEECH), Codec(CODEC)
    seeded("speech", decoder)
    seeded("codec", codec)
    codes = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6]])
    text = drawn("text", 1, 6, 16)
    logits, weights = decoder(text, torch.tensor([6]), codes, return_alignment=True)
    assert weights is not None
    return {"speech.logits": logits, "speech.weights": weights, "codec.wave": codec(codes)}


if __name__ == "__main__":
    save_file(outputs(), FILE)
