"""openai-python comes back by its own means: docs/clients.md, "When the line is lost"."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from server.config import ResumeSettings
from tests.engine_script import EngineScript, ScriptedAnswer
from tests.server.house import House

ANSWERS = EngineScript(answers=[ScriptedAnswer("Nice to meet you.", word_seconds=0.05)])
KEPT: Any = {"type": "realtime", "antiphon": {"resume": True}}


async def until(events: Any, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(15):
        async for event in events:
            if event.type == kind:
                return dict(event.to_dict())
    raise AssertionError(f"the connection has ended without {kind}")


@pytest.mark.parametrize("loss", ["cut", "drain"])
async def test_openai_python_goes_on_with_its_conversation(loss: str) -> None:
    ticket = {"token": ""}

    def coming_back(_: Any) -> Any:
        return {"extra_headers": {"X-Antiphon-Resume": ticket["token"]}}

    async with House(ANSWERS, resume=ResumeSettings(store="memory")) as house:
        connecting = house.sdk.realtime.connect(model="nano", on_reconnecting=coming_back)
        async with connecting as connection:
            await connection.session.update(session=KEPT)
            updated = await until(connection, "session.updated")
            ticket["token"] = updated["session"]["antiphon"]["resume_token"]
            item: Any = {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "My name is Ada."}],
            }
            await connection.conversation.item.create(item=item)
            await connection.response.create()
            await until(connection, "response.done")
            if loss == "cut":
                connection._connection.transport.abort()
            else:
                for call in house.service.drain._calls:  # as a drain does; the server stays
                    call.ask(patience=5)
            created = await until(connection, "session.created")
            resumed = created["session"]["antiphon"]["resumed"]
            assert len(resumed["items"]) == 2
