"""A VITA checkpoint as instances use it."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from models.base import AnswerOptions, Synthesizer
from models.engines.answering import Answer
from models.engines.cuda_streams import CudaStreams
from models.engines.resident import DeviceStream
from models.engines.speech_batcher import SpeechBatchers
from models.engines.vita_memory import VitaMemory
from models.engines.vita_segment import VERDICT_EVERY
from models.engines.vita_speaking import VitaVoice
from models.engines.vita_writing import VitaWriter
from models.vita.checkpoint import TOKENIZER, Checkpoint
from models.vita.network import Vita
from models.vita.prompt import TEMPLATES, VitaPrompt
from models.vita.tensor_files import CheckpointRefused

CAPACITY = 4_096  # tokens of one stream, unless the checkpoint has fewer positions


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

    @staticmethod
    def of(
        checkpoint: Checkpoint, capacity: int = CAPACITY, synthesizer: Synthesizer | None = None
    ) -> VitaWeights:
        """Raises CheckpointRefused where it cannot converse."""
        config = checkpoint.config
        if checkpoint.tokenizer is None:
            raise CheckpointRefused(f"{TOKENIZER} is missing: without it there are no words")
        if config.template not in TEMPLATES:
            raise CheckpointRefused(f"{config.template} is no template of a VITA checkpoint")
        return VitaWeights(
            model=checkpoint.model,
            prompt=VitaPrompt.read(checkpoint.tokenizer, TEMPLATES[config.template]),
            device=checkpoint.model.language.model.norm.weight.device,
            capacity=min(capacity, config.language.positions),
            licence=checkpoint.licence,
            voice_of_another=synthesizer,
        )

    @property
    def bytes(self) -> int:
        held = {tensor.data_ptr(): tensor.nbytes for tensor in self.model.state_dict().values()}
        return sum(held.values())

    @property
    def hearing_piece(self) -> int:
        return VERDICT_EVERY

    @property
    def synthesizer(self) -> Synthesizer | None:
        return self.voice_of_another if self.model.speech is None else None

    def device_stream(self) -> DeviceStream:
        return CudaStreams(self.device).device_stream

    def remember(self) -> VitaMemory:
        return VitaMemory(self.model, self.prompt, self.capacity, self.rooms)

    def answer(self, memory: VitaMemory, options: AnswerOptions) -> Answer:
        writer = VitaWriter(self.prompt, memory, options)
        codec, line = self.model.codec, memory.speech
        if not options.speak or line is None or codec is None:
            return Answer(writer, None)
        return Answer(writer, VitaVoice(self.model, self.prompt, line, codec, options.seed))
