"""The commands as a terminal lists and refuses them, in processes of their own."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from server.__main__ import COMMANDS
from server.config import Limits, ServerSettings
from server.extras import install_line

# As in an installation without the extras: these modules cannot be found.
WITHOUT_EXTRAS = """
import sys
for name in ("torch", "sounddevice", "matplotlib", "cryptography", "transformers"):
    sys.modules[name] = None
from server.__main__ import main
sys.argv = ["antiphon", *sys.argv[1:]]
main()
"""


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRAS, *words],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        cwd=Path(__file__).resolve().parents[2],
        env={"COLUMNS": "100", "PATH": ""},
    )


@pytest.mark.parametrize("words", [(), ("--help",)])
def test_every_command_is_listed_without_extras(words: tuple[str, ...]) -> None:
    done = run(*words)
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    for name, known in COMMANDS.items():
        assert name in said and known.summary in said


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (("inspect", "some-folder"), "torch"),
        (("convert", "one", "other"), "torch"),
        (("call", "--microphone"), "microphone"),
        (("serve", "--port", "0", "--tls", "self-signed"), "tls"),
        (("serve", "--port", "0", "--engine", "pytorch"), "torch"),
    ],
)
def test_a_missing_extra_is_named_with_its_install_line(words: tuple[str, ...], extra: str) -> None:
    done = run(*words)
    assert done.returncode in (1, 2)  # 2: a setting that cannot be
    said = " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in said
    assert f"extra '{extra}'" in said
    assert " ".join(install_line(extra).split()) in said


def test_an_unknown_command() -> None:
    done = run("sreve")
    assert done.returncode == 2
    assert "No such command" in done.stderr


def test_serve_help_has_every_setting() -> None:
    said = "".join(run("serve", "--help").stdout.split())
    for name in ServerSettings.model_fields:
        assert f"ANTIPHON_{name.upper()}" in said
    for name in Limits.model_fields:
        assert f"ANTIPHON_LIMITS__{name.upper()}=" in said
    for flag in ("--api-keys", "--allowed-origins", "--lead-ms", "--tls-certificate", "--tls-key"):
        assert flag in said


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--model", "/absent/folder"), "no folder /absent/folder"),
        (("--host", "203.0.113.7", "--without-keys"), "cannot listen on 203.0.113.7"),
        (("--tls-key", "key.pem"), "belong together"),
        (("--config", "/absent.toml"), "/absent.toml"),
    ],
)
def test_what_serve_cannot_have_is_one_line(words: tuple[str, ...], named: str) -> None:
    done = run("serve", "--port", "0", *words)
    assert done.returncode == 2
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and named in lines[0]
    assert "Errno" not in lines[0]


def test_a_taken_port_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("serve", "--port", port)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines() == [
        f"port: {port} is taken by another program; --port chooses another"
    ]
