"""The command `antiphon serve` as a process of its own, with the embedded engine."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI

from server.config import BUNDLED_MODEL

ROOT = Path(__file__).resolve().parents[2]
needs_model = pytest.mark.skipif(
    not (BUNDLED_MODEL / "config.json").is_file(), reason="the bundled model is not there"
)


@asynccontextmanager
async def serving(*options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server", "serve", "--port", "0", *options),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": "40"},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.wait(), 20)


async def said(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), 60)).decode()


@needs_model
async def test_serve_announces_itself_and_talks() -> None:
    async with serving() as process:
        found = re.search(r"http://127\.0\.0\.1:\d+/$", (await said(process)).rstrip())
        assert found is not None
        async with AsyncOpenAI(api_key="any", base_url=f"{found[0]}v1", max_retries=0) as sdk:
            async with sdk.realtime.connect(model="nano") as connection:
                await connection.response.create(
                    response={"output_modalities": ["text"], "max_output_tokens": 8}
                )
                done: Any = None
                async with asyncio.timeout(30):
                    async for event in connection:
                        if event.type == "response.done":
                            done = event
                            break
                assert done.response.status in ("completed", "incomplete")


def ended(*options: str, **variables: str) -> str:
    """What a server says that must not start."""
    done = subprocess.run(
        [sys.executable, "-m", "server", "serve", "--port", "0", *options],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        env={**os.environ, "COLUMNS": "40", **variables},
    )
    assert done.returncode in (1, 2), done
    assert "Traceback" not in done.stderr + done.stdout
    return done.stderr + done.stdout


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    assert "is no model" in ended("--model", str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    assert "it lacks tokenizer.json" in ended("--model", str(tmp_path))


@needs_model
def test_a_broken_file_is_named(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(BUNDLED_MODEL, tmp_path / "model"))
    (folder / "tokenizer.json").write_bytes(b"{")
    assert "tokenizer.json" in ended("--model", str(folder))


def test_a_file_of_settings_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"host = '\xff'")
    assert "no UTF-8" in ended("--config", str(tmp_path / "a.toml"))


def test_beyond_this_machine_one_line_says_what_is_missing() -> None:
    said = ended("--host", "0.0.0.0")
    assert "ANTIPHON_API_KEYS" in said and "--without-keys" in said
    assert len(said.strip().splitlines()) == 1


def test_a_mistyped_variable() -> None:
    said = ended(ANTIPHON_APIKEYS="a-long-key")
    assert "ANTIPHON_API_KEYS" in said and "a-long-key" not in said


@needs_model
async def test_traces_that_cannot_be_written_are_said_and_it_serves(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    where = tmp_path / "file" / "traces"
    async with serving("--trace-directory", str(where)) as process:
        assert "http://127.0.0.1" in await said(process)
