"""Nano's networks in torch, on a CPU or a CUDA device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.base import BadInput, Synthesizer
from models.engines.bundle import (
    BLIND,
    CONFIG,
    TOKENIZER,
    BadBundle,
    BundleConfig,
    recogniser_for,
    speller_in,
)
from models.engines.cuda_streams import CudaStreams
from models.engines.kv_cache import DEFAULT_SLOTS, KvCache, ThreadSlots
from models.engines.nano_model import NanoModel
from models.engines.networks import Array
from models.engines.pinyin_speller import PinyinSpeller
from models.engines.segment_words import Recogniser
from models.engines.speech_batcher import SpeechBatchers, SpeechSlot
from models.vita.adapter import AudioCache, AudioTower
from models.vita.language_model import LanguageModel
from models.vita.nano_codec import FeatureDecoder
from models.vita.nano_network import LISTENING, read_nano
from models.vita.nano_prompt import NanoPrompt
from models.vita.speech_decoder import SpeechDecoder
from models.vita.tensor_files import CheckpointRefused
from models.vita.vision import VisionEncoder

_MODELS = Path(__file__).resolve().parents[1]
_BUNDLED, _KEPT = _MODELS / "nano", _MODELS / "training" / "stages"


@dataclass(frozen=True, slots=True)
class TorchNetworks:
    """models.engines.networks.Networks in float32: nano is small enough for that everywhere."""

    config: BundleConfig
    prompt: NanoPrompt
    table: Array
    tower: AudioTower
    language: LanguageModel
    eyes: VisionEncoder | None = None
    speech: SpeechDecoder | None = None
    codec: FeatureDecoder | None = None
    recogniser: Recogniser | None = None
    speller: PinyinSpeller | None = None
    rooms: SpeechBatchers = field(default_factory=SpeechBatchers)
    slots: ThreadSlots = field(default_factory=ThreadSlots)

    @property
    def device(self) -> torch.device:
        return self.language.model.norm.weight.device

    @property
    def speaks(self) -> bool:
        return self.speech is not None

    @property
    def bytes(self) -> int:
        parts = (self.tower, self.language, self.eyes, self.speech, self.codec)
        states = [part.state_dict().values() for part in parts if part is not None]
        held = {tensor.data_ptr(): tensor.nbytes for state in states for tensor in state}
        return sum(held.values())

    def audio_frontend(self) -> TorchAudioFrontend:
        return TorchAudioFrontend(self.tower)

    @torch.inference_mode()
    def look(self, pixels: Array) -> Array:
        """Raises BadInput where the model cannot see."""
        if self.eyes is None:
            raise BadInput(BLIND)
        return _array(self.eyes(torch.from_numpy(pixels).to(self.device))[0])

    def token_cache(self) -> TorchLanguageCache:
        return TorchLanguageCache(self.slots.lend(self.language, self.config.capacity))

    def speech_cache(self) -> TorchSpeechCache | None:
        if self.speech is None:
            return None
        most = self.config.spoken_letters, self.config.spoken_codes
        return TorchSpeechCache(self.rooms.line(self.speech, *most))

    def acoustics(self, codes: npt.NDArray[np.int64]) -> Array:
        """Raises ValueError where the model cannot speak."""
        if self.codec is None:
            raise ValueError("this model has no voice")
        return _array(self.codec(torch.from_numpy(codes).to(self.device)))


class TorchAudioFrontend:
    """models.engines.networks.Ears over an audio tower."""

    def __init__(self, tower: AudioTower) -> None:
        self._tower = tower
        self._device = tower.encoder.transformer.after_norm.weight.device

    def start(self) -> AudioCache:
        return self._tower.start(device=self._device)

    @torch.inference_mode()
    def step(
        self, features: Array, valid: int, memory: AudioCache
    ) -> tuple[Array, Array, AudioCache]:
        count = torch.tensor([valid], device=self._device)
        taken = torch.from_numpy(features).to(self._device)[None]
        vectors, frames, later = self._tower.step(taken, count, memory)
        spelt = frames if self._tower.letters is None else self._tower.spell(frames)
        return _array(vectors[0]), _array(spelt[0]), later


class TorchLanguageCache:
    """models.engines.networks.TokenCache over a line of tokens."""

    def __init__(self, line: KvCache) -> None:
        self._line = line
        self._like = line.buffers.layers[0][0]
        self.capacity = line.capacity

    @property
    def length(self) -> int:
        return self._line.length

    def read(self, vectors: Array) -> Array:
        self._line.read(torch.from_numpy(vectors).to(self._like))
        return _array(self._line.logits())

    def rewind(self, length: int) -> None:
        self._line.rewind(length)


class TorchSpeechCache:
    """models.engines.networks.SpeechCache over a speech decoder that has letters of its own."""

    def __init__(self, line: SpeechSlot) -> None:
        self._line = line

    @property
    def full(self) -> bool:
        return self._line.full

    def begin(self, letters: Sequence[int]) -> None:
        decoder = self._line.decoder
        ids = torch.tensor([list(letters)], device=decoder.norm.weight.device)
        self._line.begin(decoder.embed_text(ids)[0])

    def expect(self, code: int, urgent: bool) -> None:
        self._line.expect(code, urgent)

    def advance(self, code: int) -> tuple[Array, Array]:
        logits, weights = self._line.advance(code)
        assert weights is not None
        return _array(logits), _array(weights)


def _array(tensor: Tensor) -> Array:
    made: Array = tensor.detach().float().cpu().numpy()
    return made


class TorchNano(NanoModel):
    """Nano for instances of the pytorch engine, which may share it."""

    def __init__(self, networks: TorchNetworks, synthesizer: Synthesizer | None = None) -> None:
        super().__init__(networks, synthesizer, lambda: CudaStreams(networks.device).device_stream)
        self.networks = networks

    @property
    def bytes(self) -> int:
        return self.networks.bytes


def load_nano(
    folder: Path,
    device: torch.device,
    synthesizer: Synthesizer | None = None,
    slots: int = DEFAULT_SLOTS,
) -> TorchNano:
    """A folder of nano whose weights are there in torch's form too (`listening.safetensors`, ...);
    the bundled model's are where its training goes on from. `slots`: streams of one instance for
    which it is prepared.

    Raises CheckpointRefused, models.engines.bundle.BadBundle.
    """
    config = _config(folder / CONFIG)
    prompt = _prompt(folder / TOKENIZER, config.capacity)
    network = read_nano(weights_of(folder), config.model).to(device)
    table = network.language.model.embed_tokens.weight
    networks = TorchNetworks(
        config=config,
        prompt=prompt,
        table=_array(table),
        tower=network.tower,
        language=network.language,
        eyes=network.eyes,
        speech=network.speech,
        codec=network.codec,
        recogniser=recogniser_for(config),
        speller=speller_in(folder),
        rooms=SpeechBatchers(slots),
        slots=ThreadSlots(slots),
    )
    return TorchNano(networks, synthesizer)


def _config(path: Path) -> BundleConfig:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadBundle(f"{path.name}: {error.strerror}") from error
    return BundleConfig.from_json(content)


def _prompt(path: Path, capacity: int) -> NanoPrompt:
    try:
        return NanoPrompt.read(path, capacity)
    except Exception as error:  # the tokenizers' own errors have no common base
        raise CheckpointRefused(f"{path.name}: missing or damaged ({error})") from error


def weights_of(folder: Path) -> Path:
    """Where the torch weights of nano lie: in its folder, or for the bundled model where its
    training goes on from.

    Raises CheckpointRefused where an installed package has no such weights.
    """
    if folder.resolve() != _BUNDLED or (folder / LISTENING).exists():
        return folder
    if not (_KEPT / LISTENING).exists():
        raise CheckpointRefused(
            "the installed package holds nano for the embedded engine only; its torch weights "
            f"({LISTENING}, ...) are in a checkout: give a folder that holds them as --model, "
            "or use --engine embedded"
        )
    return _KEPT
