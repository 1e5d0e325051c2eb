"""A VITA checkpoint as instances use it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from audio.features import BINS
from models.base import AnswerOptions, Synthesizer, UserImage
from models.engines.answering import Answer
from models.engines.cuda_graphs import uses_graphs
from models.engines.cuda_streams import CudaStreams
from models.engines.hearing import WholeSegmentFrontend
from models.engines.kv_cache import DEFAULT_SLOTS, KvCache, ThreadSlots
from models.engines.memory import PromptMemory, StreamParts
from models.engines.nano_model import drawn
from models.engines.prompt import Array, Feature, Piece
from models.engines.resident import DeviceStream
from models.engines.speech_batcher import SpeechBatchers, SpeechSlot
from models.engines.vita_grammar import VitaGrammar
from models.engines.vita_segment import LONGEST, VERDICT_EVERY
from models.engines.vita_sight import frames_read, picture_tiles
from models.engines.vita_speaking import TEXT_VECTORS, VitaVoice
from models.engines.wording import VitaWording
from models.engines.writing import TokenWriter
from models.vita.checkpoint import TOKENIZER, Checkpoint
from models.vita.network import BUCKET, Vita
from models.vita.prompt import TEMPLATES, VitaPrompt, told_for_one_answer
from models.vita.system_prompts import SystemPrompts
from models.vita.tensor_files import CheckpointRefused

CAPACITY = 4_096  # tokens of one stream, unless the checkpoint has fewer positions


class VitaDecoder:
    """A models.engines.prompt_cache.StreamDecoder over torch; vectors stay on the device."""

    piece = 256

    def __init__(self, model: Vita, line: KvCache) -> None:
        self._language = model.language
        self._like = model.language.model.norm.weight
        self.line = line

    @property
    def capacity(self) -> int:
        return self.line.capacity

    @property
    def length(self) -> int:
        return self.line.length

    def vectors(self, pieces: Sequence[Piece]) -> Tensor:
        return torch.cat([self._of(piece) for piece in pieces])

    def vectors_of(self, embedded: Array) -> Tensor:
        return tensor_like(embedded, self._like)

    def array_of(self, vectors: Sequence[Tensor]) -> Array:
        joined: Array = torch.cat(list(vectors)).float().cpu().numpy()
        return joined

    def read(self, vectors: Tensor) -> None:
        self.line.read(vectors)

    def rewind(self, length: int) -> None:
        self.line.rewind(length)

    def scores(self, ids: Sequence[int]) -> list[float]:
        found: list[float] = self.line.scores(ids).tolist()
        return found

    def choose(self, temperature: float, random: np.random.Generator, barred: Sequence[int]) -> int:
        """The likeliest is found on the device: only its number comes back."""
        if temperature <= 0 and not barred:
            return int(self.line.logits().argmax())
        return drawn(self.line.logits().float().cpu().numpy(), temperature, random, barred)

    def _of(self, piece: Piece) -> Tensor:
        if isinstance(piece, Feature):
            vectors: Tensor = piece.vectors
            return vectors
        ids = torch.tensor(list(piece), dtype=torch.long, device=self._like.device)
        return self._language.embed(ids)


def tensor_like(array: Array, like: Tensor) -> Tensor:
    return torch.from_numpy(array).to(like.device, like.dtype)


@dataclass(frozen=True, slots=True)
class VitaWeights:
    """The one copy of a model, which any number of instances share."""

    model: Vita
    prompt: VitaPrompt
    device: torch.device
    capacity: int
    licence: str
    voice_of_another: Synthesizer | None = None  # for a checkpoint without a speech decoder
    rooms: SpeechBatchers = field(default_factory=SpeechBatchers)
    slots: ThreadSlots = field(default_factory=ThreadSlots)

    @staticmethod
    def of(
        checkpoint: Checkpoint,
        capacity: int = CAPACITY,
        synthesizer: Synthesizer | None = None,
        prompts: SystemPrompts | None = None,
        slots: int = DEFAULT_SLOTS,
    ) -> VitaWeights:
        """`slots`: streams of one instance for which it is prepared. Raises CheckpointRefused where
        the checkpoint cannot converse."""
        config = checkpoint.config
        if checkpoint.tokenizer is None:
            raise CheckpointRefused(f"{TOKENIZER} is missing: without it there are no words")
        if config.template not in TEMPLATES:
            raise CheckpointRefused(f"{config.template} is no template of a VITA checkpoint")
        template = TEMPLATES[config.template]
        capacity = min(capacity, config.language.positions)
        return VitaWeights(
            model=checkpoint.model,
            prompt=VitaPrompt.read(checkpoint.tokenizer, template, prompts, capacity),
            device=checkpoint.model.language.model.norm.weight.device,
            capacity=capacity,
            licence=checkpoint.licence,
            voice_of_another=synthesizer,
            rooms=SpeechBatchers(slots),
            slots=ThreadSlots(slots),
        )

    @property
    def bytes(self) -> int:
        held = {tensor.data_ptr(): tensor.nbytes for tensor in self.model.state_dict().values()}
        return sum(held.values())

    @property
    def sees(self) -> bool:
        return self.model.vision is not None

    @property
    def frames_read(self) -> int:
        return frames_read(self.capacity, self.model.config.vision)

    @property
    def is_streamed(self) -> bool:
        return False

    @property
    def hearing_piece(self) -> int:
        return VERDICT_EVERY

    @property
    def synthesizer(self) -> Synthesizer | None:
        return self.voice_of_another if self.model.speech is None else None

    def device_stream(self) -> DeviceStream:
        return CudaStreams(self.device).device_stream

    @property
    def grammar(self) -> VitaGrammar:
        return VitaGrammar(self.prompt)

    def remember(self) -> PromptMemory:
        grammar = self.grammar
        return PromptMemory(
            StreamParts(
                grammar=grammar,
                listening=WholeSegmentFrontend(self._encode, grammar),
                decoder=VitaDecoder(self.model, self._cache()),
                states=self.prompt.states.ids,
                look=self._look,
                speech=self._speech_slot(),
            )
        )

    def answer(self, memory: PromptMemory, options: AnswerOptions) -> Answer:
        tools = memory.tools if options.tools is None else options.tools
        told = told_for_one_answer(options, memory.tools)
        writer = TokenWriter(memory, VitaWording(self.prompt, tools, options), options, told)
        codec, line = self.model.codec, memory.speech
        if not options.speak or line is None or codec is None:
            return Answer(writer, None)
        return Answer(writer, VitaVoice(self.model, self.prompt, line, codec, options.seed))

    def _cache(self) -> KvCache:
        """A stream's cache. The first of an instance finds nothing prepared yet."""
        if not self.slots.are_made and uses_graphs(self.model.language.model.norm.weight):
            self._see_every_length()
        return self.slots.lend(self.model.language, self.capacity)

    def _see_every_length(self) -> None:
        """Encode once in every bucket: a GPU's libraries choose their kernels by length."""
        for frames in range(BUCKET, LONGEST + BUCKET, BUCKET):
            self._encode(np.zeros((frames, BINS), np.float32))

    def _speech_slot(self) -> SpeechSlot | None:
        speech = self.model.speech
        if speech is None:
            return None
        return self.rooms.line(speech, TEXT_VECTORS, speech.config.max_codes)

    def _encode(self, features: Array) -> Tensor:
        return self.model.hear(torch.from_numpy(features).to(self.device))

    def _look(self, image: UserImage, room: int) -> Tensor:
        pixels = picture_tiles(image, room, self.model.config.vision)
        return self.model.see(torch.from_numpy(pixels).to(self.device)).flatten(0, 1)
