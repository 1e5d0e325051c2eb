"""A conversation item as the client writes it: what models read, what is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from models.base import (
    AssistantText,
    FunctionCall,
    FunctionOutput,
    Instructions,
    Item,
    UserSound,
    UserText,
)
from server.realtime.budget import EXCEEDED, Bill, Cost, SessionBudget
from server.realtime.formats import AudioFormat, decode_whole
from server.realtime.images import KEPT_IMAGES, EncodedImage, read_image
from server.realtime.refusal import MISSING, Refusal, from_validation, path

ItemId = Annotated[str, Field(min_length=1, max_length=128)]
_MAX_TEXT = 200_000
Text = Annotated[str, Field(max_length=_MAX_TEXT)]


class _Lenient(BaseModel):
    """Items come from histories of many makers: a key that means nothing here is passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Content(_Lenient):
    type: Literal[
        "input_text", "input_audio", "input_image", "output_text", "output_audio", "text", "audio"
    ]
    text: Text | None = None
    transcript: Text | None = None
    audio: str | None = None
    image_url: str | None = None
    detail: Literal["auto", "low", "high"] | None = None


def served_role(value: Any) -> Any:
    """What a developer says counts as what the system says."""
    return "system" if value == "developer" else value


class MessageItem(_Lenient):
    type: Literal["message"]
    id: ItemId | None = None
    role: Annotated[Literal["system", "user", "assistant"], BeforeValidator(served_role)]
    phase: str | None = Field(default=None, max_length=64)
    content: list[Content] = Field(max_length=64)


class FunctionCallItem(_Lenient):
    type: Literal["function_call"]
    id: ItemId | None = None
    call_id: str | None = Field(default=None, max_length=128)
    name: str = Field(max_length=64)
    arguments: Text


class FunctionOutputItem(_Lenient):
    type: Literal["function_call_output"]
    id: ItemId | None = None
    call_id: str = Field(max_length=128)
    output: Text


class Reference(_Lenient):
    type: Literal["item_reference"]
    id: ItemId


NewItem: TypeAlias = MessageItem | FunctionCallItem | FunctionOutputItem
_ITEM: TypeAdapter[NewItem] = TypeAdapter(Annotated[NewItem, Field(discriminator="type")])
_INPUT: TypeAdapter[NewItem | Reference] = TypeAdapter(
    Annotated[NewItem | Reference, Field(discriminator="type")]
)


@dataclass(frozen=True, slots=True)
class ReadItem:
    """An item taken apart: `parts` for the models, `wire` what clients are shown (without sound
    and pixels), `item_id` None where the client chose none, `cost` what it adds to the session."""

    item_id: str | None
    role: str
    parts: tuple[Item, ...]
    wire: dict[str, Any]
    cost: Cost = field(default_factory=Cost)


def read_item(
    value: Any, form: AudioFormat, param: str = "item", bill: Bill | None = None
) -> ReadItem:
    """A new item; `form` is the session's input format. Everything is counted on the bill before
    any sound or picture is decoded. Raises Refusal naming the field."""
    try:
        item = _ITEM.validate_python(_as_message(value))
    except ValidationError as error:
        raise from_validation(error, param) from None
    return _taken_apart(item, form, param, bill or SessionBudget().new_bill())


def read_input(
    value: Any, form: AudioFormat, param: str, bill: Bill | None = None
) -> ReadItem | Reference:
    """One entry of a response's own `input`: an item, or a reference to one that is there."""
    try:
        item = _INPUT.validate_python(_as_message(value))
    except ValidationError as error:
        raise from_validation(error, param) from None
    if isinstance(item, Reference):
        return item
    return _taken_apart(item, form, param, bill or SessionBudget().new_bill())


# What a model reads of a part: the same part where that is all of it.
Fit: TypeAlias = Callable[[Item], Item]


def shortened(item: ReadItem, fit: Fit) -> ReadItem:
    """The item as the model will know it. Where that is less than the client has written, the wire
    shows it: the shorter text, and the status "incomplete". Raises Refusal for what cannot be
    shortened: sound and the arguments of a call."""
    parts = _fitted(item.parts, fit)
    if all(after is before for before, after in zip(item.parts, parts, strict=True)):
        return item
    wire = dict(item.wire) | {"status": "incomplete"}
    if "content" in wire:
        wire["content"] = [dict(content) for content in wire["content"]]
    for index, (before, after) in enumerate(zip(item.parts, parts, strict=True)):
        if after is not before:
            _show_shorter(wire, index, after)
    return replace(item, parts=parts, wire=wire)


def _fitted(parts: tuple[Item, ...], fit: Fit) -> tuple[Item, ...]:
    """The parts as far as they are read: the texts of one message have the room of one text."""
    said, found = "", list[Item]()
    for part in parts:
        if isinstance(part, UserText | AssistantText | Instructions):
            read = fit(replace(part, text=said + part.text))
            assert isinstance(read, UserText | AssistantText | Instructions)
            kept = read.text[len(said) :]
            said += kept
            found.append(part if kept == part.text else replace(part, text=kept))
        else:
            found.append(fit(part))
    return tuple(found)


def _show_shorter(wire: dict[str, Any], index: int, part: Item) -> None:
    match part:
        case UserText(text) | AssistantText(text) | Instructions(text):
            shown = wire["content"][index]
            shown["transcript" if "transcript" in shown else "text"] = text
        case FunctionOutput(output=output):
            wire["output"] = output
        case _:
            raise _too_long(index, "item")


def check_fits(item: ReadItem, fit: Fit, param: str) -> None:
    """Raises Refusal for a part that is longer than the model reads."""
    for index, part in enumerate(_fitted(item.parts, fit)):
        if part is not item.parts[index]:
            raise _too_long(index, param)


def _too_long(index: int, param: str) -> Refusal:
    message = "This is longer than the model can read in one item."
    return Refusal(message, code=EXCEEDED, param=path(param, "content", index))


def _as_message(value: Any) -> Any:
    """An item with a role and no type is a message."""
    if isinstance(value, dict) and "role" in value and "type" not in value:
        return {**value, "type": "message"}
    return value


def _taken_apart(item: NewItem, form: AudioFormat, param: str, bill: Bill) -> ReadItem:
    if isinstance(item, MessageItem):
        parts = tuple(_message_parts(item, form, path(param, "content"), bill))
        return ReadItem(item.id, item.role, parts, _message_wire(item), bill.cost)
    if isinstance(item, FunctionCallItem):
        bill.add_text(item.arguments, path(param, "arguments"))
        call = FunctionCall(item.name, item.arguments, item.call_id or "")
        return ReadItem(item.id, "assistant", (call,), _completed(item), bill.cost)
    bill.add_text(item.output, path(param, "output"))
    output = FunctionOutput(item.call_id, item.output)
    return ReadItem(item.id, "tool", (output,), _completed(item), bill.cost)


def _completed(item: FunctionCallItem | FunctionOutputItem) -> dict[str, Any]:
    return item.model_dump(exclude={"id"}, exclude_none=True) | {"status": "completed"}


def _message_parts(
    message: MessageItem, form: AudioFormat, param: str, bill: Bill
) -> Iterator[Item]:
    if sum(content.type == "input_image" for content in message.content) > KEPT_IMAGES:
        raise Refusal(f"An item holds at most {KEPT_IMAGES} images.", param=param)
    counted = [
        _counted(content, message.role, form, path(param, index), bill)
        for index, content in enumerate(message.content)
    ]
    for index, (content, part) in enumerate(zip(message.content, counted, strict=True)):
        if isinstance(part, EncodedImage):
            yield part.decode()
        elif part is None:
            yield _sound(content, form, path(param, index))
        else:
            yield part


def _counted(
    content: Content, role: str, form: AudioFormat, param: str, bill: Bill
) -> EncodedImage | Item | None:
    """One part, counted on the bill; a picture is not decoded yet, nor is sound (None)."""
    kind = _kind(content, role, param)
    bill.add_text(content.transcript, path(param, "transcript"))
    if kind == "input_image":
        bill.check_picture(path(param, "type"))
        image = _image(content, param)
        bill.add_picture(image.pixels, image.decoded_bytes, image.param)
        return image
    if kind == "input_audio":
        bill.add_sound(len(content.audio or ""), form, path(param, "audio"))
        return None
    bill.add_text(content.text, path(param, "text"))
    return _words(content, role, param)


def _kind(content: Content, role: str, param: str) -> str:
    """The content's type in today's words. Raises Refusal where the role cannot have it."""
    kind = {"audio": "output_audio", "text": _text_kind(role)}.get(content.type, content.type)
    allowed = {
        "system": ("input_text",),
        "user": ("input_text", "input_audio", "input_image"),
        "assistant": ("output_text", "output_audio"),
    }[role]
    if kind not in allowed:
        message = f"A {role} message holds {' or '.join(allowed)}, not {content.type}."
        raise Refusal(message, param=path(param, "type"))
    return kind


def _text_kind(role: str) -> str:
    return "output_text" if role == "assistant" else "input_text"


def _needed(value: str | None, param: str) -> str:
    if value is None:
        raise Refusal(f"Missing required parameter: '{param}'.", code=MISSING, param=param)
    return value


def _image(content: Content, param: str) -> EncodedImage:
    where = path(param, "image_url")
    return read_image(_needed(content.image_url, where), where, content.detail or "auto")


def _sound(content: Content, form: AudioFormat, param: str) -> UserSound:
    where = path(param, "audio")
    samples = decode_whole(_needed(content.audio, where), form, where)
    return UserSound(samples=samples, words=content.transcript or "")


def _words(content: Content, role: str, param: str) -> Item:
    said = content.text if content.text is not None else content.transcript
    field = "transcript" if content.type in ("output_audio", "audio") else "text"
    text = _needed(said, path(param, field))
    if role == "system":
        return Instructions(text)
    return UserText(text) if role == "user" else AssistantText(text)


def _message_wire(message: MessageItem) -> dict[str, Any]:
    shown = {
        "type": "message",
        "role": message.role,
        "status": "completed",
        "content": [_content_wire(part, message.role) for part in message.content],
    }
    return shown if message.phase is None else shown | {"phase": message.phase}


def _content_wire(content: Content, role: str) -> dict[str, Any]:
    kind = _kind(content, role, "content")
    if kind == "input_audio":
        # Clients break where this key is missing, and accept null.
        return {"type": kind, "transcript": content.transcript}
    if kind == "input_image":
        return {"type": kind, "detail": content.detail or "auto"}
    said = content.text if content.text is not None else content.transcript
    return {"type": kind, ("transcript" if kind == "output_audio" else "text"): said}
