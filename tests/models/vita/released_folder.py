"""Writes tiny checkpoints in the released layouts, with words of our own in them.

The language model is a chain: its blocks add next to nothing, and the head maps each token's vector
to the next token of a fixed sentence. So a tiny random network gives a known answer, and all
that lies between folder and loudspeaker is the real code.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor

from models.vita.config import (
    AdapterConfig,
    AudioEncoderConfig,
    CodecConfig,
    LanguageModelConfig,
    SpeechDecoderConfig,
    StateTokens,
    VisionConfig,
    VitaConfig,
)
from models.vita.network import Vita
from models.vita.prompt import TEMPLATES, Template
from models.vita.system_prompts import trained_prompts

ANSWER = "Hello there, this tiny model can say only what stands here."
SENTENCES = (
    ANSWER,
    trained_prompts().sound,
    trained_prompts().image,
    trained_prompts().video,
    "what is the capital of France",
    "user assistant system",
    "☞☟☜",
    "<1><2><3>",
)
WORD, CODES, SEED = 64, 32, 5
GAIN = 0.7  # how sure the chain is of the next token
LOUDNESS = 20.0


def tokenizer(template: Template, answer: str = ANSWER) -> Tokenizer:
    """A byte-level tokenizer that knows the template's markup and has a token for each word."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=520,
        special_tokens=["<s>", *template.ends],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator([*SENTENCES, answer] * 4, trainer)
    if template is TEMPLATES["vita-1.5"]:
        made.add_tokens(list(template.states))
    return made


def config(kind: str, vocabulary: int) -> VitaConfig:
    sparse = kind == "vita-1.0"
    return VitaConfig(
        audio=AudioEncoderConfig(width=32, layers=2, heads=4, feed_forward=64),
        adapter=AdapterConfig(width=64),
        language=LanguageModelConfig(
            vocabulary=vocabulary, width=WORD, layers=2, heads=4, key_value_heads=2,
            feed_forward=48, positions=1024, attention_bias=not sparse, experts=4 if sparse else 0,
        ),
        states=StateTokens(0, 1, 2),
        template="vita-1.0" if sparse else "vita-1.5",
        vision=VisionConfig(width=64, layers=1, heads=1, feed_forward=64, image=56),
        speech=None if sparse else SpeechDecoderConfig(
            width=32, layers=2, heads=4, feed_forward=64, codes=CODES, max_codes=24),
        codec=None if sparse else CodecConfig(
            codes=CODES, code_width=32, initial_width=32, global_width=8,
            global_codes=(1, 2, 3, 4, 5, 6, 7, 8)),
    )  # fmt: skip


def network(kind: str, words: Tokenizer, answer: str = ANSWER) -> Vita:
    """Seeded weights; `answer` is chained behind the assistant's opening."""
    torch.manual_seed(SEED)
    model = Vita(config(kind, words.get_vocab_size()))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1 and not name.startswith("codec"):
                torch.nn.init.normal_(parameter, std=0.02)
        _chain(model, words, TEMPLATES[kind], answer)
        if model.codec is not None:
            model.codec.generator.conv_post.weight.mul_(LOUDNESS)
    return model.eval().requires_grad_(False)


def _chain(model: Vita, words: Tokenizer, template: Template, answer: str) -> None:
    language = model.language
    table = torch.nn.functional.normalize(torch.randn(language.config.vocabulary, WORD))
    language.model.embed_tokens.weight.copy_(table)
    language.model.norm.weight.fill_(1.0)
    language.lm_head.weight.mul_(0.1)
    opened = _ids(words, template.user[1] + template.assistant[0])[-2:]
    spoken = [*_ids(words, template.states[0] + answer), _ids(words, template.ends[0])[0]]
    if len({opened[-1], *spoken}) <= len(spoken):
        raise ValueError("every token of the answer must be another one")
    for last, following in zip([opened[-1], *spoken], spoken, strict=False):
        language.lm_head.weight[following] += GAIN * table[last]
    state = len(_ids(words, template.states[0]))
    typed = _ids(words, template.states[2])[-1]
    if typed not in spoken:  # VITA-1.0's three states may end alike
        language.lm_head.weight[spoken[state]] += GAIN * table[typed]


def _ids(words: Tokenizer, text: str) -> list[int]:
    ids: list[int] = words.encode(text, add_special_tokens=False).ids
    return ids


# ------------------------------------------------------------------------------- the folder


def write_released(folder: Path, kind: str = "vita-1.5", answer: str = ANSWER) -> Path:
    """A whole folder in the released layout; `kind` is vita-1.5 or vita-1.0. Gives `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    words = tokenizer(TEMPLATES[kind], answer)
    model = network(kind, words, answer)
    words.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps(_described(model.config)))
    _write_shards(folder, _released_names(model))
    if model.speech is not None and model.codec is not None:
        _write_speech(folder / "vita_tts_ckpt", model)
    return folder


def _described(config: VitaConfig) -> dict[str, Any]:
    language = config.language
    described: dict[str, Any] = {
        "model_type": "vita-mixtral" if language.experts else "vita-Qwen2",
        "vocab_size": language.vocabulary,
        "hidden_size": language.width,
        "num_hidden_layers": language.layers,
        "num_attention_heads": language.heads,
        "num_key_value_heads": language.key_value_heads,
        "intermediate_size": language.feed_forward,
        "rms_norm_eps": language.norm_epsilon,
        "rope_theta": language.rotary_base,
        "max_position_embeddings": language.positions,
        "tie_word_embeddings": False,
        "mm_audio_encoder": "VITA-MLLM/VITA-1.5_AudioEnc",
        "mm_vision_tower": "OpenGVLab/InternViT-300M-448px",
    }
    if language.experts:
        described["num_local_experts"] = language.experts
        described["num_experts_per_tok"] = language.experts_used
    return described


def _released_names(model: Vita) -> dict[str, Tensor]:
    prefixes = (
        ("audio.", "model.audio_encoder."),
        ("vision.", "model.vision_tower.vision_tower."),
        ("projector.", "model.mm_projector."),
        ("language.", ""),
    )
    return {
        theirs + key[len(ours) :]: tensor.contiguous()
        for key, tensor in model.state_dict().items()
        for ours, theirs in prefixes
        if key.startswith(ours)
    }


def _write_shards(folder: Path, tensors: dict[str, Tensor]) -> None:
    keys = sorted(tensors)
    halves: Sequence[list[str]] = (keys[: len(keys) // 2], keys[len(keys) // 2 :])
    mapping: dict[str, str] = {}
    for number, half in enumerate(halves, start=1):
        name = f"model-0000{number}-of-00002.safetensors"
        save_file({key: tensors[key] for key in half}, folder / name)
        mapping |= dict.fromkeys(half, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": mapping}))


def _write_speech(folder: Path, model: Vita) -> None:
    assert model.speech is not None
    assert model.codec is not None
    speech, codec = model.speech.config, model.codec.config
    for name in ("decoder", "codec"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    options = {"transformer_attention_heads": speech.heads, "odim": speech.codes}
    described = [speech.width, speech.codes, options]
    (folder / "decoder" / "model.json").write_text(json.dumps(described))
    torch.save({"model": model.speech.state_dict()}, folder / "decoder" / "final.pt")
    (folder / "codec" / "model.json").write_text(json.dumps(_codec_described(codec)))
    generator = _with_weight_norm(model.codec.generator.state_dict())
    parts = {"generator": generator, "quantizer": model.codec.quantizer.state_dict()}
    torch.save(parts, folder / "codec" / "final.pt")


def _codec_described(codec: CodecConfig) -> dict[str, Any]:
    return {
        "n_codes": codec.codes,
        "upsample_initial_channel": codec.initial_width,
        "upsample_rates": codec.upsample_rates,
        "upsample_kernel_sizes": codec.upsample_kernels,
        "resblock_kernel_sizes": codec.block_kernels,
        "resblock_dilation_sizes": codec.block_dilations,
        "global_tokens": codec.global_codes,
        "global_feature_conv": [128, 64, codec.global_width, 3, 1],
        "sampling_rate": codec.rate,
    }


def _with_weight_norm(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    split = {}
    for key, tensor in tensors.items():
        if not key.endswith("weight"):
            split[key] = tensor
            continue
        norm = tensor.flatten(1).norm(dim=1)
        split[f"{key}_g"] = norm.view(-1, *[1] * (tensor.dim() - 1))
        split[f"{key}_v"] = tensor * 3.0  # the direction counts, not the length
    return split
