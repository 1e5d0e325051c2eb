"""Everything spliced together: from sound and images to words, as the reference does it."""

from __future__ import annotations

import numpy as np
import torch

from audio.features import FilterBank
from models.vita.checkpoint import load
from models.vita.images import normalise
from tests.models.vita.golden import TINY, assert_close, expected, needs_golden, tolerance


@needs_golden
def test_sound_and_images_become_the_same_words_as_in_the_reference() -> None:
    wanted, model = expected("vita15_tiny"), load(TINY).model
    samples = wanted["wav_int16"].numpy().astype(np.float32) / np.float32(32768)
    features = torch.from_numpy(FilterBank()(samples))
    assert_close(features, wanted["fbank"], tolerance("fbank (log-mel)"))
    pixels = normalise(wanted["vision.image_uint8"].permute(0, 2, 3, 1).numpy())
    images, sound = model.see(torch.from_numpy(pixels)), model.hear(wanted["fbank"])
    vectors = model.splice(wanted["e2e.input_ids"][0].tolist(), list(images), [sound])
    assert_close(vectors[None], wanted["e2e.inputs_embeds"])
    hidden = model.language(model.splice(wanted["e2e.input_ids"][0].tolist(), list(images),
                                         [model.hear(features)])[None])  # fmt: skip
    best = model.language.logits(hidden)[0, -1].argmax()
    assert int(best) == int(wanted["e2e.greedy_ids"][0, 0])


@needs_golden
def test_a_sound_too_short_is_no_vectors() -> None:
    assert load(TINY).model.hear(torch.zeros(6, 80)).shape == (0, 48)
