"""Any server with OpenAI's /v1/audio/speech."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import httpx

from audio.pcm import Pcm16Reader
from models.base import AnswerUnavailable, Samples

_TIMEOUT = httpx.Timeout(20.0, connect=5.0)


class EndpointSynthesizer:
    """A models.base.Synthesizer. Asks for raw PCM, which that endpoint gives at 24 kHz."""

    def __init__(
        self,
        url: str,
        model: str = "tts-1",
        voice: str = "alloy",
        key: str = "",
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._asked: dict[str, str | float] = {
            "model": model,
            "voice": voice,
            "response_format": "pcm",
        }
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx.AsyncClient(
            base_url=url.rstrip("/"), headers=headers, timeout=_TIMEOUT, transport=transport
        )

    async def synthesize(self, text: str, speed: float = 1.0) -> AsyncGenerator[Samples, None]:
        """Sound of one sentence at 24 kHz, as it arrives. Raises AnswerUnavailable."""
        reader, body = Pcm16Reader(), {**self._asked, "input": text}
        if speed != 1:  # some servers know no such field
            body["speed"] = speed
        try:
            async with self._client.stream("POST", "/v1/audio/speech", json=body) as response:
                if response.is_error:
                    raise AnswerUnavailable(f"the speech endpoint answered {response.status_code}")
                async for data in response.aiter_bytes():
                    yield reader.push(data)
        except httpx.HTTPError as error:
            raise AnswerUnavailable(f"the speech endpoint: {type(error).__name__}") from error

    async def close(self) -> None:
        await self._client.aclose()
