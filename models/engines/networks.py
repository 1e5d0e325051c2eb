"""What nano's bookkeeping computes with: onnxruntime or torch, numpy between.

A stream's past, its writer and its voice are the same whatever runs the networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from models.engines.bundle import BundleConfig
from models.engines.pinyin_speller import PinyinSpeller
from models.engines.segment_words import Recogniser
from models.vita.nano_prompt import NanoPrompt

Array: TypeAlias = npt.NDArray[np.float32]


class AudioFrontend(Protocol):
    """The listening network. What it remembers is a value: a step makes a new one."""

    def start(self) -> Any:
        """What is remembered before the first chunk."""
        ...

    def step(self, features: Array, valid: int, memory: Any) -> tuple[Array, Array, Any]:
        """One chunk, features [chunk_features, 80] of which `valid` are sound: vectors [n, width],
        letter scores [frames, letters], and what is remembered then."""
        ...


class TokenCache(Protocol):
    """What one stream's language model has read: `length` tokens of `capacity`."""

    @property
    def capacity(self) -> int: ...
    @property
    def length(self) -> int: ...

    def read(self, vectors: Array) -> Array:
        """Read [n, width]; gives the logits [vocabulary] after the last (valid until the next
        call). Raises OutOfRoom and leaves the cache as it was."""
        ...

    def rewind(self, length: int) -> None:
        """Forget all but the first `length` tokens."""
        ...


class SpeechCache(Protocol):
    """The speech decoder's memory of one spoken chunk at a time."""

    @property
    def full(self) -> bool:
        """Is there no place for another code?"""
        ...

    def begin(self, letters: Sequence[int]) -> None:
        """Read the letters of a new chunk."""
        ...

    def expect(self, code: int, urgent: bool) -> None:
        """`code` will be read next: it may be read together with those of other voices. `urgent`:
        it leads to an answer's first sound."""
        ...

    def advance(self, code: int) -> tuple[Array, Array]:
        """Read one code: logits [codes + 4] of the next, and the aligner's weights over
        [bos, letters..., codes...] (valid until the next call)."""
        ...


class Networks(Protocol):
    """The one copy of nano's weights, which any number of streams share."""

    @property
    def config(self) -> BundleConfig: ...

    @property
    def prompt(self) -> NanoPrompt: ...

    @property
    def table(self) -> Array:
        """[vocabulary, width]: what a token is to the language model."""
        ...

    @property
    def speaks(self) -> bool:
        """Is there a voice?"""
        ...

    @property
    def recogniser(self) -> Recogniser | None:
        """What gives the English words of a segment; None where it is not installed, or where the
        weights never learned to read its words."""
        ...

    @property
    def speller(self) -> PinyinSpeller | None:
        """What spells Chinese from the recogniser's frames; None where the folder has none."""
        ...

    def audio_frontend(self) -> AudioFrontend: ...

    def look(self, pixels: Array) -> Array:
        """A picture [1, 3, side, side], normalised -> vectors [n, width]. Raises BadInput where
        the model cannot see."""
        ...

    def token_cache(self) -> TokenCache: ...

    def speech_cache(self) -> SpeechCache | None:
        """None where there is no voice."""
        ...

    def acoustics(self, codes: npt.NDArray[np.int64]) -> Array:
        """Codes [1, LEFT + n + RIGHT] -> features [1, n * FRAMES_PER_CODE, FEATURES]."""
        ...
