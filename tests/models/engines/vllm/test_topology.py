"""tests: two engines where they fit, one where they do not, and what an engine is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from models.engines.vllm.launch import EngineSize, arguments
from models.engines.vllm.topology import Needs, Topology, is_dual

GIBIBYTE = 2**30
SEVEN = Needs(weights=15 * GIBIBYTE, stream=230 * 2**20)  # bytes of a model of the size of VITA-1.5


@pytest.mark.parametrize(
    ("wish", "needs", "there", "pairs", "dual"),
    [
        ("auto", SEVEN, 80, 1, True),
        ("auto", SEVEN, 24, 1, False),
        ("auto", SEVEN, 80, 4, False),
        ("auto", replace(SEVEN, is_shared=True), 24, 1, True),
        ("dual", SEVEN, 24, 1, True),
        ("single", SEVEN, 80, 1, False),
    ],
)
def test_dual_where_it_fits(
    wish: Topology, needs: Needs, there: int, pairs: int, dual: bool
) -> None:
    assert is_dual(wish, needs, there * GIBIBYTE, pairs) is dual


def test_sessions_that_wait_for_sound_take_no_place_of_an_answer() -> None:
    """vLLM counts a parked session as a running sequence."""
    size = EngineSize(tokens=1025, sequences=64, parked=128)
    assert arguments(Path("model"), size, "bfloat16", 16)["max_num_seqs"] == 192


def test_every_engine_answers_by_priority_and_keeps_prefixes() -> None:
    given = arguments(Path("model"), EngineSize(tokens=1025), "bfloat16", 16)
    assert given["scheduling_policy"] == "priority"
    assert given["enable_prefix_caching"] is True
    assert given["max_model_len"] == 1025
    assert "load_format" not in given
    assert "kv_cache_memory_bytes" not in given


def test_shared_weights_come_from_a_daemon_or_not_at_all() -> None:
    size = EngineSize(tokens=1025, weights_sockets=Path("sockets"), cache_bytes=64)
    given = arguments(Path("model"), size, "bfloat16", 16)
    assert given["load_format"] == "ipc_cache"
    extra = {"socket_dir": "sockets", "fallback": False}
    assert given["model_loader_extra_config"] == extra
    assert given["kv_cache_memory_bytes"] == 64
