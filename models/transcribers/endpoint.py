"""A transcriber behind any server with OpenAI's /v1/audio/transcriptions."""

from __future__ import annotations

import io

import httpx
import numpy as np
import soundfile

from models.base import HEAR_RATE, InstanceFailed, Samples

_SECONDS, _CONNECT_SECONDS = 10.0, 3.0


class EndpointTranscriber:
    """A models.base.Transcriber. It waits in the caller's thread for the server's answer."""

    def __init__(
        self,
        url: str,
        model: str = "whisper-1",
        language: str = "en",
        key: str = "",
        seconds: float = _SECONDS,
    ) -> None:
        """`url`: up to and with /v1, or up to it. `seconds`: how long an answer may take."""
        base = url.rstrip("/").removesuffix("/v1")
        self._address = f"{base}/v1/audio/transcriptions"
        self._asked = {"model": model, "language": language, "response_format": "json"}
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        timeout = httpx.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS))
        self._client = httpx.Client(headers=headers, timeout=timeout)

    def transcribe(self, samples: Samples) -> str:
        """The words in samples [n] at 16 kHz. Raises InstanceFailed."""
        try:
            response = self._client.post(
                self._address, data=self._asked, files={"file": ("speech.wav", _wav(samples))}
            )
            if response.is_error:
                raise InstanceFailed(f"the transcriber's address answered {response.status_code}")
            text = response.json()["text"]
            if not isinstance(text, str):
                raise ValueError(type(text).__name__)
        except httpx.HTTPError as error:
            raise InstanceFailed(f"the transcriber's address: {type(error).__name__}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise InstanceFailed("the transcriber's address gave no text") from error
        return text.strip()

    def close(self) -> None:
        self._client.close()


def _wav(samples: Samples) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(samples, -1, 1), HEAR_RATE, format="WAV", subtype="PCM_16")
    return buffer.getvalue()
