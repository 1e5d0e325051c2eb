"""Model folders: the released layouts load exactly, damage is refused and nothing is executed."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from models.engines.kv_cache import KvSlot
from models.vita.checkpoint import convert, expected_shapes, inspect, load, write
from models.vita.config import (
    AdapterConfig,
    AudioEncoderConfig,
    CodecConfig,
    LanguageModelConfig,
    SpeechDecoderConfig,
    VisionConfig,
    VitaConfig,
)
from models.vita.footprint import USABLE, cache_bytes, footprint, weight_bytes
from models.vita.prompt import TEMPLATES, VITA_15, VitaPrompt
from models.vita.tensor_files import CheckpointRefused
from tests.models.vita.golden import SPEECH, TINY, needs_golden, read
from tests.models.vita.released_folder import network, tokenizer, write_released

FIRST = "model-00001-of-00002.safetensors"
INDEX = "model.safetensors.index.json"


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_released(tmp_path_factory.mktemp("models") / "VITA.1.5")  # a dot is no harm


@pytest.mark.parametrize("kind", ["vita-1.5", "vita-1.0"])
def test_a_released_folder_loads_exactly(kind: str, tmp_path: Path) -> None:
    words = tokenizer(TEMPLATES[kind])
    wanted = network(kind, words).state_dict()
    checkpoint = load(write_released(tmp_path, kind))
    found = checkpoint.model.state_dict()
    assert found.keys() == wanted.keys()
    for key, tensor in wanted.items():
        torch.testing.assert_close(found[key], tensor, atol=1e-6, rtol=1e-5, msg=key)
    assert checkpoint.config.template == kind
    assert "licence" in checkpoint.licence or "terms" in checkpoint.licence
    assert (checkpoint.config.language.experts > 0) == (kind == "vita-1.0")


@needs_golden
def test_the_reference_checkpoint_fits_and_its_keys_are_known() -> None:
    assert inspect(TINY).problems == ()
    checkpoint = load(TINY)
    assert sum(p.numel() for p in checkpoint.model.parameters()) + 160 == sum(
        int(torch.Size(shape).numel()) for shape in read("vita15_tiny_keys.json").values()
    )
    assert (SPEECH / "decoder" / "final.pt").exists()


def test_the_real_sizes_are_those_of_the_paper() -> None:
    """VITA-1.5's encoder has 357,950,464 parameters, its vision tower 304.0 million."""
    config = load_real_sizes()
    shapes = expected_shapes(config)
    count = {
        part: sum(
            torch.Size(shape).numel()
            for key, shape in shapes.items()
            if key.startswith(part) and "global_cmvn" not in key
        )
        for part in ("audio.encoder.", "vision.", "language.")
    }
    assert count["audio.encoder."] == 357_950_464
    assert round(count["vision."] / 1e6, 1) == 304.0
    assert round(count["language."] / 1e9, 3) == 7.616


def load_real_sizes() -> VitaConfig:
    """Every default in config.py is the released size."""
    minimal = {"audio": {}, "adapter": {}, "language": {}, "vision": {}, "template": "vita-1.5"}
    states = {"query": 144_766, "noise": 146_164, "text": 145_789}
    return VitaConfig.from_json(json.dumps({**minimal, "states": states}))


def test_inspection_tells_parts_size_and_licence(released: Path) -> None:
    found = inspect(released)
    assert {part.name for part in found.parts} == {
        "audio", "codec", "language", "projector", "speech", "vision"
    }  # fmt: skip
    assert found.bytes > 100_000
    assert "research" in found.licence
    assert found.problems == ()
    assert any("was not fetched" in note for note in found.notes)


def test_conversion_gives_the_same_model_without_pickles(released: Path, tmp_path: Path) -> None:
    target = tmp_path / "clean"
    assert convert(released, target).problems == ()
    assert {path.name for path in target.iterdir()} == {
        "vita.json", "model.safetensors", "tokenizer.json"
    }  # fmt: skip
    first, second = load(released).model.state_dict(), load(target).model.state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    with pytest.raises(CheckpointRefused, match="not empty"):
        convert(released, target)


def test_a_model_in_memory_is_written_and_read(tmp_path: Path) -> None:
    model = network("vita-1.5", tokenizer(TEMPLATES["vita-1.5"]))
    write(model, tmp_path / "own")
    again = load(tmp_path / "own", dtype=torch.bfloat16).model
    assert again.language.lm_head.weight.dtype == torch.bfloat16


# ------------------------------------------------------------------------------------ damage


class Malicious:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (Path(self.target),)

    def __init__(self, target: Path) -> None:
        self.target = str(target)


def _poison(folder: Path) -> None:
    content = {"model": Malicious(folder / "executed")}
    with (folder / "vita_tts_ckpt" / "decoder" / "final.pt").open("wb") as file:
        pickle.dump(content, file, protocol=2)


def _poison_torch(folder: Path) -> None:
    content = {"generator": Malicious(folder / "executed"), "quantizer": {}}
    torch.save(content, folder / "vita_tts_ckpt" / "codec" / "final.pt")


def _cut(folder: Path) -> None:
    whole = (folder / FIRST).read_bytes()
    (folder / FIRST).write_bytes(whole[: len(whole) // 2])


def _cut_pickle(folder: Path) -> None:
    path = folder / "vita_tts_ckpt" / "decoder" / "final.pt"
    path.write_bytes(path.read_bytes()[:1000])


def _misshape(folder: Path) -> None:
    tensors = load_file(folder / FIRST)
    key = next(key for key in tensors if key.endswith("linear_q.bias"))
    tensors[key] = torch.zeros(3)
    tensors["model.surprise"] = torch.zeros(1)
    gone = next(key for key in tensors if key.endswith("linear_k.bias"))
    del tensors[gone]
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    del index["weight_map"][gone]
    (folder / INDEX).write_text(json.dumps(index))
    save_file(tensors, folder / FIRST)


def _configure(name: str, value: object) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config[name] = value
        (folder / "config.json").write_text(json.dumps(config))

    return damage


def _point_index_elsewhere(folder: Path) -> None:
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    key = next(iter(index["weight_map"]))
    index["weight_map"][key] = "../other/model.safetensors"
    (folder / INDEX).write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / FIRST).unlink(), f"missing files: {FIRST}"),
        (_cut, "damaged or cut short"),
        (_cut_pickle, "final.pt"),
        (_misshape, "1 missing.*linear_k.bias.*1 surplus.*surprise.*1 misshapen.*linear_q.bias"),
        (_poison, "nothing was executed"),
        (_poison_torch, "nothing was executed"),
        (_configure("mm_audio_encoder", "/etc/audio"), "outside of the model folder"),
        (_configure("mm_audio_encoder", "../../elsewhere"), "outside of the model folder"),
        (_configure("mm_vision_tower", "https://example.org/x"), "outside of the model folder"),
        (_point_index_elsewhere, "outside of the model folder"),
        (_configure("model_type", "llama"), "not that of a VITA checkpoint"),
        (_configure("model_type", "vita-mistral"), "none of"),
        (_configure("hidden_size", 128), "misshapen"),
        (lambda folder: (folder / "config.json").write_text("{"), "no valid JSON"),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), "tokenizer.json"),
    ],
)
def test_damage_is_refused_clearly(
    damage: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    folder = write_released(tmp_path / "model")
    damage(folder)
    with pytest.raises(CheckpointRefused, match=message):
        load(folder)
    assert not (folder / "executed").exists()


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointRefused, match="no folder"):
        load(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("content", "note"),
    [
        ('{"repetition_penalty": 1.05, "top_p": 0.8, "eos_token_id": [1]}',
         "top_p 0.8, repetition_penalty 1.05: not applied"),
        ("{}", "nothing of it"),
        ("{", "cannot be read"),
        ("3", "cannot be read"),
    ],
)  # fmt: skip
def test_what_a_folder_wants_of_sampling_is_said(content: str, note: str, tmp_path: Path) -> None:
    folder = write_released(tmp_path)
    (folder / "generation_config.json").write_text(content)
    assert any(note in said for said in inspect(folder).notes)


def test_the_memory_of_a_gpu_is_calculated_from_the_sizes(released: Path) -> None:
    config = load(released).config
    loaded = load(released, torch.bfloat16).model.state_dict()
    held = sum({tensor.data_ptr(): tensor.nbytes for tensor in loaded.values()}.values())
    need = footprint(config, 300)
    assert need.weights == held
    buffers = KvSlot(load(released).model.language, 300).buffers
    assert need.stream == buffers.bytes // 2  # those are float32
    assert need.total(4) - need.total(3) == 2 * need.stream  # eight voices have room in each
    assert need.total(7) - need.total(6) == 2 * (need.stream + 8 * need.voice)
    card = round(need.total(5) / USABLE) + 1
    assert (need.conversations(card), need.conversations(card - 2 * need.stream)) == (5, 4)
    assert need.conversations(need.weights) == 0


def test_a_released_vita_in_bfloat16_needs_16_9_gigabytes() -> None:
    """By the sizes of the release: language model 7.616 G numbers and so on."""
    prompt = VitaPrompt(tokenizer(VITA_15), VITA_15)
    config = VitaConfig(
        AudioEncoderConfig(), AdapterConfig(), LanguageModelConfig(), prompt.states, "vita-1.5",
        VisionConfig(), SpeechDecoderConfig(), CodecConfig(),
    )  # fmt: skip
    assert weight_bytes(config) == pytest.approx(16.9e9, rel=0.01)
    assert cache_bytes(config.language, 4_096) == 4_096 * 57_344
