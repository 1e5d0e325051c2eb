"""The voice's data and its training, on made-up readings."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("pyworld")

from models.training.codec_training import CodecOptions, CodecTraining
from models.training.speech_data import ReadingPlan, SpokenUtterance, planned_texts
from models.training.speech_samples import CODE, batches, codes_of, load_codec, samples_of
from models.training.speech_training import (
    NANO_SPEECH,
    SpeechOptions,
    SpeechTraining,
    VoiceData,
    batch_of,
    load_speech,
)
from models.vita.letters import TONES
from models.vita.nano_codec import CODES, NanoCodec
from models.vita.vocoder import FEATURES, FRAMES_PER_CODE

TEXT = "The little fox ran over the hill, and then it slept."


def reading(text: str = TEXT, seed: int = 0) -> SpokenUtterance:
    """A reading of 0.3 s a word, with a pause of 0.2 s at each comma."""
    spans, now = [], 0.2
    for word in text.split():
        spans.append((now, now + 0.3))
        now += 0.5 if word.endswith(",") else 0.3
    frames = round((now + 0.5) / CODE) * FRAMES_PER_CODE
    slow = np.random.default_rng(seed).normal(0, 0.05, (frames, FEATURES)).cumsum(0) - 8
    slow[:, -2], slow[:, -1] = 7.5, np.arange(frames) % 40 > 10
    return SpokenUtterance(text, slow.astype(np.float16), np.array(spans, np.float32))


def write(folder: Path, readings: list[SpokenUtterance]) -> None:
    folder.mkdir(parents=True)
    np.savez(
        folder / "000.npz",
        texts=np.array([part.text for part in readings]),
        frames=np.array([len(part.features) for part in readings]),
        features=np.concatenate([part.features for part in readings]),
        counts=np.array([len(part.words) for part in readings]),
        words=np.concatenate([part.words for part in readings]),
    )


def test_chunks_take_the_speech_apart_without_loss() -> None:
    spoken = reading()
    codes = np.arange(len(spoken.features) // FRAMES_PER_CODE) % CODES
    samples = samples_of(spoken, codes, None)
    assert [part.spelling.letters for part in samples] == [
        "the little fox ran over",
        " the hill, and then it slept.",
    ]
    joined = np.concatenate([part.codes for part in samples])
    assert joined[0] * CODE <= spoken.words[0, 0] and (np.diff(joined) == 1).all()
    assert spoken.words[-1, 1] < joined[-1] * CODE < spoken.words[-1, 1] + 0.3


def test_every_code_says_a_letter_of_the_word_that_sounds() -> None:
    spoken = reading()
    codes = np.arange(len(spoken.features) // FRAMES_PER_CODE) % CODES
    for sample in samples_of(spoken, codes, None):
        letters = sample.spelling.letters
        assert (np.diff(sample.spoken) >= 0).all() and sample.spoken.max() < len(letters)
        for code, place in zip(sample.codes, sample.spoken, strict=True):
            middle = (code + 0.5) * CODE
            now = [word for word, (a, b) in enumerate(spoken.words) if a < middle < b]
            if now and letters[place].isalpha():
                said = sample.spelling.words[sample.spelling.owner[place]]
                assert said == TEXT.split()[now[0]]


def test_batches_hold_every_sample_once_and_keep_their_size() -> None:
    spoken = reading()
    samples = samples_of(spoken, np.zeros(len(spoken.features) // 3, np.int64), None) * 7
    groups = batches(samples, 400, random.Random(1))
    held = [id(part) for group in groups for part in group]
    assert sorted(held) == sorted(map(id, samples))
    assert all(len(group) * min(part.size for part in group) <= 400 for group in groups)


def test_a_batch_ends_with_the_end() -> None:
    spoken = reading()
    samples = samples_of(spoken, np.ones(len(spoken.features) // 3, np.int64), None)
    batch = batch_of(samples, NANO_SPEECH.end)
    for row, sample in enumerate(samples):
        assert batch.targets[row, len(sample.codes)] == NANO_SPEECH.end
        assert (batch.targets[row, len(sample.codes) + 1 :] < 0).all()
        assert batch.lengths[row] == len(sample.letters)


def test_held_out_texts_are_never_trained_on() -> None:
    answers = [f"the word {word} is here." for word in "abcdefghijklmnopqrstuvwxyz"]
    plan = ReadingPlan(answers=10, grammar=30, held_out_answers=5, held_out_grammar=5)
    train, held_out = planned_texts(answers, plan)
    assert len(held_out) == 10 and not set(train) & set(held_out)


def test_both_stages_learn_and_resume(tmp_path: Path) -> None:
    data, codec, speech = tmp_path / "data", tmp_path / "codec.pt", tmp_path / "speech.pt"
    write(data, [reading(seed=seed) for seed in range(4)])
    options = CodecOptions(steps=40, free_steps=30, batch=2, crop=20)
    training = CodecTraining(data, codec, options)
    training.run()
    losses = [point["loss"] for _, point in training.curve.points]
    assert np.mean(losses[20:30]) < np.mean(losses[:10])
    assert CodecTraining(data, codec, options).step == 40
    assert codes_of(reading(), load_codec(codec)).max() < CODES

    budget = SpeechOptions(steps=12, tokens=300, warm_up=1, rate=3e-3, half=False)
    voices = [VoiceData(data, codec)]
    voice = SpeechTraining(voices, speech, budget)
    voice.run()
    curve = [point["codes"] for _, point in voice.curve.points]
    assert np.mean(curve[-4:]) < np.mean(curve[:4])
    again = SpeechTraining(voices, speech, budget)
    assert again.step == 12
    for name, value in voice.decoder.state_dict().items():
        torch.testing.assert_close(again.decoder.state_dict()[name], value)
    mean = load_speech(speech).state_dict()
    assert any((mean[name] != value).any() for name, value in voice.decoder.state_dict().items())


def test_training_goes_on_with_more_letters(tmp_path: Path) -> None:
    """Weights from before there were tones: known letters keep what they mean."""
    data, codec, speech = tmp_path / "data", tmp_path / "codec.pt", tmp_path / "speech.pt"
    write(data, [reading()])
    torch.save(NanoCodec().state_dict(), codec)
    budget = SpeechOptions(steps=1, tokens=300, half=False)
    SpeechTraining([VoiceData(data, codec)], speech, budget).run()
    state, table = torch.load(speech.with_suffix(".resume")), "text_embedding.weight"
    known = state["weights"][table][: -len(TONES)].clone()
    for weights in (state["weights"], state["average"]):
        weights[table] = weights[table][: -len(TONES)]
    torch.save(state, speech.with_suffix(".resume"))
    torch.save(state["weights"], speech)
    again = SpeechTraining([VoiceData(data, codec)], speech, SpeechOptions(steps=2, half=False))
    torch.testing.assert_close(again.decoder.state_dict()[table][: -len(TONES)], known)
    again.run()
    widened = load_speech(speech).state_dict()[table]
    assert len(widened) == NANO_SPEECH.text_vocabulary
