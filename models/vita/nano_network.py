"""Nano as torch modules, read from the half-precision files that training goes on from."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from models.vita.adapter import AudioTower
from models.vita.config import VitaConfig
from models.vita.language_model import LanguageModel
from models.vita.nano_codec import FeatureDecoder
from models.vita.speech_decoder import SpeechDecoder
from models.vita.spelled_tower import SpelledTower
from models.vita.tensor_files import CheckpointRefused, Source, compare, tensors_in
from models.vita.vision import VisionEncoder

LISTENING, SPEECH, CODEC = "listening.safetensors", "speech.safetensors", "codec.safetensors"
# where each part of a file's keys goes; "" is left out: only training needs it
_PLACES = {
    LISTENING: {"": "{}"},
    SPEECH: {"": "speech.{}"},
    CODEC: {"decoder.": "codec.{}", "encoder.": "", "uses": "", "sums": ""},
}


class NanoNetwork(nn.Module):
    """Ears, mind and, where there are such, eyes, and the voice: speech decoder and codec."""

    def __init__(self, config: VitaConfig, *, spelled: bool) -> None:
        """`spelled`: the adapter sees what the frames spell beside the frames."""
        super().__init__()
        tower = SpelledTower if spelled else AudioTower
        self.tower = tower(config.audio, config.adapter, config.language.width)
        self.language = LanguageModel(config.language)
        self.eyes = VisionEncoder(config.vision, config.language.width) if config.vision else None
        self.speech = SpeechDecoder(config.speech) if config.speech else None
        self.codec = FeatureDecoder() if config.speech else None


def read_nano(folder: Path, config: VitaConfig) -> NanoNetwork:
    """Load a folder's files, each tensor checked, in float32.

    Raises CheckpointRefused with everything that is wrong in one message.
    """
    sources: dict[str, Source] = {}
    for name in (LISTENING, SPEECH, CODEC) if config.speech else (LISTENING,):
        sources |= _placed(tensors_in(folder / name), _PLACES[name])
    if config.language.tied:
        sources.pop("language.lm_head.weight", None)
    network = NanoNetwork(config, spelled="tower.gate" in sources)
    expected = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    if config.language.tied:
        del expected["language.lm_head.weight"]
    if problems := compare(expected, sources):
        raise CheckpointRefused(f"{folder.name} does not fit its config: " + "; ".join(problems))
    _fill(network, {key: source.load() for key, source in sources.items()})
    if config.language.tied:
        network.language.lm_head.weight = network.language.model.embed_tokens.weight
    return network.eval().requires_grad_(False)


def _placed(sources: dict[str, Source], places: dict[str, str]) -> dict[str, Source]:
    placed = {}
    for key, source in sources.items():
        prefix = next((prefix for prefix in places if key.startswith(prefix)), None)
        if prefix is None:
            placed[key] = source  # surplus, and named as such
        elif places[prefix]:
            placed[places[prefix].format(key.removeprefix(prefix))] = source
    return placed


def _fill(network: nn.Module, tensors: dict[str, Tensor]) -> None:
    exact = {k: t.float() if t.is_floating_point() else t for k, t in tensors.items()}
    network.load_state_dict(exact, strict=False, assign=True)
