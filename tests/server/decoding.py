"""A decoder with nothing behind it, and what it is fed."""

from __future__ import annotations

import base64
import io
from typing import Any

import orjson
from PIL import Image

from server.realtime.decode import Decoder, Step
from server.realtime.model_names import ModelNames
from server.realtime.session_config import SessionConfig
from server.realtime.wire_ids import WireIds

PCM_100MS = base64.b64encode(bytes(4800)).decode()


def new_decoder(**session: Any) -> Decoder:
    return Decoder(WireIds("t"), SessionConfig().changed(session), 0.08, ModelNames("nano"))


def decode(decoder: Decoder, kind: str, **fields: Any) -> list[Step]:
    return decoder.decode(orjson.dumps({"type": kind, **fields}))


def one(decoder: Decoder, kind: str, **fields: Any) -> Any:
    (step,) = decode(decoder, kind, **fields)
    return step


def user(*content: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": list(content), **fields}


def picture(size: tuple[int, int] = (4, 3), form: str = "PNG") -> str:
    stream = io.BytesIO()
    Image.new("RGB", size, (200, 10, 10)).save(stream, form)
    return f"data:image/{form.lower()};base64,{base64.b64encode(stream.getvalue()).decode()}"
