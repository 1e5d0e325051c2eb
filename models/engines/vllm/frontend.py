"""What stands round the engine: audio_frontend, eyes, voice and grammar of one model.

Its language model runs in the engine; all else is our own torch, on the instance's thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch

from models.base import (
    AnswerOptions,
    BadInput,
    Synthesizer,
    Tool,
    UserImage,
)
from models.capabilities import FRAMES_READ
from models.engines.answering import AnswerVoice
from models.engines.choice import engine_for
from models.engines.grammar import Grammar
from models.engines.hearing import ListeningFrontend, StreamedFrontend, WholeSegmentFrontend
from models.engines.listening import NanoListener
from models.engines.nano_grammar import NanoGrammar
from models.engines.nano_torch import TorchNetworks, load_nano, weights_of
from models.engines.prompt import Array
from models.engines.speaking import NanoVoice
from models.engines.speech_batcher import SpeechBatchers
from models.engines.vita_grammar import VitaGrammar
from models.engines.vita_model import CAPACITY
from models.engines.vita_sight import frames_read, picture_tiles
from models.engines.vita_speaking import TEXT_VECTORS, VitaVoice
from models.engines.wording import NanoWording, VitaWording, Wording
from models.vita.checkpoint import TOKENIZER, load_without_layers
from models.vita.config import LanguageModelConfig
from models.vita.images import normalise, tiles
from models.vita.nano_network import LISTENING
from models.vita.network import Vita
from models.vita.prompt import TEMPLATES, VitaPrompt
from models.vita.system_prompts import SystemPrompts
from models.vita.tensor_files import CheckpointRefused


class ModelFrontend(Protocol):
    """One copy for every instance. Nothing here awaits."""

    @property
    def licence(self) -> str: ...

    @property
    def language(self) -> LanguageModelConfig:
        """Of the model that runs in the engine."""
        ...

    @property
    def files(self) -> Sequence[Path]:
        """Safetensors with its weights, and an index where there is one."""
        ...

    @property
    def grammar(self) -> Grammar: ...

    @property
    def states(self) -> Sequence[int]:
        """Ids of query, noise, text and, where there is one, unfinished."""
        ...

    @property
    def capacity(self) -> int:
        """Tokens of one stream."""
        ...

    @property
    def is_streamed(self) -> bool:
        """Does the state follow the sound, so that a session can go on with it?"""
        ...

    @property
    def synthesizer(self) -> Synthesizer | None:
        """What speaks for a model without a voice."""
        ...

    def audio_frontend(self) -> ListeningFrontend: ...

    @property
    def sees(self) -> bool:
        """Whether it takes pictures."""
        ...

    @property
    def frames_read(self) -> int:
        """How many frames of a video in a row it is given."""
        ...

    def see(self, image: UserImage, room: int) -> Array:
        """Vectors [n, width], for a stream with room for so many tokens. Raises BadInput where
        the model cannot see."""
        ...

    def speech_cache(self) -> Any:
        """The memory that a stream's voice needs, in the room of its instance, on whose thread this
        is called; None where there is no voice."""
        ...

    def voice(self, speech_cache: Any, options: AnswerOptions) -> AnswerVoice: ...

    def wording(
        self, tools: tuple[Tool, ...], options: AnswerOptions, voice: AnswerVoice | None
    ) -> Wording: ...


def open_frontend(
    folder: Path,
    device: torch.device,
    synthesizer: Synthesizer | None,
    capacity: int = CAPACITY,
    prompts: SystemPrompts | None = None,
) -> ModelFrontend:
    """`capacity` and `prompts` are for VITA checkpoints.

    Raises CheckpointRefused, models.engines.bundle.BadBundle.
    """
    if engine_for(folder) == "embedded":
        return NanoFrontend.read(folder, device, synthesizer)
    return VitaFrontend.read(folder, device, synthesizer, capacity, prompts)


@dataclass(frozen=True, slots=True)
class NanoFrontend:
    networks: TorchNetworks
    grammar: Grammar
    files: Sequence[Path]
    synthesizer: Synthesizer | None
    licence: str = ""  # our own
    is_streamed: bool = True
    frames_read: int = FRAMES_READ

    @staticmethod
    def read(folder: Path, device: torch.device, synthesizer: Synthesizer | None) -> NanoFrontend:
        model = load_nano(folder, device, synthesizer)
        return NanoFrontend(
            networks=model.networks,
            grammar=NanoGrammar(model.networks.prompt),
            files=[weights_of(folder) / LISTENING],
            synthesizer=model.synthesizer,
        )

    @property
    def language(self) -> LanguageModelConfig:
        return self.networks.config.model.language

    @property
    def states(self) -> Sequence[int]:
        return self.networks.config.model.states.ids

    @property
    def capacity(self) -> int:
        return min(self.networks.config.capacity, self.language.positions - 1)

    def audio_frontend(self) -> ListeningFrontend:
        listener = NanoListener(self.networks.audio_frontend(), self.networks.config.model)
        return StreamedFrontend(listener, self.grammar)

    @property
    def sees(self) -> bool:
        return self.networks.config.model.vision is not None

    def see(self, image: UserImage, room: int) -> Array:
        vision = self.networks.config.model.vision
        if vision is None:
            raise BadInput("this model cannot see: its folder has no vision encoder")
        return self.networks.look(normalise(tiles(image.pixels, 1, vision.image)))

    def speech_cache(self) -> Any:
        return self.networks.speech_cache()

    def voice(self, speech_cache: Any, options: AnswerOptions) -> AnswerVoice:
        return NanoVoice(self.networks, speech_cache, options.seed, options.speed)

    def wording(
        self, tools: tuple[Tool, ...], options: AnswerOptions, voice: AnswerVoice | None
    ) -> Wording:
        slow_down = voice.slow_down if isinstance(voice, NanoVoice) else None
        return NanoWording(self.networks.prompt, tools, options, slow_down)


@dataclass(frozen=True, slots=True)
class VitaFrontend:
    """`model` has no layers: of its language model only the table of words is there."""

    model: Vita
    language: LanguageModelConfig
    prompt: VitaPrompt
    grammar: Grammar
    files: Sequence[Path]
    licence: str
    voice_of_another: Synthesizer | None
    capacity: int = CAPACITY  # tokens of one stream
    is_streamed: bool = False
    rooms: SpeechBatchers = field(default_factory=SpeechBatchers)

    @staticmethod
    def read(
        folder: Path,
        device: torch.device,
        synthesizer: Synthesizer | None,
        context: int = CAPACITY,
        prompts: SystemPrompts | None = None,
    ) -> VitaFrontend:
        dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
        checkpoint, language = load_without_layers(folder, dtype, device)
        if checkpoint.tokenizer is None:
            raise CheckpointRefused(f"{TOKENIZER} is missing: without it there are no words")
        template = TEMPLATES[checkpoint.config.template]
        capacity = min(context, language.positions - 1)
        prompt = VitaPrompt.read(checkpoint.tokenizer, template, prompts, capacity)
        return VitaFrontend(
            model=checkpoint.model,
            language=language,
            prompt=prompt,
            grammar=VitaGrammar(prompt),
            files=sorted(folder.glob("*.safetensors*")),
            licence=checkpoint.licence,
            voice_of_another=synthesizer,
            capacity=capacity,
        )

    @property
    def states(self) -> Sequence[int]:
        return self.prompt.states.ids

    @property
    def synthesizer(self) -> Synthesizer | None:
        return self.voice_of_another if self.model.speech is None else None

    def audio_frontend(self) -> ListeningFrontend:
        return WholeSegmentFrontend(self._encode, self.grammar)

    @property
    def sees(self) -> bool:
        return self.model.vision is not None

    @property
    def frames_read(self) -> int:
        return frames_read(self.capacity, self.model.config.vision)

    def see(self, image: UserImage, room: int) -> Array:
        pixels = picture_tiles(image, room, self.model.config.vision)
        return _array(self.model.see(self._tensor(pixels)).flatten(0, 1))

    def speech_cache(self) -> Any:
        speech = self.model.speech
        if speech is None or self.model.codec is None:
            return None
        return self.rooms.line(speech, TEXT_VECTORS, speech.config.max_codes)

    def voice(self, speech_cache: Any, options: AnswerOptions) -> AnswerVoice:
        assert self.model.codec is not None
        return VitaVoice(self.model, self.prompt, speech_cache, self.model.codec, options.seed)

    def wording(
        self, tools: tuple[Tool, ...], options: AnswerOptions, voice: AnswerVoice | None
    ) -> Wording:
        return VitaWording(self.prompt, tools, options)

    def _encode(self, features: Array) -> Array:
        return _array(self.model.hear(self._tensor(features)))

    def _tensor(self, array: Array) -> torch.Tensor:
        return torch.from_numpy(array).to(self.model.language.model.norm.weight.device)


def _array(tensor: torch.Tensor) -> Array:
    made: Array = tensor.float().cpu().numpy()
    return made
