"""Shared weights as far as a CPU goes: the daemon's process, which loads no plugins, knows our
model by what it is told; mapping the weights themselves needs a GPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from models.engines.vllm.folder import prepare
from models.engines.vllm.frontend import open_frontend
from models.engines.vllm.preloading import command

RESOLVE = """
import sys
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.model_executor.model_loader.utils import get_model_architecture
from vllm.utils.argparse_utils import FlexibleArgumentParser

parser = FlexibleArgumentParser()
AsyncEngineArgs.add_cli_args(parser)
config = AsyncEngineArgs.from_cli_args(parser.parse_args(sys.argv[1:])).create_model_config()
print("resolved", get_model_architecture(config)[0].__module__)
"""


def resolved(words: list[str]) -> subprocess.CompletedProcess[str]:
    """In a fresh process that loads no plugin."""
    return subprocess.run(
        [sys.executable, "-c", RESOLVE, *words],
        env={**os.environ, "VLLM_PLUGINS": ""}, capture_output=True, encoding="utf-8", timeout=300,
        check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def words(vita_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the daemon is told of the model, without the options of the daemon alone."""
    frontend = open_frontend(vita_folder, torch.device("cpu"), None)
    target = tmp_path_factory.mktemp("prepared")
    folder = prepare(frontend.files, frontend.language, frontend.states, target)
    told = command(folder, "float32", target, 1)
    assert told[1] == "preload"
    return told[2 : told.index("--weight-cache-socket-dir")]


def test_the_daemon_is_told_which_class_our_model_is(words: list[str]) -> None:
    assert "resolved models.engines.vllm.served_model" in resolved(words).stdout


def test_without_being_told_it_would_not_start(words: list[str]) -> None:
    flag = words.index("--model-class-overrides")
    untold = resolved(words[:flag] + words[flag + 2 :])
    assert untold.returncode != 0
    assert "AntiphonTalker" in untold.stderr
