"""The doctor: what it finds at an address, and its prediction beside real calls."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmarks.scripted_chat import ScriptedChat, ScriptedReply
from server.__main__ import app
from server.cascade import chat_settings
from server.config import ServerSettings
from server.doctor.address import examine
from server.doctor.command import diagnose

FIRST = 0.6  # seconds to the first token: most of the latency, so that a busy machine matters less


def able(body: Any) -> ScriptedReply:
    """An address with tools, eyes and a prefix cache that knows what it has seen."""
    if body.get("tools"):
        return ScriptedReply((), calls=[("get_time", "{}")])
    prefix = body["messages"][0]["content"]
    first = 0.02 if prefix in seen else 0.3
    seen.add(prefix)
    return ScriptedReply([f"word{n} " for n in range(12)], first, 0.01)


seen: set[str] = set()


def settings(url: str) -> ServerSettings:
    return ServerSettings(llm=(url,), llm_model="scripted", port=0, sessions_per_pair=2)


async def test_what_an_able_address_can() -> None:
    async with ScriptedChat(able) as address:
        report = await examine(chat_settings(settings(address.url))[0])
    assert report.models == ("scripted",)
    assert report.tools and report.images and report.has_prefix_cache
    assert report.cold is not None and report.cold >= 0.3
    assert report.tokens_a_second is not None and 30 < report.tokens_a_second < 110
    assert report.failures == []


async def test_what_a_poor_address_cannot() -> None:
    def poor(body: Any) -> ScriptedReply:
        if body.get("tools"):
            return ScriptedReply(status=400, body=b"tools are not supported")
        if "image_url" in json.dumps(body["messages"]):
            return ScriptedReply(status=400, body=b"image input is not supported")
        return ScriptedReply(("Well.",), 0.05)  # read before or not: the same first token

    async with ScriptedChat(poor) as address:
        report = await examine(chat_settings(settings(address.url))[0])
    assert report.tools is None and report.images is False
    assert any(failure.startswith("tools:") for failure in report.failures)
    assert not report.has_prefix_cache


@pytest.mark.timeout(240)
async def test_the_prediction_holds_within_thirty_per_cent() -> None:
    reply = ScriptedReply([f"word{n} " for n in range(12)], FIRST, 0.02)
    async with ScriptedChat(lambda _: reply) as address:
        found = await diagnose(settings(address.url))
    assert found.predicted is not None and found.measured is not None
    assert found.measured == pytest.approx(found.predicted, rel=0.3)


def test_nobody_there_is_one_line() -> None:
    ended = CliRunner().invoke(app, ["doctor", "--llm", "http://127.0.0.1:9/v1"])
    assert ended.exit_code == 2
    assert "Traceback" not in ended.output
