"""A real language model behind an OpenAI-compatible address, for the length of the tests.

LLM_PYTHON names the Python of an environment that can serve it (make test-llm makes one).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVE = Path(__file__).with_name("serve_smollm.py")


@pytest.fixture(scope="session")
def smollm() -> Iterator[str]:
    """The address up to /v1."""
    python = os.environ.get("LLM_PYTHON")
    if python is None:
        pytest.skip("no real language model here: make test-llm serves one")
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [python, SERVE], stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, encoding="utf-8"
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, "the language model's server ended at once"
        yield f"{address}/v1"
        process.stdin.close()
        process.terminate()
