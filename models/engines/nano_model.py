"""Nano as instances use it, whatever computes its networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from models.base import (
    HEAR_CHUNK,
    AnswerOptions,
    BadInput,
    Synthesizer,
    UserImage,
)
from models.capabilities import FRAMES_READ
from models.engines.answering import Answer
from models.engines.bundle import BLIND
from models.engines.hearing import StreamedFrontend
from models.engines.listening import NanoListener
from models.engines.memory import Dictation, PromptMemory, StreamParts
from models.engines.nano_grammar import NanoGrammar
from models.engines.networks import Networks
from models.engines.prompt import Array, Feature, Piece
from models.engines.resident import DeviceStream
from models.engines.speaking import NanoVoice
from models.engines.wording import NanoWording
from models.engines.writing import TokenWriter
from models.vita.images import normalise, tiles
from models.vita.letters import spell
from models.vita.nano_prompt import END

CODES_A_TOKEN = 3  # steps of speech for each of text, once there is sound
_CHINESE = "好"


class NanoDecoder:
    """A models.engines.prompt_cache.StreamDecoder over nano's networks; vectors are numpy."""

    piece = 32

    def __init__(self, networks: Networks) -> None:
        """All that the language model of a stream ever allocates."""
        self._table, self._cache = networks.table, networks.token_cache()
        self.logits: Array = np.zeros(len(self._table), np.float32)  # valid until the next read

    @property
    def capacity(self) -> int:
        return self._cache.capacity

    @property
    def length(self) -> int:
        return self._cache.length

    def vectors(self, pieces: Sequence[Piece]) -> Array:
        return np.concatenate([self._of(piece) for piece in pieces])

    def vectors_of(self, embedded: Array) -> Array:
        return embedded

    def array_of(self, vectors: Sequence[Array]) -> Array:
        return np.concatenate(vectors)

    def read(self, vectors: Array) -> None:
        self.logits = self._cache.read(vectors)

    def rewind(self, length: int) -> None:
        self._cache.rewind(length)

    def scores(self, ids: Sequence[int]) -> list[float]:
        return [float(self.logits[number]) for number in ids]

    def choose(self, temperature: float, random: np.random.Generator, barred: Sequence[int]) -> int:
        return drawn(self.logits, temperature, random, barred)

    def _of(self, piece: Piece) -> Array:
        if isinstance(piece, Feature):
            vectors: Array = piece.vectors
            return vectors
        return self._table[np.asarray(piece, np.int64)]


def drawn(
    logits: Array, temperature: float, random: np.random.Generator, barred: Sequence[int]
) -> int:
    """The likeliest token that is not barred, or at a temperature above 0 one that is drawn."""
    scores = logits.astype(np.float64)
    scores[list(barred)] = -np.inf
    if temperature <= 0:
        return int(scores.argmax())
    shares = np.exp((scores - scores.max()) / temperature)
    return int(random.choice(len(shares), p=shares / shares.sum()))


class NanoModel:
    """A models.engines.resident.Model: verdicts as the sound arrives, a voice of its own."""

    hearing_piece = HEAR_CHUNK
    is_streamed = True
    frames_read = FRAMES_READ

    def __init__(
        self,
        networks: Networks,
        synthesizer: Synthesizer | None,
        device_stream: Callable[[], DeviceStream],
    ) -> None:
        """`synthesizer` speaks for a model whose folder has no voice."""
        self._networks, self.device_stream = networks, device_stream
        reads = networks.config.reads_words
        self.grammar = NanoGrammar(networks.prompt, reads_words=reads)
        listener = NanoListener(networks.audio_frontend(), networks.config.model)
        self._listening = StreamedFrontend(
            listener, self.grammar, networks.recogniser, networks.speller, dictates=reads
        )
        self.synthesizer = None if networks.speaks else synthesizer
        if networks.speaks:
            spell(_CHINESE)  # reads its dictionaries now, not in the first answer

    @property
    def capacity(self) -> int:
        return self._networks.config.capacity

    def remember(self) -> PromptMemory:
        return PromptMemory(
            StreamParts(
                grammar=self.grammar,
                listening=self._listening,
                decoder=NanoDecoder(self._networks),
                states=self._networks.config.model.states.ids,
                look=self._look,
                speech=self._networks.speech_cache(),
                dictation=self._dictation(),
            )
        )

    def _dictation(self) -> Dictation | None:
        prompt = self._networks.prompt
        return (
            Dictation(prompt.ids[END], prompt.decode) if self._networks.config.reads_words else None
        )

    def answer(self, memory: PromptMemory, options: AnswerOptions) -> Answer:
        voice = None
        if options.speak and memory.speech is not None:
            voice = NanoVoice(self._networks, memory.speech, options.seed, options.speed)
        tools = memory.tools if options.tools is None else options.tools
        slow_down = None if voice is None else voice.slow_down
        wording = NanoWording(self._networks.prompt, tools, options, slow_down)
        return Answer(TokenWriter(memory, wording, options), voice, CODES_A_TOKEN)

    @property
    def sees(self) -> bool:
        return self._networks.config.model.vision is not None

    def _look(self, image: UserImage, _: int) -> Array:
        """One glance, however large the picture is."""
        vision = self._networks.config.model.vision
        if vision is None:
            raise BadInput(BLIND)
        return self._networks.look(normalise(tiles(image.pixels, 1, vision.image)))
