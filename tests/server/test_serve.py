"""The command `antiphon serve` as a process of its own, with the embedded engine."""

from __future__ import annotations

import asyncio
import os
import re
import signal
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


async def test_serve_without_a_model_says_so_and_ends(tmp_path: Path) -> None:
    async with serving("--model", str(tmp_path)) as process:
        assert process.stdout is not None
        output = (await asyncio.wait_for(process.stdout.read(), 60)).decode()
        assert "could not be loaded" in output.replace("\n", " ")
        assert await process.wait() == 1
