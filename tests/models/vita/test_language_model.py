"""The language model: equal to the references, whatever way the tokens are read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
import torch
from transformers import MixtralConfig, MixtralForCausalLM

from models.vita.blocks import additive
from models.vita.cache import GrowingLayer, StaticLayer, flatten_new, growing
from models.vita.config import LanguageModelConfig
from models.vita.language_model import LanguageModel, causal_mask
from tests.models.vita.golden import assert_close, expected, needs_golden, weights

TINY = LanguageModelConfig(
    vocabulary=320, width=48, layers=2, heads=4, key_value_heads=2, feed_forward=96
)


def own_model(config: LanguageModelConfig = TINY) -> LanguageModel:
    torch.manual_seed(3)
    model = LanguageModel(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model.eval().requires_grad_(False)


@needs_golden
def test_logits_and_greedy_tokens_are_those_of_the_reference() -> None:
    wanted = expected("vita15_tiny")
    model = LanguageModel(TINY).eval().requires_grad_(False)
    stored = weights("")
    model.load_state_dict({key: stored[key] for key in model.state_dict()})
    logits = model.logits(model(wanted["e2e.inputs_embeds"]))
    assert_close(logits[:, -1], wanted["e2e.logits_last"])
    assert torch.equal(logits.argmax(-1), wanted["e2e.logits_all_argmax"])
    hidden, past = model.read(wanted["e2e.inputs_embeds"], model.start(), 0)
    ids: list[int] = []
    for _ in range(wanted["e2e.greedy_ids"].shape[1]):
        ids.append(int(model.logits(hidden[:, -1]).argmax()))
        hidden, past = model.read(model.embed(torch.tensor([ids[-1:]])), past, past[0].shape[1])
    assert ids == wanted["e2e.greedy_ids"][0].tolist()


def test_reading_in_parts_equals_reading_at_once() -> None:
    model, vectors = own_model(), torch.randn(1, 23, 48)
    whole = model(vectors)
    past, start = model.start(), 0
    for count in (1, 9, 1, 1, 11):
        part, past = model.read(vectors[:, start : start + count], past, start)
        torch.testing.assert_close(part, whole[:, start : start + count], atol=1e-5, rtol=0)
        start += count


def test_rows_of_a_static_cache_equal_growing_ones() -> None:
    """Three rows of other lengths go on together, a token each."""
    model, capacity, counts = own_model(), 32, (7, 1, 11)
    shape = (len(counts), capacity, TINY.key_value_heads, model.head_width)
    buffers = [(torch.zeros(shape), torch.zeros(shape)) for _ in range(TINY.layers)]
    vectors = torch.randn(len(counts), 12, 48)
    for row, count in enumerate(counts):
        _, past = model.read(vectors[row : row + 1, :count], model.start(), 0)
        for kept, buffer in zip(past, [t for pair in buffers for t in pair], strict=True):
            buffer[row, :count] = kept[0]
    slots = torch.tensor(counts)
    layers = [StaticLayer(keys, values, slots) for keys, values in buffers]
    mask = additive(torch.arange(capacity) <= slots[:, None])[:, None, None]
    following = vectors[torch.arange(len(counts)), slots][:, None]
    together = model(following, slots[:, None], layers, mask)
    for row, count in enumerate(counts):
        alone = model(vectors[row : row + 1, : count + 1])[0, -1]
        torch.testing.assert_close(together[row, 0], alone, atol=1e-5, rtol=0)


def test_growing_layers_give_the_last_logits_and_keep_only_what_is_new() -> None:
    model, vectors = own_model(), torch.randn(1, 6, 48)
    _, past = model.read(vectors[:, :4], model.start(), 0)
    mask = causal_mask(2, 4, vectors.device, vectors.dtype)
    layers: list[GrowingLayer] = growing(past)
    hidden = model(vectors[:, 4:], torch.tensor([4, 5]), layers, mask)
    logits, new = model.logits(hidden[:, -1]), flatten_new(layers)
    torch.testing.assert_close(logits, model.logits(model(vectors)[:, -1]), atol=1e-5, rtol=0)
    assert {tuple(tensor.shape) for tensor in new} == {(1, 2, 2, 12)}
    assert len(new) == 2 * TINY.layers


def test_a_tied_head_is_the_embedding_table() -> None:
    model = LanguageModel(replace(TINY, tied=True))
    assert model.lm_head.weight is model.model.embed_tokens.weight


EXPERTS = LanguageModelConfig(
    vocabulary=64, width=32, layers=2, heads=4, key_value_heads=2, feed_forward=48,
    norm_epsilon=1e-5, attention_bias=False, experts=4,
)  # fmt: skip


def test_a_mixture_of_experts_equals_the_library() -> None:
    """VITA-1.0's language model, read in parts, against the whole of transformers' Mixtral."""
    sizes = MixtralConfig.from_dict(
        {
            "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "num_local_experts": 4,
            "num_experts_per_tok": 2, "rms_norm_eps": 1e-5, "rope_theta": 1e6,
        },
    )  # fmt: skip
    torch.manual_seed(5)
    library = cast(Any, MixtralForCausalLM)(sizes).train(False)
    model = own_model(EXPERTS)
    model.load_state_dict(_released_names(library))
    ids = torch.randint(0, 64, (1, 11))
    wanted = library(ids).logits.detach()
    torch.testing.assert_close(model.logits(model(model.embed(ids))), wanted, atol=1e-4, rtol=0)
    past, start = model.start(), 0
    for count in (1, 6, 1, 3):
        hidden, past = model.read(model.embed(ids[:, start : start + count]), past, start)
        part = wanted[:, start : start + count]
        torch.testing.assert_close(model.logits(hidden), part, atol=1e-4, rtol=0)
        start += count


def test_experts_are_put_in_place_one_by_one() -> None:
    """Released names in, no buffer lost on the meta device, the same numbers out."""
    model = own_model(EXPERTS)
    with torch.device("meta"):
        other = LanguageModel(EXPERTS)
    stored = model.state_dict()
    assert "model.layers.1.block_sparse_moe.experts.3.w2.weight" in stored
    assert set(other.state_dict()) == set(stored)
    for key, tensor in stored.items():
        if key.startswith("model."):
            other.model.take(key.removeprefix("model."), tensor.clone())
    vectors = torch.randn(1, 5, 32)
    torch.testing.assert_close(other.eval()(vectors), model(vectors), atol=0, rtol=0)


def _released_names(library: MixtralForCausalLM) -> dict[str, torch.Tensor]:
    """The library fuses the experts; checkpoints hold w1, w2, w3 of each."""
    names = {}
    for key, tensor in library.state_dict().items():
        stem = key.replace(".mlp.", ".block_sparse_moe.")
        if key.endswith("experts.gate_up_proj"):
            for expert, fused in enumerate(tensor):
                place = stem.replace("gate_up_proj", f"{expert}")
                names[f"{place}.w1.weight"], names[f"{place}.w3.weight"] = fused.detach().chunk(2)
        elif key.endswith("experts.down_proj"):
            for expert, fused in enumerate(tensor):
                names[stem.replace("down_proj", f"{expert}.w2.weight")] = fused
        else:
            names[stem] = tensor
    return names


@pytest.mark.parametrize("kind", ["rotary", "norm"])
def test_low_precision_stays_near(kind: str) -> None:
    model, vectors = own_model(), torch.randn(1, 5, 48)
    wanted = model(vectors)
    found = model.to(torch.bfloat16)(vectors.to(torch.bfloat16))
    assert found.dtype == torch.bfloat16, kind
    torch.testing.assert_close(found.float(), wanted, atol=0.3, rtol=0.1)
