"""One answer as the protocol's sequence of events.

Whatever comes in whatever order, the sequence holds: created, then for each item added, its parts,
deltas, every done, and response.done last and once. An item is announced with its first content.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from duplex.actions import ResponseCallAdded, ResponseEnded, ResponseStarted, ResponseStatus
from models.base import Samples
from server.realtime.formats import SoundWriter
from server.realtime.session_config import SessionConfig, token_limit

WireEvent: TypeAlias = dict[str, Any]


class ResponseWire:
    """The events of one response; `session` is the configuration that it began under."""

    def __init__(
        self, started: ResponseStarted, name: str, conversation_id: str, session: SessionConfig
    ) -> None:
        self.item_id = started.item_id
        self.in_conversation = started.in_conversation
        self._started = started
        self._previous_item_id = started.previous_item_id
        self._name = name
        self._conversation_id = conversation_id if started.in_conversation else None
        self._session = session
        self._speaks = started.options.speak
        self._sound = SoundWriter(session.audio.output.format) if self._speaks else None
        self._sent_sound = False
        self._texts: list[str] = []
        self._message_index: int | None = None
        self._output: list[dict[str, Any]] = []

    def forget_previous(self, item_id: str, before: str | None) -> None:
        """An item is deleted: what stood behind it stands behind the one `before` it."""
        if self._previous_item_id == item_id:
            self._previous_item_id = before

    # ------------------------------------------------------------------------------ events

    def begin(self) -> Iterator[WireEvent]:
        yield {"type": "response.created", "response": self._response("in_progress")}

    def add_text(self, text: str) -> Iterator[WireEvent]:
        if not text:
            return
        yield from self._open_message()
        self._texts.append(text)
        kind = "response.output_audio_transcript" if self._speaks else "response.output_text"
        yield {"type": f"{kind}.delta", **self._place(), "delta": text}

    def add_sound(self, samples: Samples) -> Iterator[WireEvent]:
        if self._sound is None:
            return
        yield from self._open_message()
        yield from self._sound_delta(self._sound.push(samples))

    def add_call(self, call: ResponseCallAdded) -> Iterator[WireEvent]:
        item = {
            "id": call.item_id,
            "object": "realtime.item",
            "type": "function_call",
            "status": "in_progress",
            "call_id": call.call_id,
            "name": call.name,
            "arguments": "",
        }
        index = self._add_output(item)
        yield from self._announce(item, index, call.previous_item_id)
        place = {
            "response_id": self._name,
            "item_id": call.item_id,
            "output_index": index,
            "call_id": call.call_id,
        }
        kind = "response.function_call_arguments"
        yield {"type": f"{kind}.delta", **place, "delta": call.arguments}
        yield {"type": f"{kind}.done", **place, "name": call.name, "arguments": call.arguments}
        done = item | {"arguments": call.arguments, "status": "completed"}
        yield from self._finish(done, index, call.previous_item_id)

    def end(self, ended: ResponseEnded) -> Iterator[WireEvent]:
        completed = ended.status is ResponseStatus.COMPLETED
        if self._message_index is not None:
            yield from self._close_message("completed" if completed else "incomplete", completed)
        yield {
            "type": "response.done",
            "response": self._response(ended.status.value)
            | {"status_details": _status_details(ended), "usage": _usage(ended)},
        }

    # ---------------------------------------------------------------------- the message item

    def _open_message(self) -> Iterator[WireEvent]:
        if self._message_index is not None:
            return
        item = self._message("in_progress", [])
        self._message_index = self._add_output(item)
        yield from self._announce(item, self._message_index, self._previous_item_id)
        yield {"type": "response.content_part.added", **self._place(), "part": self._part("")}

    def _close_message(self, status: str, completed: bool) -> Iterator[WireEvent]:
        assert self._message_index is not None
        text, place = "".join(self._texts), self._place()
        if self._sound is not None:
            if completed and self._sent_sound:
                yield from self._sound_delta(self._sound.flush())
            yield {"type": "response.output_audio.done", **place}
            kind = "response.output_audio_transcript.done"
            yield {"type": kind, **place, "transcript": text}
        else:
            yield {"type": "response.output_text.done", **place, "text": text}
        yield {"type": "response.content_part.done", **place, "part": self._part(text)}
        item = self._message(status, [self._content(text)])
        yield from self._finish(item, self._message_index, self._previous_item_id)

    def _sound_delta(self, encoded: str) -> Iterator[WireEvent]:
        if encoded:
            self._sent_sound = True
            yield {"type": "response.output_audio.delta", **self._place(), "delta": encoded}

    def _place(self) -> dict[str, Any]:
        return {
            "response_id": self._name,
            "item_id": self.item_id,
            "output_index": self._message_index,
            "content_index": 0,
        }

    def _message(self, status: str, content: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.item_id,
            "object": "realtime.item",
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": content,
        }

    def _part(self, text: str) -> dict[str, Any]:
        """A part is called "audio" or "text", where the same content in an item is output_..."""
        if self._speaks:
            return {"type": "audio", "transcript": text}
        return {"type": "text", "text": text}

    def _content(self, text: str) -> dict[str, Any]:
        if self._speaks:
            return {"type": "output_audio", "transcript": text}
        return {"type": "output_text", "text": text}

    # --------------------------------------------------------------------------- all items

    def _add_output(self, item: dict[str, Any]) -> int:
        self._output.append(item)
        return len(self._output) - 1

    def _announce(
        self, item: dict[str, Any], index: int, previous: str | None
    ) -> Iterator[WireEvent]:
        yield self._output_item("added", item, index)
        if self._conversation_id is not None:
            yield {"type": "conversation.item.added", "item": item, "previous_item_id": previous}

    def _finish(
        self, item: dict[str, Any], index: int, previous: str | None
    ) -> Iterator[WireEvent]:
        self._output[index] = item
        yield self._output_item("done", item, index)
        if self._conversation_id is not None:
            yield {"type": "conversation.item.done", "item": item, "previous_item_id": previous}

    def _output_item(self, what: str, item: dict[str, Any], index: int) -> WireEvent:
        return {
            "type": f"response.output_item.{what}",
            "response_id": self._name,
            "output_index": index,
            "item": item,
        }

    def _response(self, status: str) -> dict[str, Any]:
        output = self._session.audio.output
        return {
            "id": self._name,
            "object": "realtime.response",
            "conversation_id": self._conversation_id,
            "metadata": self._started.metadata,
            "status": status,
            "status_details": None,
            "output": list(self._output),
            "output_modalities": ["audio" if self._speaks else "text"],
            "max_output_tokens": self._most_tokens(),
            "audio": {"output": {"format": output.format.echo(), "voice": output.voice}},
            "usage": None,
        }

    def _most_tokens(self) -> int | str:
        """As the session has it, or as this response was asked for."""
        most, usual = self._started.options.max_tokens, self._session.max_output_tokens
        return usual if most == token_limit(usual) else most


def _status_details(ended: ResponseEnded) -> dict[str, Any] | None:
    if ended.status is ResponseStatus.COMPLETED:
        return None
    if ended.status is ResponseStatus.FAILED:
        message = ended.reason or "The answer failed."
        error = {"type": "server_error", "code": "server_error", "message": message}
        return {"type": "failed", "error": error}
    return {"type": ended.status.value, "reason": ended.reason}


def _usage(ended: ResponseEnded) -> dict[str, Any]:
    """All keys always: clients read them unasked. A token here is one of the language model; sound
    is not billed apart, so every token counts as text."""
    return {
        "total_tokens": ended.input_tokens + ended.output_tokens,
        "input_tokens": ended.input_tokens,
        "output_tokens": ended.output_tokens,
        "input_token_details": {
            "text_tokens": ended.input_tokens,
            "audio_tokens": 0,
            "image_tokens": 0,
            "cached_tokens": 0,
            "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": ended.output_tokens, "audio_tokens": 0},
    }
