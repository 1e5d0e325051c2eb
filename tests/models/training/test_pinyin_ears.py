"""Tests of the speller of Chinese: its network, its frames, its training, and how it is packed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import soundfile
import torch

from models.base import HEAR_RATE, Samples
from models.engines.bundle import SPELLING, SPELLING_ADAPTER
from models.engines.pinyin_speller import PinyinSpeller, paced
from models.moonshine import WIDTH, Array, Recognition
from models.training.export import quantise
from models.training.pinyin_ears.frames import FramedClip, Shard, write_frames
from models.training.pinyin_ears.learning import (
    Lesson,
    Place,
    learn,
    load,
    mean_of,
    places_of,
    save,
    wrong,
)
from models.training.pinyin_ears.network import SpellingNetwork
from models.training.pinyin_ears.packing import write_speller
from models.training.pinyin_ears.speaking import INDEX, read_clips, write_recorded
from models.training.pinyin_ears.varying import Surroundings
from models.vita.spelled_tower import SpelledTower
from tests.models.engines.conftest import tiny_config, tiny_tokenizer

CHINESE, ENGLISH = "法国的首都是什么", "what is the capital of france"


def network() -> SpellingNetwork:
    torch.manual_seed(0)
    return SpellingNetwork(width=32, layers=1)


def test_padding_changes_no_letter() -> None:
    speller = network().eval()
    frames = torch.randn(1, 40, WIDTH)
    padded = torch.cat((frames, torch.randn(1, 9, WIDTH)), 1)
    there = torch.cat((torch.ones(1, 40), torch.zeros(1, 9)), 1)
    alone, among = speller(frames), speller(padded, there)[:, :40]
    torch.testing.assert_close(alone, among, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("count", [2, 3, 50, 417])
def test_frames_come_at_the_pace_of_letters(count: int) -> None:
    """Where the value of a frame is its time, so it is behind."""
    times = (np.arange(count, dtype=np.float32) + 0.5) * 384 / HEAR_RATE
    found = paced(np.repeat(times[:, None], 3, axis=1))
    assert len(found) == count * 384 // 640
    wanted = (np.arange(len(found)) + 0.5) * 640 / HEAR_RATE
    np.testing.assert_allclose(found[:, 0], wanted, atol=1e-4)


def folder_of_clips(folder: Path) -> Path:
    random = np.random.default_rng(1)
    rows = []
    for number, text in enumerate((CHINESE, ENGLISH)):
        sound = random.normal(0, 0.1, 2 * HEAR_RATE).astype(np.float32)
        soundfile.write(folder / f"{number:05}.flac", sound, HEAR_RATE)
        rows.append(json.dumps({"number": number, "text": text, "voice": "kokoro-zf_xiaobei"}))
    (folder / INDEX).write_text("\n".join(rows))
    return folder


class Encoding:
    """An encoder whose frames tell how loud the sound is."""

    def encode(self, samples: Samples) -> Array:
        loud = np.abs(samples[: samples.size // 384 * 384]).reshape(-1, 384).mean(axis=1)
        return np.repeat(loud[:, None], WIDTH, axis=1).astype(np.float32)


def test_what_is_spelled_is_pinyin_or_english(tmp_path: Path) -> None:
    clips = [clip for clip, _ in read_clips(folder_of_clips(tmp_path))]
    assert [clip.letters for clip in clips] == ["fa guo de shou du shi shen me", ENGLISH]


class Reading:
    """A recogniser that is sure of loud sound only."""

    def recognise(self, samples: Samples, guess: tuple[int, ...] = ()) -> Recognition:
        return Recognition("Chapter one, it's late.", (7,), float(np.abs(samples).max()))

    def encode(self, samples: Samples) -> Array:
        return np.zeros((1, WIDTH), np.float32)


def test_recordings_are_taken_with_words_that_are_sure(tmp_path: Path) -> None:
    rows = ["path\tsplit\tlabel\tspeaker\ttranscript_or_tag"]
    for name, split, label, loud in (
        ("a", "train", "read_speech", 0.9),
        ("b", "train", "read_speech", 0.5),  # unsure
        ("c", "train", "noise", 0.9),
        ("d", "dev", "read_speech", 0.9),
    ):
        soundfile.write(tmp_path / f"{name}.flac", np.full(HEAR_RATE, loud), HEAR_RATE)
        rows.append(f"{name}.flac\t{split}\t{label}\tspeaker-{name}\t")
    manifest = tmp_path / "MANIFEST.tsv"
    manifest.write_text("\n".join(rows) + "\n")
    write_recorded(tmp_path / "clips", manifest, Reading())
    [(clip, samples)] = read_clips(tmp_path / "clips")
    assert (clip.letters, clip.voice) == ("chapter one it's late", "people-speaker-a")
    assert samples.size == HEAR_RATE


def test_each_clip_is_kept_in_each_of_its_surroundings(tmp_path: Path) -> None:
    folder = folder_of_clips(tmp_path)
    encoding, surroundings = Encoding(), Surroundings(3)
    write_frames([folder], tmp_path / "varied", encoding, surroundings, 3)  # type: ignore[arg-type]
    write_frames([folder], tmp_path / "plain", encoding, None, 3)  # type: ignore[arg-type]
    varied, plain = Shard.read(tmp_path / "varied"), Shard.read(tmp_path / "plain")
    assert (len(varied.clips), len(plain.clips)) == (6, 2)
    assert sum(clip.size for clip in varied.clips) == len(varied.frames)
    first, second = (place.frames for place in places_of([varied])[:2])
    assert first.shape != second.shape or not np.allclose(first, second)


def test_surroundings_keep_the_voice_and_are_finite() -> None:
    voice = np.sin(np.arange(HEAR_RATE) * 0.2).astype(np.float32)
    around = Surroundings(5)
    for _ in range(20):
        sound = around.around(voice)
        assert sound.dtype == np.float32 and np.isfinite(sound).all()
        assert 0.8 * HEAR_RATE < sound.size < 2.5 * HEAR_RATE
        assert np.abs(sound).max() > 0.01


def lesson() -> list[Place]:
    """Two clips that differ in one value of their frames."""
    frames = np.zeros((80, WIDTH), np.float16)
    frames[:40, :9], frames[40:, 9:18] = 3.0, 3.0
    clips = FramedClip(0, 40, "ni hao", "kokoro-a"), FramedClip(40, 40, "zai jian", "b")
    return places_of([Shard(frames, clips)])


def test_it_learns_to_spell_and_is_read_back(tmp_path: Path) -> None:
    before = wrong(network(), lesson())
    target, settings = tmp_path / "pinyin", Lesson(minutes=0.2, rate=3e-3, seed=1)
    found = learn(network(), lesson(), lesson(), target, settings)
    assert found["wrong_letters"] < 0.5 * before[0]
    kept = load(tmp_path / "pinyin.pt")
    assert wrong(kept, lesson())[0] == pytest.approx(found["wrong_letters"], abs=1e-3)


def test_the_mean_of_two_runs(tmp_path: Path) -> None:
    for number, value in enumerate((1.0, 3.0)):
        one = network()
        torch.nn.init.constant_(one.letters.weight, value)
        save(one, tmp_path / f"{number}.pt")
    mean = mean_of([tmp_path / "0.pt", tmp_path / "1.pt"])
    assert torch.all(mean.letters.weight == 2.0)


def test_a_clip_too_short_for_its_letters_is_not_learned() -> None:
    shard = Shard(np.zeros((9, WIDTH), np.float16), (FramedClip(0, 9, "zhuang zhuang", "a"),))
    assert places_of([shard]) == []


def test_packed_it_gives_the_vectors_of_its_letters(tmp_path: Path) -> None:
    config = tiny_config(tiny_tokenizer())
    torch.manual_seed(2)
    tower = SpelledTower(config.audio, config.adapter, config.language.width).eval()
    exact = tmp_path / "exact"
    exact.mkdir()
    write_speller(network(), tower, exact)
    quantise(exact, tmp_path)
    for folder, error in ((exact, 1e-4), (tmp_path, 0.1)):
        spelling, adapter = (
            onnxruntime.InferenceSession(folder / name) for name in (SPELLING, SPELLING_ADAPTER)
        )
        speller = PinyinSpeller(spelling, adapter)
        frames = np.random.default_rng(0).normal(0, 1, (30, WIDTH)).astype(np.float32)
        letters = speller._letters(frames)
        expected = network().eval()(torch.from_numpy(paced(frames))[None])[0]
        np.testing.assert_allclose(letters, expected.detach().numpy(), atol=error)
        given = torch.from_numpy(letters)[None].softmax(-1)
        wanted, _ = tower.adpter(tower.spelled(given), torch.tensor([len(letters)]))
        made = adapter.run(None, {"letters": letters[None]})[0]
        np.testing.assert_allclose(made, wanted.detach().numpy(), atol=error)
