"""The graph with its weights against the same model in torch, and the files that it is made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.base import OutOfRoom
from models.smollm import checkpoint, files, network
from models.smollm.gguf import BadWeights, GgufFile
from models.smollm.network import SmolNetwork
from models.smollm.weights import NO_CHANGES, Changes, in_eight_bits, rotary
from models.training.smollm.lowrank import AdaptedLanguageModel
from models.training.smollm.tuning import pretrained

IDS = [1, 40, 90, 7, 200, 33, 150, 2, 88, 61, 3, 120]


def _adapted(gguf: Path, changes: Changes) -> AdaptedLanguageModel:
    with GgufFile(gguf) as file:
        model = AdaptedLanguageModel(pretrained(file), tuple(changes.rows), rank=2)
    held = {"rows": torch.from_numpy(np.stack(list(changes.rows.values())))}
    for name in changes.up:
        held[f"model.model.layers.{name}.down"] = torch.from_numpy(changes.down[name])
        held[f"model.model.layers.{name}.up"] = torch.from_numpy(changes.up[name])
    missing, unexpected = model.load_state_dict(held, strict=False)
    assert not unexpected
    assert all("weight" in name for name in missing)
    return model.eval()


@torch.no_grad()
def test_graph_gives_what_the_trained_model_gives(
    gguf: Path, smollm_folder: Path, small: SmolNetwork
) -> None:
    """Also for the markers' own rows, and when the tokens come in pieces."""
    changes = Changes.read(smollm_folder / "changes.npz")
    ids = [*IDS, *changes.rows]
    model = _adapted(gguf, changes)
    wanted = model.logits(model(torch.tensor([ids]))[0]).numpy()
    cache = small.cache(64)
    for start, end in ((0, 1), (1, 9), (9, len(ids))):
        found = small.read(cache, ids[start:end])
        error = np.abs(found - wanted[end - 1]).mean() / wanted[end - 1].std()
        assert error < 0.03
        assert int(found.argmax()) == int(wanted[end - 1].argmax())


@torch.no_grad()
def test_changes_change_something(gguf: Path, smollm_folder: Path, small: SmolNetwork) -> None:
    """The parity above would hold for a model that leaves them out in both forms."""
    plain = network.load(gguf, smollm_folder / "language.onnx", None)
    first, second = (each.read(each.cache(64), IDS).copy() for each in (plain, small))
    assert np.abs(first - second).max() > 0.5 * first.std()


def test_reading_again_from_where_it_differs_gives_the_same(small: SmolNetwork) -> None:
    straight = small.cache(64)
    small.read(straight, IDS[:6])
    wanted = small.read(straight, IDS[6:]).copy()
    cache = small.cache(64)
    small.read(cache, IDS[:6])
    small.read(cache, [9, 9, 9])
    cache.rewind(6)
    assert np.array_equal(small.read(cache, IDS[6:]), wanted)


def test_a_full_cache_says_so(small: SmolNetwork) -> None:
    with pytest.raises(OutOfRoom):
        small.read(small.cache(8), IDS)


def test_changes_survive_their_file(changes: Changes, smollm_folder: Path) -> None:
    read = Changes.read(smollm_folder / "changes.npz")
    assert read.scale == changes.scale and set(read.up) == set(changes.up) == set(read.down)
    for name in changes.up:
        wanted = changes.up[name] @ changes.down[name]
        assert np.abs(read.up[name] @ read.down[name] - wanted).max() < 0.03 * np.abs(wanted).max()
    for token, row in changes.rows.items():
        assert np.allclose(read.rows[token], row, atol=1e-2)


def test_bad_changes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "changes.npz").write_bytes(b"no archive")
    np.savez(tmp_path / "empty.npz", scale=np.float32(1))
    for name in ("changes.npz", "empty.npz", "nothing.npz"):
        with pytest.raises(BadWeights, match=name.replace(".", r"\.")):
            Changes.read(tmp_path / name)


def test_eight_bits_are_as_near_as_they_can_be() -> None:
    weight = np.random.default_rng(3).standard_normal((6, 96)).astype(np.float32)
    whole, scales = in_eight_bits(weight)
    assert whole.shape == (6, 3, 32) and scales.shape == (6, 3) and whole.dtype == np.uint8
    back = (whole.astype(np.float32) - 128) * scales[:, :, None]
    assert np.abs(back.reshape(6, 96) - weight).max() <= 0.51 * scales.max()


def test_rotary_tables_are_torchs(gguf: Path) -> None:
    from models.vita.blocks import rotary_tables

    with GgufFile(gguf) as file:
        config = checkpoint.configuration(file)
    head = config.width // config.heads
    wanted = rotary_tables(torch.arange(300), head, config.rotary_base, torch.float32)
    for found, table in zip(rotary(config, 300), wanted, strict=True):
        assert np.allclose(found, table[0, :, 0, : head // 2].numpy(), atol=2e-4)


def test_table_gives_rows_of_the_file(gguf: Path) -> None:
    from models.smollm.weights import Table

    with GgufFile(gguf) as file:
        table = Table(file, NO_CHANGES)
        ids = np.array([5, 9, 5])
        assert np.allclose(table.rows(ids), file.floats(checkpoint.TABLE)[ids])


def test_another_file_than_the_known_one_is_refused(gguf: Path) -> None:
    with pytest.raises(BadWeights, match="SHA-256"):
        files.checked(gguf)
    with pytest.raises(BadWeights, match="nothing"):
        files.checked(gguf.parent / "nothing")


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PACKAGE", "no-such-package-as-this")
    with pytest.raises(BadWeights, match="no-such-package-as-this is not installed"):
        files.installed()
