"""Makes events of the core, or a refusal, of what a client sends (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import ValidationError

from duplex import events
from duplex.conversation import ItemReference
from duplex.endpointing import Settings
from models.base import SPEAK_RATE, Samples
from server.realtime import client_events as wire
from server.realtime.formats import SoundReader, decode_base64, decode_pieces
from server.realtime.functions import check_functions, check_session
from server.realtime.items import Reference, check_fits, read_input, read_item, shortened
from server.realtime.json_input import parse_object
from server.realtime.model_names import ModelNames
from server.realtime.refusal import MISSING, Refusal, from_validation, path
from server.realtime.requests import response_request
from server.realtime.session_config import SessionConfig
from server.realtime.wire_ids import WireIds

MAX_APPEND = 15 * 2**20  # bytes of one append, as the protocol has it
_LONG = 2**18  # letters of an append that is decoded little by little
_STEP = 4_800  # bytes of sound that are decoded in one go then


@dataclass(frozen=True, slots=True)
class AudioReceived:
    """The user's sound, [n] at 16 kHz."""

    samples: Samples


@dataclass(frozen=True, slots=True)
class LongAudioReceived:
    """The user's sound from one large append, as bytes in the session's format: `pieces` makes
    samples of it little by little, so that minutes of sound never take more memory than they did
    on the wire."""

    encoded: list[bytes]
    reader: SoundReader

    def pieces(self) -> Iterator[Samples]:
        """Samples [n] at 16 kHz, a tenth of a second or so each. The bytes are let go meanwhile; it
        can be asked for once."""
        self.encoded.reverse()
        while self.encoded:
            data = self.encoded.pop()
            for at in range(0, len(data), _STEP):
                yield self.reader.push(data[at : at + _STEP])


@dataclass(frozen=True, slots=True)
class Configured:
    """The session has a new configuration."""

    session: SessionConfig
    settings: Settings


Step: TypeAlias = AudioReceived | LongAudioReceived | Configured | events.Event


class Decoder:
    """One session's way in. `lead` is the operator's default, in seconds; `names` are those of
    the model, which a client may repeat in its session."""

    def __init__(
        self,
        ledger: WireIds,
        session: SessionConfig,
        lead: float,
        names: ModelNames | None = None,
    ) -> None:
        self.session = session
        self.decoded_pixels = 0  # by the latest `steps`
        self._asked = False  # for a response, by the latest `steps`
        self._ledger = ledger
        self._lead = lead
        self._names = names
        self._reader = SoundReader(session.audio.input.format)

    def decode(self, text: str | bytes) -> list[Step]:
        """One message. Raises Refusal, joined to the client's event_id where it could be read."""
        return self.steps(self.parse(text))

    def parse(self, text: str | bytes) -> wire.ClientEvent:
        """The message's form alone. Raises Refusal as `decode` does."""
        value = parse_object(text)
        name = value.get("event_id")
        event_id = name if isinstance(name, str) else None
        try:
            return _event(value)
        except Refusal as refusal:
            raise refusal.for_event(event_id) from None

    def steps(self, event: wire.ClientEvent) -> list[Step]:
        """What the message asks for. Raises Refusal as `decode` does."""
        self.decoded_pixels = 0
        try:
            return list(self._steps(event))
        except Refusal as refusal:
            raise refusal.for_event(event.event_id) from None

    def pause(self) -> float:
        """Seconds for which the client is to wait, after what the latest message asks for."""
        pixels, self.decoded_pixels = self.decoded_pixels, 0
        asked, self._asked = self._asked, False
        budget = self._ledger.budget
        return max(budget.pixel_wait(pixels), budget.response_wait() if asked else 0.0)

    def sound_pause(self, samples: int) -> float:
        """Seconds for which the client is to wait after so much sound."""
        return self._ledger.budget.sound_wait(samples)

    def _steps(self, event: wire.ClientEvent) -> Iterator[Step]:
        match event:
            case wire.Append(audio=audio):
                yield self._sound(audio)
            case wire.SessionUpdate(session=patch):
                yield self._configured(patch)
            case wire.Commit(event_id=name):
                yield events.CommitRequested(name, held=self._reader.held)
            case wire.Clear(event_id=name):
                self._reader.clear()
                yield events.ClearRequested(name)
            case wire.ItemCreate():
                yield from self._offered(event)
            case wire.ItemRetrieve(item_id=item_id, event_id=name):
                yield events.ItemRetrieveRequested(item_id, name)
            case wire.ItemDelete(item_id=item_id, event_id=name):
                yield events.ItemDeleteRequested(item_id, name)
            case wire.ItemTruncate(item_id=item_id, content_index=index, event_id=name):
                yield events.ItemTruncateRequested(item_id, index, event.audio_end_ms, name)
            case wire.ResponseCreate():
                yield self._requested(event)
            case wire.ResponseCancel(response_id=response, event_id=name):
                yield events.CancelRequested(self._cancelled(response), name)
            case wire.Playback():
                yield self._playback(event)
            case wire.OutputClear():
                raise Refusal("output_audio_buffer.clear is for WebRTC and SIP only.", param="type")

    # ------------------------------------------------------------------------ sound, session

    def _sound(self, audio: str) -> AudioReceived | LongAudioReceived:
        if len(audio) > MAX_APPEND * 4 // 3 + 4:
            raise Refusal(f"An append holds at most {MAX_APPEND} bytes.", param="audio")
        if len(audio) > _LONG:
            return LongAudioReceived(decode_pieces(audio, "audio"), self._reader)
        return AudioReceived(self._reader.push(decode_base64(audio, "audio")))

    def _configured(self, patch: dict[str, Any]) -> Configured:
        old = self.session
        budget = self._ledger.budget
        budget.count_update()
        new = old.changed(patch, voice_spoken=self._ledger.voice_spoken, names=self._names)
        budget.check_transcription(new.audio.input.transcription)
        check_session(new, budget.settings)
        if new.tools != old.tools:
            budget.check_tools(new.model_tools(), "session.tools")
        if new.audio.input.format != old.audio.input.format:
            self._reader = SoundReader(new.audio.input.format)
        self.session = new
        return Configured(new, new.settings(self._lead))

    # --------------------------------------------------------------------------------- items

    def _offered(self, event: wire.ItemCreate) -> Iterator[Step]:
        budget = self._ledger.budget
        budget.check_item("item")
        read = read_item(event.item, self.session.audio.input.format, bill=budget.new_bill())
        item = shortened(read, budget.fitted)
        self.decoded_pixels += item.cost.pixels
        item_id = item.item_id or self._ledger.new_item_id()
        surplus = self._ledger.offer(item_id, item.cost, item.parts)
        yield events.ItemOffered(
            item_id, item.role, item.parts, item.wire, event.previous_item_id, event.event_id
        )
        for outdated in surplus:
            yield events.ItemDeleteRequested(outdated, outdated=True)

    # ----------------------------------------------------------------------------- responses

    def _requested(self, event: wire.ResponseCreate) -> events.ResponseRequested:
        fields, budget = event.response or wire.ResponseFields(), self._ledger.budget
        self._asked = True
        if fields.tools is not None:
            check_functions(fields.tools, budget.settings, "response.tools")
            budget.check_tools([tool.tool() for tool in fields.tools], "response.tools")
        items = None if fields.input is None else tuple(self._input(fields.input))
        request = response_request(fields, self.session, items, event.event_id)
        if not request.in_conversation:
            budget.begin_out_of_band()
        return request

    def _input(self, values: list[Any]) -> Iterator[events.RequestedItem]:
        budget, referred = self._ledger.budget, set[str]()
        bill = budget.new_bill()
        for index, value in enumerate(values):
            where = path("response", "input", index)
            item = read_input(value, self.session.audio.input.format, where, bill)
            self.decoded_pixels = bill.cost.pixels
            if isinstance(item, Reference):
                if item.id in referred:  # a reference costs no byte, what it stands for does
                    raise Refusal(f"Item {item.id} is referred to twice.", param=path(where, "id"))
                referred.add(item.id)
                yield ItemReference(item.id, path(where, "id"))
            else:
                check_fits(item, budget.fitted, where)
                yield from item.parts

    def _cancelled(self, name: str | None) -> int | None:
        if name is None:
            return None
        number = self._ledger.response_number(name)
        if number is None:
            raise Refusal(
                f"Cancellation failed: there is no response '{name}'.",
                code="response_cancel_not_active",
                param="response_id",
            )
        return number

    def _playback(self, event: wire.Playback) -> events.PlayoutReported:
        if not self.session.antiphon.playback_ack:
            raise Refusal("Set session.antiphon.playback_ack first.", param="type")
        number = self._answer_played(event)
        return events.PlayoutReported(number, event.audio_ms * SPEAK_RATE // 1000)

    def _answer_played(self, event: wire.Playback) -> int:
        if event.item_id is None and event.response_id is None:
            raise Refusal("item_id or response_id is needed.", code=MISSING, param="item_id")
        if event.item_id is not None:
            number, param = self._ledger.answer_of(event.item_id), "item_id"
        else:
            number, param = self._ledger.response_number(event.response_id or ""), "response_id"
        if number is None:
            raise Refusal("There is no such answer.", param=param)
        return number


def is_slow(event: wire.ClientEvent) -> bool:
    """Whether `Decoder.steps` decodes a picture, which takes long however short the message."""
    match event:
        case wire.ItemCreate(item=item):
            return _holds_image(item)
        case wire.ResponseCreate(response=wire.ResponseFields(input=list() as items)):
            return any(_holds_image(item) for item in items)
    return False


def _holds_image(item: Any) -> bool:
    content = item.get("content") if isinstance(item, dict) else None
    parts = content if isinstance(content, list) else []
    return any(isinstance(part, dict) and "image_url" in part for part in parts)


def _event(value: dict[str, Any]) -> wire.ClientEvent:
    try:
        return wire.CLIENT_EVENT.validate_python(value)
    except ValidationError as error:
        raise _form_refusal(value, error) from None


def _form_refusal(value: dict[str, Any], error: ValidationError) -> Refusal:
    if "type" not in value:
        return Refusal("Missing required parameter: 'type'.", code=MISSING, param="type")
    if error.errors(include_input=False)[0]["type"] == "union_tag_invalid":
        return Refusal(f"Unknown event type {value['type']!r:.80}.", param="type")
    return from_validation(error)
