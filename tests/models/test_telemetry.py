"""No library reports its use: nothing is written for it, and no connection is tried."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from models import SILENCED

LOAD = """
import socket
tried = []
def refuse(self, address, *_):
    tried.append(address)
    raise OSError("no network here")
socket.socket.connect = socket.socket.connect_ex = refuse
from server.app import load_engine
from server.config import ServerSettings
engine = load_engine(ServerSettings())
engine.detector()
print("tried", tried)
"""
IMPORTS = {
    "models.engines.embedded": "onnxruntime",
    "models.vad": "onnxruntime",
    "models.engines.pytorch": "torch",
}
# onnxruntime reports nothing where one of these says that a build runs: the tests take them away.
BUILD_SIGNS = (
    "APPVEYOR",
    "CI",
    "CIRCLECI",
    "CODEBUILD_BUILD_ID",
    "GITHUB_ACTIONS",
    "GITLAB_CI",
    "JENKINS_URL",
    "TEAMCITY_VERSION",
    "TF_BUILD",
    "TRAVIS",
)


def run(code: str, home: Path, **variables: str) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in (*SILENCED, *BUILD_SIGNS)}
    environment |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), **variables}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        encoding="utf-8",
        env=environment,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_loading_the_models_writes_and_calls_nothing(tmp_path: Path) -> None:
    assert run(LOAD, tmp_path).strip() == "tried []"
    assert [path for path in tmp_path.rglob("*") if "onnxruntime" in path.as_posix()] == []


def test_what_would_be_written_otherwise(tmp_path: Path) -> None:
    """This test fails when onnxruntime has no telemetry any more, and the others can go."""
    run(LOAD, tmp_path, ORT_DISABLE_TELEMETRY="0")
    assert [path for path in tmp_path.rglob("deviceid*") if path.is_file()]


@pytest.mark.parametrize("module", IMPORTS)
def test_it_is_switched_off_before_the_library_is_imported(module: str, tmp_path: Path) -> None:
    code = f"""
import importlib.abc, os, sys
class Watch(importlib.abc.MetaPathFinder):
    def find_spec(self, name, *_):
        if name == {IMPORTS[module]!r}:
            print(sorted(set({list(SILENCED)!r}) - set(os.environ)))
sys.meta_path.insert(0, Watch())
import {module}
"""
    assert run(code, tmp_path).splitlines()[0] == "[]"


def test_whoever_wants_it_has_it(tmp_path: Path) -> None:
    code = "import os, models; print(os.environ['VLLM_NO_USAGE_STATS'])"
    assert run(code, tmp_path, VLLM_NO_USAGE_STATS="0").strip() == "0"
