"""Under which names and at which addresses clients find the one model that is served."""

from __future__ import annotations

from typing import Any

import httpx
import openai
import pytest
from openai import AsyncAzureOpenAI
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from server.realtime.model_names import ModelNames
from tests.server.house import KEY, House, receive

DEFAULTS = ("gpt-realtime-2.1", "gpt-realtime-2", "gpt-realtime-mini", "gpt-4o-realtime-preview")


@pytest.mark.parametrize(
    ("name", "is_answered"),
    [(name, True) for name in (*DEFAULTS, "nano", "", None, "our-own", "team/x")]
    + [(name, False) for name in ("gpt-4o", "whisper-1", "realtime", "nano2", 7)],
)
def test_names_of_the_model(name: object, is_answered: bool) -> None:
    assert ModelNames("nano", ("our-own", "team/*")).answers_to(name) is is_answered


def test_a_refusal_says_which_names_are_served() -> None:
    said = ModelNames("nano", ("our-own",)).refusal("x" * 900)
    assert "'nano'" in said and "'gpt-*realtime*'" in said and "'our-own'" in said
    assert len(said) < 400


@pytest.mark.parametrize("name", DEFAULTS)
async def test_a_client_with_its_own_default_model(house: House, name: str) -> None:
    async with house.sdk as sdk, sdk.realtime.connect(model=name) as connection:
        created: Any = await connection.recv()
        assert created.session.model == "nano"
        wanted: Any = {"type": "realtime", "model": name, "instructions": "Be kind."}
        await connection.session.update(session=wanted)
        updated: Any = await connection.recv()
        assert (updated.session.model, updated.session.instructions) == ("nano", "Be kind.")


async def test_a_short_lived_key_for_a_client_with_its_own_default_model(house: House) -> None:
    session: Any = {"type": "realtime", "model": "gpt-realtime-2.1"}
    async with house.sdk as sdk:
        secret: Any = await sdk.realtime.client_secrets.create(session=session)
    assert secret.session.model == "nano"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/openai/v1/realtime?model=gpt-realtime", {"api-key": KEY}),
        ("/openai/realtime?api-version=2025-04-01-preview&deployment=nano", {"api-key": KEY}),
        ("/realtime?model=gpt-realtime", {"Authorization": f"Bearer {KEY}"}),
    ],
)
async def test_other_addresses(house: House, path: str, headers: dict[str, str]) -> None:
    url = f"ws://{house.host}{path}"
    async with connect(url, additional_headers=headers, proxy=None) as client:
        assert (await receive(client))["type"] == "session.created"


@pytest.mark.parametrize(
    ("path", "status", "named"),
    [
        ("/", 404, "/v1/realtime"),
        ("/v1/realtim", 404, "/v1/realtime"),
        ("/openai/deployments/x/realtime", 404, "/v1/realtime"),
        ("/v1/realtime?model=gpt-4o", 404, "gpt-*realtime*"),
        ("/openai/realtime?deployment=mine", 404, "'nano'"),
    ],
)
async def test_a_wrong_address_is_told_the_right_one(
    house: House, path: str, status: int, named: str
) -> None:
    with pytest.raises(InvalidStatus) as caught:
        await connect(f"ws://{house.host}{path}", additional_headers={"api-key": KEY}, proxy=None)
    assert caught.value.response.status_code == status
    assert named in caught.value.response.body.decode()


@pytest.mark.parametrize(
    ("method", "path", "status", "named"),
    [
        ("GET", "/v1/chat/completions", 404, "/v1/realtime"),
        ("POST", "/v1/realtime/sessions", 404, "/v1/realtime/client_secrets"),
        ("GET", "/v1/realtime", 426, "WebSocket"),
        ("GET", "/openai/v1/realtime", 426, "WebSocket"),
    ],
)
async def test_wrong_plain_http(
    house: House, method: str, path: str, status: int, named: str
) -> None:
    async with httpx.AsyncClient(base_url=f"http://{house.host}") as http:
        answer = await http.request(method, path)
    assert answer.status_code == status
    assert named in answer.json()["error"]["message"]


async def test_the_model_by_its_name(house: House) -> None:
    async with house.sdk as sdk:
        assert (await sdk.models.retrieve("nano")).id == "nano"
        assert (await sdk.models.retrieve("gpt-realtime-2.1")).id == "nano"
        with pytest.raises(openai.NotFoundError, match="gpt-\\*realtime"):
            await sdk.models.retrieve("gpt-4o")


async def test_azures_client_lists_models(house: House) -> None:
    azure = AsyncAzureOpenAI(
        api_key=KEY, base_url=f"http://{house.host}/openai/v1", api_version="v1", max_retries=0
    )
    async with azure:
        assert [model.id async for model in azure.models.list()] == ["nano"]
