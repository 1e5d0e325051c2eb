"""Who may not go on with a call, and that nothing is lost when somebody tries."""

from __future__ import annotations

import asyncio
import json

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from server.config import ResumeSettings
from server.resume.vault import Claim
from tests.server.house import KEY, House, receive
from tests.server.resume.resuming import (
    MEMORY,
    ask_to_be_kept,
    is_kept,
    kept_token,
    lose,
    needs_redis,
    send,
    until_written,
    write_turn,
)


async def refused(house: House, query: str, key: str = KEY) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as caught:
        await house.connect(query, additional_headers={"Authorization": f"Bearer {key}"})
    response = caught.value.response
    return response.status_code, json.loads(response.body)["error"]["code"]


async def test_forged_foreign_and_used_tokens_say_the_same_and_lose_nothing() -> None:
    unknown = (404, "resume_token_unknown")
    async with House(resume=MEMORY) as house:
        token = await kept_token(house)
        assert await refused(house, "resume=any.forged") == unknown
        assert await refused(house, f"resume={token}x") == unknown
        assert await refused(house, f"resume={token}", key="test-key-two") == unknown
        assert await refused(house, f"resume={token}", key="nobody's-key") == (
            401,
            "invalid_api_key",
        )
        assert await refused(house, "resume=%00") == (400, "resume_token_invalid")
        async with house.connect(f"resume={token}") as client:
            created = await receive(client, "session.created")
            assert len(created["session"]["antiphon"]["resumed"]["items"]) == 2
            assert await refused(house, f"resume={token}") == unknown
            await write_turn(client, "Still there?")
        await house.until_empty()


async def test_a_token_whose_client_was_lost_at_once_is_good_again() -> None:
    """The client may never have learnt its new token, so it comes with the old one."""
    async with House(resume=MEMORY) as house:
        token = await kept_token(house)
        for _ in range(2):
            client = await house.connect(f"resume={token}")
            await lose(client)
            await house.until_empty()
        async with house.connect(f"resume={token}") as client:
            created = await receive(client, "session.created")
            assert len(created["session"]["antiphon"]["resumed"]["items"]) == 2
            await write_turn(client, "Still there?")
            await lose(client)
        await house.until_empty()
        assert await refused(house, f"resume={token}") == (404, "resume_token_unknown")


async def test_a_token_whose_client_was_lost_while_it_was_taken_is_good_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with House(resume=MEMORY) as house:
        token = await kept_token(house)
        vault = house.service.vault
        assert vault is not None
        take, is_taken, is_lost = vault.take, asyncio.Event(), asyncio.Event()

        async def take_late(claim: Claim) -> None:
            await take(claim)
            is_taken.set()
            await is_lost.wait()

        monkeypatch.setattr(vault, "take", take_late)
        reader, writer = await asyncio.open_connection(*house.host.split(":"))
        writer.write(
            f"GET /v1/realtime?resume={token} HTTP/1.1\r\nHost: {house.host}\r\n"
            f"Authorization: Bearer {KEY}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        await is_taken.wait()
        writer.close()
        await house.until_no_connections()
        is_lost.set()
        await house.until_empty()
        assert await reader.read() == b""
        async with house.connect(f"resume={token}") as client:
            created = await receive(client, "session.created")
            assert len(created["session"]["antiphon"]["resumed"]["items"]) == 2


@needs_redis
async def test_a_lost_server_does_not_bring_a_used_token_back(
    shared: dict[str, ResumeSettings],
) -> None:
    """It does not know that its client is gone: its connection looks open, and it goes on to
    write. As soon as it sees that the call goes on elsewhere, it ends it and its place is free."""
    one, two = House(resume=shared["one"]), House(resume=shared["two"])
    async with one, two, one.connect() as old:
        token = await ask_to_be_kept(old)
        said = await write_turn(old, "My name is Ada.")
        await until_written(one, token, said["id"])
        async with two.connect(f"resume={token}") as again:
            await receive(again, "session.created")
            await send(old, "response.create")
            assert (await receive(old, "error"))["error"]["code"] == "session_resumed"
            with pytest.raises(ConnectionClosed) as caught:
                await receive(old)
            assert caught.value.rcvd is not None and caught.value.rcvd.code == 1001
            await one.until_empty()
            assert await refused(two, f"resume={token}") == (404, "resume_token_unknown")
            await write_turn(again, "Still there?")


async def test_of_two_clients_with_one_token_one_goes_on() -> None:
    async with House(resume=MEMORY) as house:
        token = await kept_token(house)
        tries = [house.connect(f"resume={token}") for _ in range(2)]
        found = await asyncio.gather(*tries, return_exceptions=True)
        (client,) = [one for one in found if isinstance(one, ClientConnection)]
        (error,) = [one for one in found if isinstance(one, InvalidStatus)]
        assert error.response.status_code == 404
        await write_turn(client, "Still there?")
        await client.close()
        await house.until_empty()


async def test_a_full_server_uses_no_token_up() -> None:
    async with House(resume=MEMORY, sessions_per_pair=1) as house:
        token = await kept_token(house)
        async with house.connect() as other:
            await receive(other, "session.created")
            assert await refused(house, f"resume={token}") == (503, "capacity")
        await house.until_empty()
        async with house.connect(f"resume={token}") as client:
            await receive(client, "session.created")


async def test_a_token_expires() -> None:
    async with House(resume=ResumeSettings(store="memory", seconds=1)) as house:
        token = await kept_token(house)
        async with asyncio.timeout(10):
            while await is_kept(house, token):  # noqa: ASYNC110  the store tells only when asked
                await asyncio.sleep(0.05)
        assert await refused(house, f"resume={token}") == (404, "resume_token_unknown")


async def test_a_call_that_its_client_ended_is_forgotten() -> None:
    async with House(resume=MEMORY) as house:
        async with house.connect() as client:
            token = await ask_to_be_kept(client)
            await write_turn(client, "My name is Ada.")
        await house.until_empty()
        async with asyncio.timeout(5):
            while True:
                with pytest.raises(InvalidStatus) as caught:
                    await house.connect(f"resume={token}")
                if caught.value.response.status_code == 404:
                    break


async def test_another_version_is_said_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    async with House(resume=MEMORY) as house:
        token = await kept_token(house)
        with monkeypatch.context() as patch:
            patch.setattr("server.resume.codec.FORMAT", 2)
            assert await refused(house, f"resume={token}") == (409, "resume_version")
        async with house.connect(f"resume={token}") as client:
            await receive(client, "session.created")


async def test_resume_is_off_by_default() -> None:
    async with House() as house:
        assert await refused(house, "resume=any.thing") == (400, "resume_off")
        async with house.connect() as client:
            wanted = {"type": "realtime", "antiphon": {"resume": True}}
            await send(client, "session.update", session=wanted)
            shown = (await receive(client, "session.updated"))["session"]["antiphon"]
            assert "resume_token" not in shown


async def test_a_short_lived_key_resumes_where_it_is_not_known() -> None:
    """The server that made it is another one: only the conversation proves it."""
    async with House(resume=MEMORY) as house:
        secret = house.service.keyring.new_secret(house.service.session, 60)
        bearer = {"Authorization": f"Bearer {secret.value}"}
        client = await house.connect(additional_headers=bearer)
        token = await ask_to_be_kept(client)
        await write_turn(client, "My name is Ada.")
        await lose(client)
        await house.until_empty()
        house.service.keyring._secrets.clear()
        assert await refused(house, "model=nano", secret.value) == (401, "invalid_api_key")
        async with house.connect(f"resume={token}", additional_headers=bearer) as again:
            created = await receive(again, "session.created")
            assert len(created["session"]["antiphon"]["resumed"]["items"]) == 2
