"""A decoder with a budget and a clock that stands still, and what it is fed."""

from __future__ import annotations

import base64
import io
from typing import Any

import orjson
import pytest
from PIL import Image

from server.realtime.budget import BudgetSettings, SessionBudget
from server.realtime.decode import Decoder, Step
from server.realtime.refusal import Refusal
from server.realtime.session_config import SessionConfig
from server.realtime.wire_ids import WireIds


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def new_decoder(clock: Clock | None = None, **limits: Any) -> Decoder:
    budget = SessionBudget(BudgetSettings(**limits), clock or Clock())
    return Decoder(WireIds("t", budget), SessionConfig(), 0.08)


def send(decoder: Decoder, kind: str, **fields: Any) -> list[Step]:
    return decoder.decode(orjson.dumps({"type": kind, **fields}))


def refused(decoder: Decoder, kind: str, **fields: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        send(decoder, kind, **fields)
    return caught.value


def message(*content: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": list(content), **fields}


def text(words: str) -> dict[str, Any]:
    return {"type": "input_text", "text": words}


def picture(side: int, form: str = "PNG") -> dict[str, Any]:
    stream = io.BytesIO()
    Image.new("P", (side, side)).save(stream, form)
    data = base64.b64encode(stream.getvalue()).decode()
    return {"type": "input_image", "image_url": f"data:image/{form.lower()};base64,{data}"}
