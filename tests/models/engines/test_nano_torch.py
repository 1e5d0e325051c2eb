"""tests: the bundled model in torch's form: it reads, it refuses, it says what the 8 bits say."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.base import AnswerOptions, Samples, Verdict
from models.engines import embedded, nano_torch
from models.engines.bundle import LANGUAGE
from models.engines.memory import PromptMemory
from models.engines.nano_model import NanoModel
from models.engines.nano_torch import TorchNano
from models.engines.pytorch import load
from models.vita.tensor_files import CheckpointRefused

ROOT = Path(__file__).parents[3]
NANO, STAGES = ROOT / "models" / "nano", ROOT / "models" / "training" / "stages"
CLIPS = ("question_en_capital", "yes_en", "side_talk_salt")
WRITTEN = AnswerOptions(speak=False, max_tokens=24)
STATES = ("query", "noise", "text", "unfinished")

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not (NANO / LANGUAGE).exists(), reason="models/nano has no weights"),
]


@pytest.fixture(scope="module")
def nano() -> TorchNano:
    made = load(NANO, "cpu")
    assert isinstance(made, TorchNano)
    return made


def heard(model: NanoModel, samples: Samples) -> tuple[Verdict, str]:
    """The verdict on a whole clip, and what is written in answer."""
    memory: PromptMemory = model.remember()
    memory.hear(samples)
    verdict = memory.flush()
    writer = model.answer(memory, WRITTEN)
    parts = []
    while not writer.done:
        parts += writer.step()
    return verdict, "".join(getattr(part, "text", "") for part in parts)


def test_it_is_the_model_of_the_folder(nano: TorchNano) -> None:
    table = np.load(NANO / "embeddings.npy").astype(np.float32)
    np.testing.assert_allclose(nano.networks.table, table, rtol=0, atol=4e-3)  # bf16 and half


def test_eight_bits_say_the_same(nano: TorchNano) -> None:
    instance = embedded.EmbeddedInstance(embedded.load(NANO))
    same = 0
    for name in CLIPS:
        samples, rate = soundfile.read(ROOT / f"tests/data/audio/{name}.flac", dtype="float32")
        assert rate == 16_000
        exact, answer = heard(nano, samples)
        rounded, its_answer = heard(instance.model, samples)  # type: ignore[arg-type]
        for state in STATES:
            assert getattr(exact, state) == pytest.approx(getattr(rounded, state), abs=0.05)
        same += answer == its_answer
    instance.worker.close()
    assert same >= len(CLIPS) - 1  # a near tie may fall the other way


def drop(tensors: dict[str, Tensor]) -> None:
    del tensors["tower.letters.bias"]


def add(tensors: dict[str, Tensor]) -> None:
    tensors["tower.surplus"] = tensors["tower.letters.bias"].clone()


def bend(tensors: dict[str, Tensor]) -> None:
    tensors["tower.letters.bias"] = tensors["tower.letters.bias"][:-1].clone()


@pytest.mark.parametrize(
    ("damage", "message"),
    [(drop, "1 missing: tower.letters.bias"), (add, "1 surplus: tower.surplus"),
     (bend, r"1 misshapen: tower.letters.bias is")],
)  # fmt: skip
def test_what_does_not_fit_is_named(
    tmp_path: Path, damage: Callable[[dict[str, Tensor]], None], message: str
) -> None:
    for source in (NANO / "config.json", NANO / "tokenizer.json", *STAGES.iterdir()):
        shutil.copyfile(source, tmp_path / source.name)
    tensors = load_file(tmp_path / "listening.safetensors")
    damage(tensors)
    save_file(tensors, tmp_path / "listening.safetensors")
    with pytest.raises(CheckpointRefused, match=message):
        load(tmp_path, "cpu")


@pytest.mark.parametrize("name", ["listening.safetensors", "codec.safetensors", "tokenizer.json"])
def test_a_missing_or_cut_file_is_named(tmp_path: Path, name: str) -> None:
    for source in (NANO / "config.json", NANO / "tokenizer.json", *STAGES.iterdir()):
        shutil.copyfile(source, tmp_path / source.name)
    (tmp_path / name).unlink()
    with pytest.raises(CheckpointRefused, match=name):
        load(tmp_path, "cpu")
    (tmp_path / name).write_bytes(b"cut")
    with pytest.raises(CheckpointRefused, match=name):
        load(tmp_path, "cpu")


def test_an_installed_package_says_which_weights_it_lacks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(nano_torch, "_KEPT", tmp_path)
    with pytest.raises(CheckpointRefused, match=r"listening\.safetensors.*--engine embedded"):
        nano_torch.weights_of(NANO)
