"""Nano as instances use it, whatever computes its networks."""

from __future__ import annotations

from collections.abc import Callable

from models.base import HEAR_CHUNK, AnswerOptions, Synthesizer
from models.engines.answering import Answer
from models.engines.listening import NanoListener
from models.engines.memory import NanoMemory
from models.engines.networks import Networks
from models.engines.resident import DeviceStream
from models.engines.speaking import NanoVoice
from models.engines.writing import NanoWriter
from models.vita.letters import spell

CODES_A_TOKEN = 3  # steps of speech for each of text, once there is sound
_CHINESE = "好"


class NanoModel:
    """A models.engines.resident.Model: verdicts as the sound arrives, a voice of its own."""

    hearing_piece = HEAR_CHUNK

    def __init__(
        self,
        networks: Networks,
        synthesizer: Synthesizer | None,
        device_stream: Callable[[], DeviceStream],
    ) -> None:
        """`synthesizer` speaks for a model whose folder has no voice."""
        self._networks, self.device_stream = networks, device_stream
        self._listener = NanoListener(networks.audio_frontend(), networks.config.model)
        self.synthesizer = None if networks.speaks else synthesizer
        if networks.speaks:
            spell(_CHINESE)  # reads its dictionaries now, not in the first answer

    @property
    def capacity(self) -> int:
        return self._networks.config.capacity

    def remember(self) -> NanoMemory:
        return NanoMemory(self._networks, self._listener)

    def answer(self, memory: NanoMemory, options: AnswerOptions) -> Answer:
        if not options.speak or memory.speech is None:
            return Answer(NanoWriter(self._networks, memory, options), None, CODES_A_TOKEN)
        voice = NanoVoice(self._networks, memory.speech, options.seed, options.speed)
        writer = NanoWriter(self._networks, memory, options, voice.slow_down)
        return Answer(writer, voice, CODES_A_TOKEN)
