"""tests: lines as values: what they hold, what follows what, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from models.base import OutOfRoom
from models.engines.prompt import FEATURE_TOKENS, PLACEHOLDER, Feature, Prompt, digest, features_of
from models.engines.vllm.folder import language_key
from models.engines.vllm.input_validator import CPU_HEADS, InputRefused, InputValidator, check_model
from models.vita.config import LanguageModelConfig
from models.vita.tensor_files import CheckpointRefused

WIDTH = 4


def feature(seed: int, count: int = 3) -> Feature:
    vectors = np.random.default_rng(seed).standard_normal((count, WIDTH)).astype(np.float32)
    return Feature.of("audio", vectors)


def test_a_line_knows_its_places() -> None:
    line = Prompt().plus([5, 6], feature(1), [], [7])
    assert line.length == 6
    assert line.ids == [5, 6, PLACEHOLDER, PLACEHOLDER, PLACEHOLDER, 7]
    assert [(place, len(each)) for place, each in line.features] == [(2, 3)]
    assert len(line.pieces) == 3


def test_what_follows_a_line() -> None:
    start = Prompt().plus([5, 6], feature(1))
    longer = start.plus(feature(2), [8])
    news = longer.after(start)
    assert news is not None
    assert (news.length, news.ids) == (4, [PLACEHOLDER] * 3 + [8])
    assert start.after(longer) is None
    assert Prompt().plus([5, 6], feature(3)).after(start) is None
    same = Prompt().plus([5, 6], feature(1))  # made anew from the same numbers
    assert longer.after(same) is not None
    assert longer.shared(start.plus(feature(9))) == 5


def test_what_two_prompts_share_is_counted_in_tokens() -> None:
    start = Prompt().plus([5, 6], feature(1))
    said = start.plus([7, 8, 9])
    assert start.plus([7, 8]).shared(said) == said.shared(start.plus([7, 8])) == 7
    assert start.plus([7, 4, 9]).shared(said) == 6
    assert start.plus(feature(2)).shared(said) == 5
    assert said.shared(said) == said.length == 8


@pytest.mark.parametrize("count", range(9))
def test_what_stands_behind_a_place(count: int) -> None:
    line = Prompt().plus([5, 6], feature(1), [7, 8, 9])
    rest = Prompt().plus(*line.behind(count))
    assert rest.ids == line.ids[count:]
    whole = np.concatenate([each.vectors for _, each in line.features])
    kept = [each.vectors for _, each in rest.features]
    assert np.array_equal(np.concatenate([whole[:0], *kept]), whole[max(0, count - 2) :])


def test_features_made_from_a_source_are_named_after_it() -> None:
    """So that a whole segment's vectors need not be digested, and equal segments are equal."""
    vectors = np.ones((FEATURE_TOKENS + 2, WIDTH), np.float32)
    first, again = (features_of("audio", vectors, "segment") for _ in range(2))
    assert first == again and len(first) == 2 and first[0] != first[1]
    assert first[0] != features_of("image", vectors, "segment")[0]
    assert digest(vectors) == digest(vectors.copy()) != digest(vectors[1:])


def test_the_key_is_of_the_numbers_and_the_sense() -> None:
    vectors = np.ones((2, WIDTH), np.float32)
    assert Feature.of("audio", vectors).key == Feature.of("audio", vectors.copy()).key
    assert Feature.of("audio", vectors).key != Feature.of("image", vectors).key
    assert Feature.of("audio", vectors).key != Feature.of("audio", vectors.reshape(4, 2)).key


def test_long_sound_enters_as_several_features() -> None:
    vectors = np.ones((FEATURE_TOKENS + 1, WIDTH), np.float32)
    assert [len(each) for each in features_of("audio", vectors)] == [FEATURE_TOKENS, 1]


NAN = np.full((2, WIDTH), np.nan, np.float32)


@pytest.mark.parametrize(
    ("vectors", "reason"),
    [
        (np.ones((2, WIDTH + 1), np.float32), "shape"),
        (np.ones(WIDTH, np.float32), "shape"),
        (np.ones((FEATURE_TOKENS + 1, WIDTH), np.float32), "vectors, not 1 to"),
        (np.ones((2, WIDTH), np.float64), "float64"),
        (NAN, "no numbers"),
        (-np.inf * np.ones((2, WIDTH), np.float32), "no numbers"),
    ],
)
def test_features_that_would_kill_an_engine(vectors: np.ndarray, reason: str) -> None:
    validator = InputValidator(capacity=2_000, vocabulary=10, width=WIDTH)
    validator.check(Prompt().plus([1], feature(1)))
    with pytest.raises(InputRefused, match=reason):
        validator.check(Prompt().plus([1], feature(1), Feature.of("audio", vectors)))


@pytest.mark.parametrize("ids", [[10], [-1], [3, 11]])
def test_unknown_tokens_are_refused(ids: list[int]) -> None:
    with pytest.raises(InputRefused, match="token ids"):
        InputValidator(capacity=20, vocabulary=10, width=WIDTH).check(Prompt().plus([1], ids))


def test_too_much_is_refused() -> None:
    validator = InputValidator(capacity=5, vocabulary=10, width=WIDTH)
    validator.check(Prompt().plus([1, 2], feature(1)))
    with pytest.raises(OutOfRoom):
        validator.check(Prompt().plus([1, 2, 3], feature(1)))
    with pytest.raises(OutOfRoom):
        validator.check(Prompt().plus([1, 2], feature(1)), tokens=1)
    with pytest.raises(InputRefused, match="nothing"):
        validator.check(Prompt())


@pytest.mark.parametrize("heads", [1, 2, 4, 8, 16])
def test_a_model_with_heads_that_kill_a_cpu_engine_is_refused(heads: int) -> None:
    language = LanguageModelConfig(width=128, heads=heads, key_value_heads=1)
    check_model(language, is_cpu=False)
    if 128 // heads in CPU_HEADS:
        return check_model(language, is_cpu=True)
    with pytest.raises(
        CheckpointRefused, match=rf"{128 // heads} wide .width 128 / heads {heads};"
    ):
        check_model(language, is_cpu=True)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("language.model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"),
        ("model.layers.3.self_attn.q_proj.bias", "model.layers.3.self_attn.q_proj.bias"),
        ("model.embed_tokens.weight", "model.embed_tokens.weight"),
        ("lm_head.weight", "lm_head.weight"),
        ("model.audio_encoder.enc.0.weight", None),
        ("model.mm_projector.0.weight", None),
        ("tower.gate", None),
    ],
)
def test_which_tensors_are_the_language_models(name: str, key: str | None) -> None:
    assert language_key(name) == key
