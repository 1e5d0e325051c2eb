"""Sizes and choices of every part of a VITA model, from nano to the released checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import ConfigDict, TypeAdapter

FEATURES = 80  # log-mel bins
SUBSAMPLING = 4  # feature frames for one encoder frame
LOOKAHEAD = 3  # feature frames that a chunk needs beyond its own
SECONDS_A_TOKEN = 0.08  # of sound: two encoder frames of 40 ms are one vector
LANGUAGES = ("en", "zh")  # that the released checkpoints and nano were trained on


@dataclass(frozen=True, slots=True)
class AudioEncoderConfig:
    """The convolutional transformer over log-mel frames.

    `chunk` None is full attention; else a query sees its own chunk of that many encoder frames and
    `left_chunks` before it. `position` "unshifted" is VITA's learned bias by absolute key index;
    "rotary" is relative. `letters` > 0 adds a letter head (connectionist temporal classification).
    """

    width: int = 1024
    layers: int = 24
    heads: int = 16
    feed_forward: int = 4096
    subsampling_channels: int = 0  # 0: as wide as the encoder
    chunk: int | None = None
    left_chunks: int = 16
    position: Literal["unshifted", "rotary"] = "unshifted"
    dropout: float = 0.0
    letters: int = 0

    @property
    def channels(self) -> int:
        return self.subsampling_channels or self.width

    @property
    def left(self) -> int:
        """Encoder frames of left context that a streaming step keeps."""
        return (self.chunk or 0) * self.left_chunks

    @property
    def chunk_features(self) -> int:
        """Feature frames that one streaming step takes: its own and the lookahead."""
        return (self.chunk or 0) * SUBSAMPLING + LOOKAHEAD


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """From encoder frames to language-model vectors, two frames to one vector.

    `padding` "right" looks ahead by `kernel - 1` frames (VITA); "left" is causal (nano).
    """

    width: int = 2048
    kernel: int = 5
    stride: int = 2
    padding: Literal["left", "right"] = "right"


@dataclass(frozen=True, slots=True)
class LanguageModelConfig:
    """A Qwen2-form decoder; with `experts` > 0 a Mixtral, of which each token uses `experts_used`.
    `positions` is the longest context."""

    vocabulary: int = 152_064
    width: int = 3584
    layers: int = 28
    heads: int = 28
    key_value_heads: int = 4
    feed_forward: int = 18_944
    norm_epsilon: float = 1e-6
    rotary_base: float = 1e6
    positions: int = 32_768
    tied: bool = False
    attention_bias: bool = True
    experts: int = 0
    experts_used: int = 2
    dropout: float = 0.0


@dataclass(frozen=True, slots=True)
class VisionConfig:
    """InternViT and the two-layer projector behind it.

    `stem` are the widths of convolutions before the patches, each of which halves the image: with
    them a small tower learns from few pictures. InternViT has none.
    """

    width: int = 1024
    layers: int = 24
    heads: int = 16
    feed_forward: int = 4096
    image: int = 448
    patch: int = 14
    norm_epsilon: float = 1e-6
    feature_scale: float = 0.5  # VITA halves the tower's output
    shuffle: int = 2  # patches a side that are folded into one token
    query_key_bias: bool = True
    stem: tuple[int, ...] = ()

    @property
    def grid(self) -> int:
        return self.image // self.patch

    @property
    def tokens(self) -> int:
        return (self.grid // self.shuffle) ** 2

    @property
    def projector_width(self) -> int:
        return self.width * self.shuffle**2


@dataclass(frozen=True, slots=True)
class SpeechDecoderConfig:
    """Text vectors to codec codes. `text_vocabulary` > 0 gives it a text table of its own;
    `aligner` names the (layer, head) whose attention maps every code to a text position."""

    width: int = 896
    layers: int = 4
    pre_layers: int = 2
    heads: int = 14
    feed_forward: int = 4864
    codes: int = 1024
    norm_epsilon: float = 1e-6
    rotary_base: float = 10_000.0
    max_codes: int = 1000
    top_k: int = 2
    text_vocabulary: int = 0
    aligner: tuple[int, int] | None = None
    dropout: float = 0.0

    @property
    def bos(self) -> int:
        return self.codes

    @property
    def start(self) -> int:
        return self.codes + 1

    @property
    def end(self) -> int:
        return self.codes + 2

    @property
    def padding(self) -> int:
        return self.codes + 3


@dataclass(frozen=True, slots=True)
class CodecConfig:
    """TiCodec's decoder. One code becomes the product of `upsample_rates` samples."""

    codes: int = 1024
    code_width: int = 512
    initial_width: int = 512
    upsample_rates: tuple[int, ...] = (8, 5, 5, 3)
    upsample_kernels: tuple[int, ...] = (16, 11, 11, 5)
    block_kernels: tuple[int, ...] = (3, 7, 11)
    block_dilations: tuple[tuple[int, ...], ...] = ((1, 3, 5), (1, 3, 5), (1, 3, 5))
    global_codes: tuple[int, ...] = (473, 975, 419, 219, 565, 121, 550, 616)
    global_width: int = 128  # 0: no speaker vector
    rate: int = 24_000
    context: int = 10  # codes on each side that make a stream equal to the one-shot decode

    @property
    def samples_per_code(self) -> int:
        product = 1
        for rate in self.upsample_rates:
            product *= rate
        return product


@dataclass(frozen=True, slots=True)
class StateTokens:
    """Token ids of the first output token; `unfinished` is nano's own."""

    query: int
    noise: int
    text: int
    unfinished: int | None = None

    @property
    def ids(self) -> tuple[int, ...]:
        known = (self.query, self.noise, self.text)
        return known if self.unfinished is None else (*known, self.unfinished)


@dataclass(frozen=True, slots=True)
class VitaConfig:
    """A whole model. Parts that a checkpoint lacks are None."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    audio: AudioEncoderConfig
    adapter: AdapterConfig
    language: LanguageModelConfig
    states: StateTokens
    template: Literal["nano", "vita-1.5", "vita-1.0"]
    vision: VisionConfig | None = None
    speech: SpeechDecoderConfig | None = None
    codec: CodecConfig | None = None

    def to_json(self) -> str:
        return TypeAdapter(VitaConfig).dump_json(self, indent=1).decode()

    @staticmethod
    def from_json(text: str | bytes) -> VitaConfig:
        """Raises pydantic.ValidationError, naming each wrong field."""
        return TypeAdapter(VitaConfig).validate_json(text)
