"""A conversation as the messages of /v1/chat/completions.

Source: the OpenAI API reference, "Create chat completion".
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any, TypeAlias

from PIL import Image

from models.base import (
    AnswerOptions,
    AssistantText,
    Conversation,
    FunctionCall,
    FunctionOutput,
    Instructions,
    Item,
    Tool,
    UserImage,
    UserSound,
    UserText,
)

Message: TypeAlias = dict[str, Any]
UNSEEN = "(An image that you cannot see.)"
CUT = "…"  # behind the heard words of an answer that was interrupted
_QUALITY = 85  # of the JPEG that an image is sent as


def messages(
    conversation: Conversation,
    options: AnswerOptions,
    style: str = "",
    see: Callable[[UserImage], str] | None = None,
) -> list[Message]:
    """The request's messages: at first what the operator and the client say, then the turns.

    `style` is added to the instructions of an answer that is spoken. `see` makes the address of an
    image; None: the model takes no images. Turns of one side in a row become one message, because
    many chat templates refuse others.
    """
    told = [i.text for i in conversation.items if isinstance(i, Instructions)]
    if options.instructions is not None:
        told = [options.instructions]
    if options.speak:
        told.append(style)
    system = "\n\n".join(text for text in told if text)
    found: list[Message] = [{"role": "system", "content": system}] if system else []
    for are_calls, items in groupby(conversation.items, lambda i: isinstance(i, FunctionCall)):
        if are_calls:
            found += _called([i for i in items if isinstance(i, FunctionCall)], conversation)
        else:
            _add_all(found, items, see)
    return found


def tools(offered: tuple[Tool, ...]) -> list[Message]:
    """The functions as the request names them."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters or {"type": "object", "properties": {}},
            },
        }
        for tool in offered
    ]


def image_address(image: UserImage) -> str:
    """The image as a data address that holds a JPEG; takes milliseconds."""
    buffer = io.BytesIO()
    Image.fromarray(image.pixels, "RGB").save(buffer, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _called(calls: Sequence[FunctionCall], conversation: Conversation) -> list[Message]:
    """Calls that were made together, and their results behind them, where the API wants them
    whatever was said in the meantime. A result that never came is empty."""
    outputs = {i.call_id: i.output for i in conversation.items if isinstance(i, FunctionOutput)}
    made = [
        {"id": c.call_id, "type": "function", "function": _function(c.name, c.arguments)}
        for c in calls
    ]
    results: list[Message] = [
        {"role": "tool", "tool_call_id": c.call_id, "content": outputs.get(c.call_id, "")}
        for c in calls
    ]
    return [{"role": "assistant", "content": None, "tool_calls": made}, *results]


def _function(name: str, arguments: str) -> dict[str, str]:
    return {"name": name, "arguments": arguments or "{}"}


def _add_all(
    found: list[Message], items: Iterable[Item], see: Callable[[UserImage], str] | None
) -> None:
    """Append what was said; turns of the same side become one message."""
    for item in items:
        message = _message(item, see)
        last = found[-1] if found else None
        if message is None:
            continue
        if last is None or last["role"] != message["role"]:
            found.append(message)
        else:
            last["content"] = _joined(last["content"], message["content"])


def _message(item: Item, see: Callable[[UserImage], str] | None) -> Message | None:
    """What one item says; None for what is no turn, or is put elsewhere."""
    match item:
        case UserText(text):
            return {"role": "user", "content": text}
        case UserSound(words=words):
            return {"role": "user", "content": words}
        case UserImage():
            return {"role": "user", "content": _image_parts(item, see)}
        case AssistantText(text, cut):
            said = f"{text.rstrip()}{CUT}" if cut else text
            return {"role": "assistant", "content": said} if text.strip() else None
        case Instructions() | FunctionCall() | FunctionOutput():
            return None


def _image_parts(
    image: UserImage, see: Callable[[UserImage], str] | None
) -> str | list[dict[str, Any]]:
    if see is None:
        return UNSEEN
    address = {"url": see(image), "detail": image.detail}
    return [{"type": "image_url", "image_url": address}]


def _joined(
    first: str | list[dict[str, Any]], second: str | list[dict[str, Any]]
) -> str | list[dict[str, Any]]:
    """Two contents as one: text where both are text, else parts."""
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}\n{second}"
    return [*_parts(first), *_parts(second)]


def _parts(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content
