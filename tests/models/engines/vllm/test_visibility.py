"""Which GPUs an engine's processes see, and how the daemon that holds the weights is started."""

from __future__ import annotations

import json
import os
from importlib import import_module
from pathlib import Path

import pytest

from models.engines.vllm.preloading import command
from models.engines.vllm.visibility import VISIBLE, environment_of, only, visible_name


@pytest.mark.parametrize(
    ("device", "visible", "name"),
    [
        ("cuda:0", None, "0"),
        ("cuda:1", "", "1"),
        ("cuda:0", "3", "3"),
        ("cuda:1", "5, 2", "2"),
        ("cuda:1", "GPU-5f1c,GPU-77aa", "GPU-77aa"),
    ],
)
def test_a_device_is_one_of_those_that_this_process_was_given(
    device: str, visible: str | None, name: str
) -> None:
    assert visible_name(device, visible) == name


def test_a_device_that_was_not_given_is_refused() -> None:
    with pytest.raises(ValueError, match="cuda:2 is none of the 2 devices"):
        visible_name("cuda:2", "3,4")


@pytest.mark.parametrize("before", [None, "6,7"])
def test_the_environment_is_as_before_afterwards(
    before: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VISIBLE, raising=False)
    if before is not None:
        monkeypatch.setenv(VISIBLE, before)
    with only("cpu"):
        assert os.environ.get(VISIBLE) == before
    with only("cuda:1"):
        assert os.environ[VISIBLE] == ("1" if before is None else "7")
    assert os.environ.get(VISIBLE) == before
    assert environment_of("cpu") == {}


def test_the_daemon_knows_our_model_and_listens_on_this_machine_alone(tmp_path: Path) -> None:
    words = command(tmp_path / "model", "bfloat16", tmp_path / "sockets", 1234)
    given = dict(zip(words[2::2], words[3::2], strict=False))
    flag = words.index("--model-class-overrides")
    ((architecture, place),) = json.loads(words[flag + 1]).items()
    assert architecture == "AntiphonTalker"
    module, name = place.split(":")
    assert Path(*module.split(".")).with_suffix(".py").is_file()
    assert f"class {name}(" in Path(*module.split(".")).with_suffix(".py").read_text()
    assert words[words.index("--weight-cache-health-host") + 1] == "127.0.0.1"
    assert words[words.index("--weight-cache-health-port") + 1] == "1234"
    assert given
    assert import_module("models.engines.vllm.plugin").SERVED_MODEL == place
