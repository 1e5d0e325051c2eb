"""What a client does whose call is to go on elsewhere."""

from __future__ import annotations

import asyncio
import json
import shutil
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection

from server.config import ResumeSettings
from server.resume.tokens import ResumeToken
from tests.engine_script import ScriptedAnswer
from tests.server.house import KEY, House, frames, noise, receive, silence

MEMORY = ResumeSettings(store="memory")
needs_redis = pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server")
SLOW = ScriptedAnswer("one two three four five six seven eight", word_seconds=0.3)
FUNCTION = {"type": "function", "name": "weather", "parameters": {"type": "object"}}


async def send(client: ClientConnection, kind: str, **fields: Any) -> None:
    await client.send(json.dumps({"type": kind, **fields}))


async def ask_to_be_kept(client: ClientConnection, **session: Any) -> str:
    """Turn resuming on; the token."""
    wanted = {"type": "realtime", "antiphon": {"resume": True}, **session}
    await send(client, "session.update", session=wanted)
    updated = await receive(client, "session.updated")
    token: str = updated["session"]["antiphon"]["resume_token"]
    return token


async def write_turn(client: ClientConnection, text: str) -> dict[str, Any]:
    """A written question and its whole answer; the answer's item."""
    content = [{"type": "input_text", "text": text}]
    item = {"type": "message", "role": "user", "content": content}
    await send(client, "conversation.item.create", item=item)
    await send(client, "response.create")
    done = await receive(client, "response.done")
    found: dict[str, Any] = done["response"]["output"][0]
    return found


async def speak_turn(client: ClientConnection) -> None:
    for frame in frames(noise(0.6), silence(0.8)):
        await send(client, "input_audio_buffer.append", audio=frame)
        await asyncio.sleep(0.02)


async def until_written(house: House, token: str, item_id: str) -> None:
    """Wait until the store has the call as far as this item."""
    async with asyncio.timeout(10):
        while not await is_kept(house, token, item_id):  # noqa: ASYNC110  it tells only when asked
            await asyncio.sleep(0.05)


async def is_kept(house: House, token: str, item_id: str = "") -> bool:
    """Whether the store has the call, and this item of it."""
    assert house.service.vault is not None
    claim = await house.service.vault.claim(ResumeToken(token), KEY)
    if claim is None:
        return False
    turns = claim.kept.snapshot.resumed.turns
    return not item_id or any(turn.item_id == item_id for turn in turns)


async def lose(client: ClientConnection) -> None:
    """The network is gone, without a word."""
    client.transport.abort()
    await client.wait_closed()


async def kept_token(house: House) -> str:
    """The token of a call that was lost after one turn."""
    client = await house.connect()
    token = await ask_to_be_kept(client)
    await write_turn(client, "My name is Ada.")
    await lose(client)
    await house.until_empty()
    return token
