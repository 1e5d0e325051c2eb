"""SmolLM2-135M-Instruct out of its GGUF file: configuration, tokenizer, and tensors by the names
that models.vita.language_model gives them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from models.smollm.gguf import Array, BadWeights, GgufFile
from models.vita.config import LanguageModelConfig

_CONTROL = 3  # the token type of special tokens
_LAYER_NAMES = {
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}  # fmt: skip
TABLE = "token_embd.weight"  # both the embeddings and, tied, the output head


def configuration(file: GgufFile) -> LanguageModelConfig:
    """Raises BadWeights for another architecture than Llama's."""
    if file.metadata.get("general.architecture") != "llama":
        raise BadWeights(f"{file.path.name}: not of the Llama form")
    return LanguageModelConfig(
        vocabulary=len(_entry(file, "tokenizer.ggml.tokens")),
        width=_entry(file, "llama.embedding_length"),
        layers=_entry(file, "llama.block_count"),
        heads=_entry(file, "llama.attention.head_count"),
        key_value_heads=_entry(file, "llama.attention.head_count_kv"),
        feed_forward=_entry(file, "llama.feed_forward_length"),
        rotary_base=_entry(file, "llama.rope.freq_base"),
        norm_epsilon=_entry(file, "llama.attention.layer_norm_rms_epsilon"),
        attention_bias=False,
        tied="output.weight" not in file.names,
    )


def tokenizer(file: GgufFile) -> Tokenizer:
    """Byte pairs as GPT-2 has them; each digit is a token of its own (the form "smollm")."""
    form = _entry(file, "tokenizer.ggml.model"), _entry(file, "tokenizer.ggml.pre")
    if form != ("gpt2", "smollm"):
        raise BadWeights(f"{file.path.name}: a tokenizer of another form")
    words: list[str] = _entry(file, "tokenizer.ggml.tokens")
    pairs = [tuple(line.split(" ", 1)) for line in _entry(file, "tokenizer.ggml.merges")]
    made = Tokenizer(models.BPE({word: i for i, word in enumerate(words)}, pairs))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True),
         pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )  # fmt: skip
    made.decoder = decoders.ByteLevel()
    kinds = _entry(file, "tokenizer.ggml.token_type")
    made.add_special_tokens(
        [AddedToken(w, special=True) for w, k in zip(words, kinds, strict=True) if k == _CONTROL]
    )
    return made


def tensors(file: GgufFile, config: LanguageModelConfig) -> Iterator[tuple[str, Array]]:
    """Each tensor's name and values, one at a time; the tied head is not repeated."""
    yield "model.embed_tokens.weight", file.floats(TABLE)
    yield "model.norm.weight", file.floats("output_norm.weight")
    for layer in range(config.layers):
        for name, values in layer_tensors(file, config, layer):
            yield f"model.layers.{layer}.{name}", values


def layer_tensors(
    file: GgufFile, config: LanguageModelConfig, layer: int
) -> Iterator[tuple[str, Array]]:
    """The tensors of one layer, by their names in it."""
    heads = {"attn_q": config.heads, "attn_k": config.key_value_heads}
    for stored, name in _LAYER_NAMES.items():
        values = file.floats(f"blk.{layer}.{stored}.weight")
        if stored in heads:
            values = _half_split(values, heads[stored])
        yield f"{name}.weight", values


def _entry(file: GgufFile, name: str) -> Any:
    if name not in file.metadata:
        raise BadWeights(f"{file.path.name}: {name} is missing")
    return file.metadata[name]


def _half_split(rows: Array, heads: int) -> Array:
    """GGUF keeps the rows of queries and keys for rotation in neighbouring pairs; ours rotates the
    first half against the second."""
    out, inner = rows.shape
    paired = rows.reshape(heads, out // heads // 2, 2, inner)
    return np.ascontiguousarray(paired.swapaxes(1, 2)).reshape(out, inner)
