"""A VITA-1.5 of real or tiny size with random weights; nothing is downloaded.

Its head knows only the words below, so that an answer is made of words that can be spoken, and no
end: an answer is as long as the trial asks for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import nn

from models.engines.kv_cache import DEFAULT_SLOTS, ThreadSlots
from models.engines.speech_batcher import SpeechBatchers
from models.engines.vita_model import VitaWeights
from models.vita.checkpoint import dtype_of
from models.vita.config import (
    AdapterConfig,
    AudioEncoderConfig,
    CodecConfig,
    LanguageModelConfig,
    SpeechDecoderConfig,
    VisionConfig,
    VitaConfig,
)
from models.vita.network import Vita
from models.vita.prompt import VITA_15, VitaPrompt
from models.vita.system_prompts import SystemPrompts

Size = Literal["real", "wide", "tiny"]  # wide: one layer of each
WORDS = "the quick brown fox jumps over a lazy dog and runs along many green hills today".split()
CAPACITY = 4_096
DEVIATION = 0.02
_SEED = 1


def random_weights(
    size: Size, device: str, capacity: int = CAPACITY, slots: int = DEFAULT_SLOTS
) -> VitaWeights:
    """In the precisions in which a checkpoint is served: bfloat16 with its exceptions on CUDA,
    float32 on the CPU (at size "wide" as on CUDA). Made in place: nothing is in memory twice."""
    words = tokenizer()
    prompt = VitaPrompt(words, VITA_15, SystemPrompts(*(" ".join(["", *WORDS] * 5),) * 3))
    config = _config(size, prompt, words.get_vocab_size())
    is_half = device.startswith("cuda") or size == "wide"
    dtype = torch.bfloat16 if is_half else torch.float32
    with torch.device("meta"):
        model = _in_precision(Vita(config), dtype)
    model.to_empty(device=device)
    torch.manual_seed(_SEED)
    with torch.no_grad():
        _draw(model)
        _teach(model, words)
    model.eval().requires_grad_(False)
    return VitaWeights(
        model=model,
        prompt=prompt,
        device=torch.device(device),
        capacity=min(capacity, config.language.positions),
        licence="random weights",
        rooms=SpeechBatchers(slots),
        slots=ThreadSlots(slots),
    )


def _in_precision(model: Vita, dtype: torch.dtype) -> Vita:
    for name, tensor in model.state_dict(keep_vars=True).items():
        tensor.data = tensor.data.to(dtype_of(name, dtype))
    return model


def tokenizer() -> Tokenizer:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=list(VITA_15.ends),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator([" " + " ".join(WORDS)] * 4, trainer)
    made.add_tokens(list(VITA_15.states))
    return made


def _config(size: Size, prompt: VitaPrompt, vocabulary: int) -> VitaConfig:
    if size == "tiny":
        return _tiny(prompt, vocabulary)
    real = _real(prompt)
    if size == "real":
        return real
    assert real.vision is not None and real.speech is not None
    return replace(
        real,
        audio=replace(real.audio, layers=1, subsampling_channels=32),  # half a CPU's time
        language=replace(real.language, layers=1, vocabulary=vocabulary),
        vision=replace(real.vision, layers=1),
        speech=replace(real.speech, layers=1, pre_layers=1, max_codes=120),
    )


def _real(prompt: VitaPrompt) -> VitaConfig:
    """The released sizes are the defaults."""
    return VitaConfig(
        audio=AudioEncoderConfig(),
        adapter=AdapterConfig(),
        language=LanguageModelConfig(),
        states=prompt.states,
        template="vita-1.5",
        vision=VisionConfig(),
        speech=SpeechDecoderConfig(),
        codec=CodecConfig(),
    )


def _tiny(prompt: VitaPrompt, vocabulary: int) -> VitaConfig:
    return VitaConfig(
        audio=AudioEncoderConfig(width=32, layers=2, heads=4, feed_forward=64),
        adapter=AdapterConfig(width=64),
        language=LanguageModelConfig(
            vocabulary=vocabulary, width=64, layers=2, heads=2, key_value_heads=1, feed_forward=96,
            positions=8_192,  # heads of 32: vLLM on a CPU takes no narrower ones
        ),
        states=prompt.states,
        template="vita-1.5",
        vision=VisionConfig(width=64, layers=1, heads=1, feed_forward=64, image=56),
        speech=SpeechDecoderConfig(
            width=32, layers=2, heads=4, feed_forward=64, codes=64, max_codes=120),
        codec=CodecConfig(
            codes=64, code_width=32, initial_width=32, global_width=8, global_codes=(1,) * 8),
    )  # fmt: skip


def _draw(model: Vita) -> None:
    for name, tensor in model.state_dict().items():
        if name.endswith(("global_cmvn.mean", "bias")):
            tensor.zero_()
        elif "norm" in name or name.endswith((".istd", ".bn2.weight", "embed.1.weight")):
            tensor.fill_(1.0)
        else:
            tensor.normal_(std=DEVIATION)


def _teach(model: Vita, words: Tokenizer) -> None:
    """Zero rows of the head lose against the few that are drawn; the end of speech never comes."""
    head: nn.Linear = model.language.lm_head
    kept = [words.encode(f" {word}", add_special_tokens=False).ids[0] for word in WORDS]
    rows = head.weight[kept].clone()
    head.weight.zero_()
    head.weight[kept] = rows
    if model.speech is not None:
        model.speech.out_fnn.bias[model.speech.config.codes :] = -100.0
    if model.codec is not None:  # loud enough to count as sound
        model.codec.generator.conv_post.get_parameter("bias").fill_(0.5)
