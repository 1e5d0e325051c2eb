"""tests: one tiny model with random weights, exported once, and the engines that can be built."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from models.engines.bundle import Bundle, BundleConfig
from models.engines.nano_torch import TorchNetworks
from models.training.export import Parts, export_exact, quantise
from models.vita.adapter import AudioTower
from models.vita.blocks import initialise
from models.vita.config import (
    AdapterConfig,
    AudioEncoderConfig,
    LanguageModelConfig,
    SpeechDecoderConfig,
    StateTokens,
    VisionConfig,
    VitaConfig,
)
from models.vita.language_model import LanguageModel
from models.vita.letters import LETTERS
from models.vita.nano_codec import NanoCodec
from models.vita.nano_prompt import SPECIAL, NanoPrompt
from models.vita.speech_decoder import SpeechDecoder
from models.vita.vision import VisionEncoder
from tests.models.vita.released_folder import write_released

WORDS = "hello there what is the capital of france it is paris set timer minutes one two three"
DEVIATION = 0.2  # large, so that the outputs of random weights differ clearly


def tiny_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=128,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted({*WORDS.replace(" ", "Ġ")}),
        show_progress=False,
    )
    tokenizer.train_from_iterator([WORDS], trainer)
    return tokenizer


def tiny_config(tokenizer: Tokenizer) -> VitaConfig:
    return VitaConfig(
        audio=AudioEncoderConfig(
            width=32,
            layers=2,
            heads=2,
            feed_forward=64,
            subsampling_channels=8,
            chunk=4,
            left_chunks=4,
            position="rotary",
            letters=29,
        ),
        adapter=AdapterConfig(width=32, padding="left"),
        language=LanguageModelConfig(
            vocabulary=tokenizer.get_vocab_size(),
            width=64,
            layers=2,
            heads=2,
            key_value_heads=2,
            feed_forward=128,
            positions=512,
            tied=True,
        ),
        speech=SpeechDecoderConfig(
            width=64,
            layers=2,
            pre_layers=1,
            heads=2,
            feed_forward=128,
            text_vocabulary=len(LETTERS),
            aligner=(1, 0),
        ),
        states=StateTokens(*NanoPrompt(tokenizer).states),
        template="nano",
        vision=VisionConfig(
            width=32, layers=1, heads=2, feed_forward=64, image=32, patch=8, stem=(8, 16)
        ),
    )


def tiny_parts() -> Parts:
    """Random weights, the same on every machine."""
    tokenizer = tiny_tokenizer()
    config = tiny_config(tokenizer)
    assert config.speech is not None and config.vision is not None
    torch.manual_seed(7)
    parts = Parts(
        config=BundleConfig(model=config, name="tiny", capacity=256),
        tower=AudioTower(config.audio, config.adapter, config.language.width),
        language=LanguageModel(config.language),
        tokenizer=tokenizer.to_str(),
        speech=SpeechDecoder(config.speech),
        codec=NanoCodec().decoder,
        eyes=VisionEncoder(config.vision, config.language.width).eval().requires_grad_(False),
    )
    for module in (parts.tower, parts.language, parts.speech):
        assert module is not None
        torch.manual_seed(7)  # whatever the others' sizes are
        initialise(module.eval(), DEVIATION)
    return parts


def torch_networks(parts: Parts) -> TorchNetworks:
    """The tiny model as torch computes it."""
    return TorchNetworks(
        config=parts.config,
        prompt=NanoPrompt(Tokenizer.from_str(parts.tokenizer)),
        table=parts.language.model.embed_tokens.weight.detach().numpy(),
        tower=parts.tower,
        language=parts.language,
        eyes=parts.eyes,
        speech=parts.speech,
        codec=parts.codec,
    )


@pytest.fixture(scope="session")
def parts() -> Parts:
    return tiny_parts()


@pytest.fixture(scope="session")
def exact_folder(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model, exported without loss."""
    return export_exact(parts, tmp_path_factory.mktemp("exact"))


@pytest.fixture(scope="session")
def folder(exact_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with weights of 8 bits."""
    return quantise(exact_folder, tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint in VITA-1.5's released layout."""
    return write_released(tmp_path_factory.mktemp("released") / "VITA-1.5")


@pytest.fixture(scope="session")
def bundle(folder: Path) -> Bundle:
    return Bundle.read(folder)
