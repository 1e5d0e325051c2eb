"""Items that clients put into the conversation: words, sound, pictures, calls and their outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from duplex import events
from models.base import (
    AssistantText,
    FunctionCall,
    FunctionOutput,
    Instructions,
    UserImage,
    UserText,
)
from tests.server.decoding import PCM_100MS, decode, new_decoder, one, picture, user


@pytest.mark.parametrize(
    ("item", "role", "parts"),
    [
        (user({"type": "input_text", "text": "hi"}), "user", (UserText("hi"),)),
        ({"role": "user", "content": [{"type": "text", "text": "x"}]}, "user", (UserText("x"),)),
        (
            {
                "type": "message",
                "role": "system",
                "content": [{"type": "input_text", "text": "be kind"}],
            },
            "system",
            (Instructions("be kind"),),
        ),
        (
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_audio", "transcript": "yes"}],
            },
            "assistant",
            (AssistantText("yes"),),
        ),
        (
            {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c"},
            "assistant",
            (FunctionCall("f", "{}", "c"),),
        ),
        (
            {"type": "function_call_output", "call_id": "c", "output": "3"},
            "tool",
            (FunctionOutput("c", "3"),),
        ),
    ],
)
def test_items(item: dict[str, Any], role: str, parts: tuple[Any, ...]) -> None:
    offered = one(new_decoder(), "conversation.item.create", item=item | {"id": "mine"})
    assert (offered.item_id, offered.role, offered.parts) == ("mine", role, parts)
    assert offered.wire["status"] == "completed"
    assert "id" not in offered.wire


def test_items_without_a_name_get_one() -> None:
    decoder = new_decoder()
    item = user({"type": "input_text", "text": "hi"})
    first = one(decoder, "conversation.item.create", item=item, previous_item_id="root")
    second = one(decoder, "conversation.item.create", item=item)
    assert first.item_id != second.item_id
    assert (first.previous_item_id, second.previous_item_id) == ("root", None)


def test_sound_item() -> None:
    item = user({"type": "input_audio", "audio": PCM_100MS})
    offered = one(new_decoder(), "conversation.item.create", item=item)
    assert len(offered.parts[0].samples) == 1600
    assert offered.wire["content"] == [{"type": "input_audio", "transcript": None}]


def test_images_are_read_and_the_last_eight_kept() -> None:
    decoder = new_decoder()
    dropped: list[Any] = []
    pixels: Any = None
    for number in range(10):
        item = user({"type": "input_image", "image_url": picture()}, id=f"image{number}")
        offered, *rest = decode(decoder, "conversation.item.create", item=item)
        assert isinstance(offered, events.ItemOffered)
        image = offered.parts[0]
        assert isinstance(image, UserImage)
        pixels = image.pixels
        dropped += rest
    gone = [events.ItemDeleteRequested(f"image{n}", outdated=True) for n in range(2)]
    assert dropped == gone
    assert pixels.shape == (3, 4, 3)
    np.testing.assert_array_equal(pixels[0, 0], (200, 10, 10))


def test_how_closely_to_look_is_passed_on() -> None:
    for detail in ("auto", "low", "high"):
        content = {"type": "input_image", "image_url": picture(), "detail": detail}
        offered = one(new_decoder(), "conversation.item.create", item=user(content))
        assert offered.parts[0].detail == detail


def test_large_image_is_made_smaller() -> None:
    item = user({"type": "input_image", "image_url": picture((3000, 1000), "JPEG")})
    offered = one(new_decoder(), "conversation.item.create", item=item)
    assert offered.parts[0].pixels.shape == (341, 1024, 3)
