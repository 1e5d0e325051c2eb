"""tests: every signature of vLLM that we use is there, in each version that is at hand.

VLLM_SOURCES names folders that hold a package `vllm` (`make test-vllm` puts the newest wheel into
one); the installed one is asked too.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from models.engines.vllm.launch import EngineSize, arguments
from tests.models.engines.vllm.signatures import Call, Package, calls_in

OURS = Path(__file__).resolve().parents[4] / "models" / "engines" / "vllm"
ENGINE = ("vllm.v1.engine.async_llm", "AsyncLLM")
METHODS = {
    "generate": {"prompt", "sampling_params", "request_id", "priority"},
    "from_engine_args": {"engine_args"},
    "shutdown": set(),
    "get_num_unfinished_requests": set(),
    "reset_prefix_cache": set(),
}
ATTRIBUTES = {
    ENGINE: {"output_handler", "engine_core"},
    ("vllm.outputs", "RequestOutput"): {"outputs", "num_cached_tokens", "finished"},
    ("vllm.outputs", "CompletionOutput"): {"token_ids", "logprobs", "finish_reason"},
    ("vllm.logprobs", "Logprob"): {"logprob"},
}


def sources() -> list[Path | None]:
    named = [Path(name) for name in os.environ.get("VLLM_SOURCES", "").split(os.pathsep) if name]
    installed = find_spec("vllm")
    if installed is not None and installed.origin is not None:
        named.append(Path(installed.origin).parents[1])
    return [path for path in named if (path / "vllm").is_dir()] or [None]


@pytest.fixture(params=sources(), ids=lambda path: "none" if path is None else path.name)
def package(request: pytest.FixtureRequest) -> Package:
    if request.param is None:
        pytest.skip("no vLLM is at hand (VLLM_SOURCES)")
    return Package(request.param)


@pytest.mark.parametrize("call", list(calls_in(OURS)), ids=lambda c: f"{c.name}@{c.place}")
def test_what_we_call_takes_what_we_give(package: Package, call: Call) -> None:
    signature = package.signature(call.module, call.name)
    if signature is None or call.place.endswith("import"):
        return
    assert signature.is_open or call.keywords <= signature.names
    assert signature.positional is None or call.positional <= signature.positional


@pytest.mark.parametrize("method", METHODS)
def test_methods_of_the_engine(package: Package, method: str) -> None:
    assert METHODS[method] <= package.method(*ENGINE, method).names


@pytest.mark.parametrize("owner", ATTRIBUTES, ids=lambda owner: owner[1])
def test_attributes_that_we_read(package: Package, owner: tuple[str, str]) -> None:
    found = package.attributes(*owner)
    signature = package.signature(*owner)
    assert ATTRIBUTES[owner] <= found | (signature.names if signature else set())


def test_options_of_an_engine(package: Package) -> None:
    size = EngineSize(tokens=9, cache_bytes=9, weights_sockets=Path("sockets"))
    signature = package.signature("vllm.engine.arg_utils", "AsyncEngineArgs")
    assert signature is not None
    assert set(arguments(Path("model"), size, "auto", 16)) <= signature.names


def test_a_missing_one_would_be_seen(tmp_path: Path) -> None:
    module = tmp_path / "vllm" / "__init__.py"
    module.parent.mkdir()
    module.write_text("def tokens_input(ids, *, salt=None): ...\nclass A:\n    x: int\n")
    package = Package(tmp_path)
    signature = package.signature("vllm", "tokens_input")
    assert signature is not None
    assert (signature.names, signature.positional) == ({"ids", "salt"}, 1)
    assert package.attributes("vllm", "A") == {"x"}
    with pytest.raises(LookupError):
        package.signature("vllm", "gone")
    with pytest.raises(LookupError):
        package.signature("vllm.outputs", "RequestOutput")
