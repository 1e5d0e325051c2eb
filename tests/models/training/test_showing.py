"""The projector learns to be read by a frozen mind: what is trained, what is seen, what counts."""

from __future__ import annotations

from pathlib import Path

import torch

from models.training.listener import Listener, nano_config
from models.training.sequences import NOTHING
from models.training.showing import Gallery, GalleryMaterial, Showing
from models.training.sight import pixels_of
from models.vita.nano_prompt import NanoPrompt

TOKENIZER = Path(__file__).parents[3] / "models" / "nano" / "tokenizer.json"


def test_answers_about_a_gallery_teach_the_projector_alone() -> None:
    torch.manual_seed(0)
    prompt, listener = NanoPrompt.read(TOKENIZER), Listener(nano_config())
    assert listener.eyes is not None
    gallery = Gallery(listener, 6, seed=3)
    listener.requires_grad_(False)
    listener.eyes.projector.requires_grad_(True)
    listener.to(torch.bfloat16)

    material = GalleryMaterial(gallery, prompt, 1)
    for sequence in (material() for _ in range(20)):
        assert sequence.pictures and set(sequence.pictures) <= set(gallery.scenes)
        assert set(sequence.states) == set(sequence.words) == {NOTHING}
        assert any(target != NOTHING for target in sequence.targets)

    showing = Showing(listener, gallery, prompt, 1)
    losses = showing.losses()
    assert set(losses) == {"answer"}
    losses["answer"].backward()  # type: ignore[no-untyped-call]
    taught = {name for name, weight in listener.named_parameters() if weight.grad is not None}
    assert taught == {f"eyes.projector.{n}.{part}" for n in (0, 2) for part in ("weight", "bias")}


def test_the_gallery_keeps_what_the_tower_makes() -> None:
    torch.manual_seed(0)
    listener = Listener(nano_config())
    assert listener.eyes is not None
    gallery = Gallery(listener, 5, seed=4)
    chosen = [gallery.scenes[3], gallery.scenes[0]]
    with torch.no_grad():
        expected = listener.eyes.vision(pixels_of(chosen, 64))
    assert torch.allclose(gallery.seen(chosen).float(), expected, atol=0.02)
