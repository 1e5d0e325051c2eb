"""Conversations about pictures: what is drawn, asked, written into sequences and put in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch

from models.training.drawing import PAINT, draw
from models.training.instruction import Tuning
from models.training.listener import EYES, Listener, nano_config
from models.training.material import WrittenMaterial
from models.training.scoring import answered
from models.training.sequences import NOTHING, Sequence, Writer
from models.training.sight import Album, Looking, page_of, pixels_of
from models.training.skills import images
from models.training.skills.scene import COLOURS, SHAPES, PictureScene
from models.vita.nano_prompt import NanoPrompt
from models.vita.vision import VisionEncoder

TOKENIZER = Path(__file__).parents[3] / "models" / "nano" / "tokenizer.json"
STAR = PictureScene("star", "red", 3, seed=5)
SEVEN = PictureScene("", "blue", digit=7, seed=9)


@pytest.fixture(scope="module")
def prompt() -> NanoPrompt:
    return NanoPrompt.read(TOKENIZER)


def test_the_same_scene_is_the_same_picture() -> None:
    assert np.array_equal(draw(STAR).pixels, draw(STAR).pixels)
    other = draw(PictureScene("star", "red", 3, seed=6))
    assert (
        draw(STAR).pixels.shape != other.pixels.shape or (draw(STAR).pixels != other.pixels).any()
    )


@pytest.mark.parametrize("colour", COLOURS)
def test_inside_the_outlines_is_paint_and_outside_is_none(colour: str) -> None:
    paint = np.array(PAINT[colour])
    for seed in range(12):
        drawing = draw(PictureScene("square", colour, 2, seed=seed))
        distance = np.abs(drawing.pixels.astype(int) - paint).sum(-1)
        inside = np.median(distance[drawing.mask > 250])
        assert inside < 0.7 * np.median(distance[drawing.mask == 0])


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_as_many_shapes_as_asked_for(count: int) -> None:
    for seed, shape in enumerate(SHAPES):
        page = page_of(PictureScene(shape, "green", count, seed=seed), 64, 8)
        assert page.middles.sum() == count
        assert set(np.unique(page.parts)) == {0, 1 + SHAPES.index(shape)}


def test_pictures_kept_back_are_never_trained_on() -> None:
    random = Random(3)
    train = {images.scene(random).seed for _ in range(300)}
    held_out = {images.scene(random, held_out=True).seed for _ in range(300)}
    assert max(train) < min(held_out)


@pytest.mark.parametrize(
    ("seen", "held_out"), [(STAR, False), (STAR, True), (SEVEN, False), (SEVEN, True)]
)
def test_every_answer_is_right_by_its_own_rule(seen: PictureScene, held_out: bool) -> None:
    random = Random(1)
    for chinese in (False, True):
        for _ in range(40):
            exchange = images.about(seen, random, held_out, chinese)
            assert answered(exchange, exchange.answer), exchange
            assert not answered(exchange, images.BLIND)
            assert exchange.scenes == (seen,)


def test_a_spoken_question_finds_a_picture_that_fits() -> None:
    for question in images.spoken_questions():
        exchange = images.fitting(question, Random(2))
        assert exchange.question == question
        assert "star" not in question or exchange.scenes[0].shape == "star"


def written(prompt: NanoPrompt, draw_from: Callable[[], Sequence], wanted: int) -> Sequence:
    return next(made for made in (draw_from() for _ in range(400)) if len(made.shown) == wanted)


def test_vectors_follow_the_image_token(prompt: NanoPrompt) -> None:
    sequence = Sequence()
    exchange = images.about(STAR, Random(0))
    Writer(prompt, 0).exchange(sequence, exchange, None)
    place = sequence.shown[0]
    assert sequence.ids[:place] == [prompt.ids["<user>"], prompt.ids["<image>"]]
    assert set(sequence.targets[: place + EYES.tokens]) == {NOTHING}
    said = prompt.decode([token for token in sequence.targets if token > 15])
    assert said == exchange.answer


def test_blind_listeners_learn_without_pictures(prompt: NanoPrompt) -> None:
    material = WrittenMaterial(prompt, 0)
    assert not any(material().pictures for _ in range(60))


def test_what_is_seen_changes_what_is_predicted(prompt: NanoPrompt) -> None:
    """The vectors stand where the sequence has its places, each picture at its own."""
    torch.manual_seed(0)
    listener = Listener(nano_config()).to(torch.bfloat16)
    tuning = Tuning(listener, WrittenMaterial(prompt, 1, pictures=1.0), "cpu")
    assert listener.eyes is not None
    two = written(prompt, WrittenMaterial(prompt, 4, typed=1.0, pictures=1.0), 2)
    embedded, _ = tuning._embed([two])
    for scene, place in zip(two.pictures, two.shown, strict=True):
        vectors = listener.eyes(pixels_of([scene], EYES.image).to(torch.bfloat16))
        assert torch.equal(embedded[0, place : place + EYES.tokens], vectors[0])
    assert torch.equal(embedded[0, 0], listener.language.embed(torch.tensor(two.ids[:1]))[0])


def test_eyes_are_handed_on(tmp_path: Path) -> None:
    seeing, blind = Listener(nano_config()), Listener(nano_config())
    blind.eyes, blind.config = None, replace(blind.config, vision=None)
    blind.save(tmp_path / "blind.pt")
    loaded = Listener.load(tmp_path / "blind.pt")
    assert loaded.eyes is None
    loaded.take_eyes(seeing)
    loaded.save(tmp_path / "seeing.pt")
    again = Listener.load(tmp_path / "seeing.pt")
    assert again.eyes is not None and seeing.eyes is not None
    pixels = torch.zeros(1, 3, EYES.image, EYES.image)
    assert torch.equal(again.eyes(pixels), seeing.eyes(pixels))


def test_looking_learns() -> None:
    """The losses of a few steps fall: patches are named first."""
    torch.manual_seed(0)
    eyes = VisionEncoder(EYES, 256).to(torch.bfloat16)
    looking = Looking(eyes, Album(Random(0), EYES.image, EYES.grid, fresh=8, again=8), "cpu")
    looking.heads.to(torch.bfloat16)
    looking.patches.to(torch.bfloat16)
    weights = [*eyes.parameters(), *looking.heads.parameters(), *looking.patches.parameters()]
    adam = torch.optim.AdamW(weights, lr=2e-3)
    parts = []
    for _ in range(12):
        losses = looking.losses()
        total = torch.stack(list(losses.values())).sum()
        total.backward()  # type: ignore[no-untyped-call]
        adam.step()
        adam.zero_grad()
        parts.append(float(losses["part"].detach()))
    assert np.mean(parts[-3:]) < 0.6 * parts[0]
