"""The folder of an embedded model, read once; every instance shares what is here.

config.json           BundleConfig: the VitaConfig, and what the folder adds
tokenizer.json        of the language model
listening.onnx        features and caches -> vectors, letter scores, caches
language.onnx         vectors after a cache that is written in place -> logits
vision.onnx           a picture -> vectors; only where the model can see
embeddings.npy        [vocabulary, width], what a token is to the language model
speech_prefill.onnx   letters -> the speech decoder's first keys and values
speech_step.onnx      a code after a cache that is written in place -> logits, alignment
codec.onnx            codes -> acoustic features
pinyin.onnx           the recogniser's frames -> letter scores of Chinese; may be missing
pinyin_adapter.onnx   these letters -> vectors; as the former
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from pydantic import ConfigDict, TypeAdapter, ValidationError

from models.base import BadInput
from models.engines.language import LanguageCache
from models.engines.onnx_audio import OnnxAudioFrontend
from models.engines.onnx_speech import OnnxSpeechCache
from models.engines.pinyin_speller import PinyinSpeller
from models.engines.segment_words import Recogniser
from models.moonshine import MoonshineUnavailable
from models.moonshine import load as load_moonshine
from models.vita.config import VitaConfig
from models.vita.nano_prompt import NanoPrompt

logger = logging.getLogger(__name__)

FORMAT = 1
CONFIG, TOKENIZER, TABLE = "config.json", "tokenizer.json", "embeddings.npy"
LISTENING, LANGUAGE, VISION = "listening.onnx", "language.onnx", "vision.onnx"
BLIND = "this model cannot see: its checkpoint has no vision encoder"
SPELLING, SPELLING_ADAPTER = "pinyin.onnx", "pinyin_adapter.onnx"
SPEECH_PREFILL, SPEECH_STEP, CODEC = "speech_prefill.onnx", "speech_step.onnx", "codec.onnx"


class BadBundle(ValueError):
    """A model folder that cannot be opened; says which file and why."""


@dataclass(frozen=True, slots=True)
class BundleConfig:
    """What config.json says. `capacity`: tokens of one stream; `spoken_letters`, `spoken_codes`:
    the most of one spoken chunk; `reads_words`: the language model learned to read a recogniser's
    words behind the sound."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    model: VitaConfig
    format: int = FORMAT
    name: str = "nano"
    capacity: int = 1024
    spoken_letters: int = 256
    spoken_codes: int = 768
    reads_words: bool = False

    def to_json(self) -> str:
        return TypeAdapter(BundleConfig).dump_json(self, indent=1).decode()

    @staticmethod
    def from_json(text: str | bytes) -> BundleConfig:
        """Raises BadBundle, naming each wrong field."""
        try:
            config = TypeAdapter(BundleConfig).validate_json(text)
        except ValidationError as error:
            raise BadBundle(f"{CONFIG}: {error}") from error
        if config.format != FORMAT:
            raise BadBundle(f"{CONFIG}: format {config.format}, not {FORMAT}")
        return config


@dataclass(frozen=True, slots=True)
class VoiceNetworks:
    """From letters to acoustic features."""

    prefill: onnxruntime.InferenceSession
    step: onnxruntime.InferenceSession
    codec: onnxruntime.InferenceSession


@dataclass(frozen=True, slots=True)
class Bundle:
    """The one copy of the weights, as models.engines.networks.Networks. Sessions may be run from
    any number of threads."""

    config: BundleConfig
    prompt: NanoPrompt
    table: npt.NDArray[np.float32]  # [vocabulary, width]
    listening: onnxruntime.InferenceSession
    language: onnxruntime.InferenceSession
    vision: onnxruntime.InferenceSession | None
    voice: VoiceNetworks | None
    recogniser: Recogniser | None = None
    speller: PinyinSpeller | None = None

    @property
    def model(self) -> VitaConfig:
        return self.config.model

    @property
    def speaks(self) -> bool:
        return self.voice is not None

    def audio_frontend(self) -> OnnxAudioFrontend:
        return OnnxAudioFrontend(self.listening, self.model)

    def look(self, pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Raises BadInput where the model cannot see."""
        if self.vision is None:
            raise BadInput(BLIND)
        vectors: npt.NDArray[np.float32] = self.vision.run(None, {"pixels": pixels})[0][0]
        return vectors

    def token_cache(self) -> LanguageCache:
        return LanguageCache(self.language, self.model.language, self.config.capacity)

    def speech_cache(self) -> OnnxSpeechCache | None:
        speech, voice, config = self.model.speech, self.voice, self.config
        if voice is None or speech is None:
            return None
        most = config.spoken_letters, config.spoken_codes
        return OnnxSpeechCache(voice.prefill, voice.step, speech, *most)

    def acoustics(self, codes: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Raises ValueError where the model cannot speak."""
        if self.voice is None:
            raise ValueError("this model has no voice")
        features: npt.NDArray[np.float32] = self.voice.codec.run(None, {"codes": codes})[0]
        return features

    def by_sound_alone(self) -> Bundle:
        """The same networks for one who has the words from elsewhere: none are recognised here."""
        return replace(
            self, recogniser=None, speller=None, config=replace(self.config, reads_words=False)
        )

    @staticmethod
    def read(folder: Path) -> Bundle:
        """Raises BadBundle."""
        config = BundleConfig.from_json(_bytes(folder / CONFIG))
        spoken = (folder / SPEECH_STEP).exists()
        return Bundle(
            config=config,
            prompt=_prompt(folder / TOKENIZER, config.capacity),
            table=_table(folder / TABLE),
            listening=_session(folder / LISTENING),
            language=_session(folder / LANGUAGE),
            vision=_session(folder / VISION) if config.model.vision else None,
            voice=_voice(folder) if spoken else None,
            recogniser=recogniser_for(config),
            speller=speller_in(folder),
        )


def recogniser_for(config: BundleConfig) -> Recogniser | None:
    """Moonshine, for a model that reads its words; where it is not installed one line says so, and
    the model hears with its own encoder alone."""
    if not config.reads_words:
        return None
    try:
        return load_moonshine()
    except MoonshineUnavailable as reason:
        logger.warning("English is heard by %s's own encoder alone: %s", config.name, reason)
        return None


def speller_in(folder: Path) -> PinyinSpeller | None:
    """None where the folder has none. Raises BadBundle."""
    if not (folder / SPELLING).exists():
        return None
    return PinyinSpeller(_session(folder / SPELLING), _session(folder / SPELLING_ADAPTER))


def _prompt(path: Path, capacity: int) -> NanoPrompt:
    _bytes(path)
    try:
        return NanoPrompt.read(path, capacity)
    except Exception as error:  # the tokenizers' own errors have no common base
        raise BadBundle(f"{path.name}: {error}") from error


def _table(path: Path) -> npt.NDArray[np.float32]:
    try:
        table: npt.NDArray[np.float32] = np.load(path).astype(np.float32)
    except (OSError, ValueError) as error:
        raise BadBundle(f"{path.name}: {error}") from error
    return table


def _voice(folder: Path) -> VoiceNetworks:
    names = SPEECH_PREFILL, SPEECH_STEP, CODEC
    return VoiceNetworks(*(_session(folder / name) for name in names))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadBundle(f"{path.name}: {error.strerror}") from error


def _session(path: Path) -> onnxruntime.InferenceSession:
    """One thread and no spinning: the instance's own thread does the work."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(
            _bytes(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's own errors have no common base
        raise BadBundle(f"{path.name}: {error}") from error
