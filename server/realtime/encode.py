"""Makes wire events of the core's notices, in the protocol's order (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import Any, TypeAlias, assert_never

from duplex import actions
from duplex.orchestrator import Outgoing
from duplex.playout import AnswerSound
from models.base import HEAR_RATE, SPEAK_RATE, Samples, Verdict
from server.realtime.formats import encode_whole
from server.realtime.refusal import Refusal
from server.realtime.responses import ResponseWire, WireEvent
from server.realtime.session_config import SessionConfig
from server.realtime.wire_ids import WireIds

DUCKED = "ducked"  # the value of duplex.states.AssistantState that a duck event tells of
RecordingOf = Callable[[str], Samples | None]


_Fact: TypeAlias = (
    actions.SpeechStarted
    | actions.SpeechStopped
    | actions.IdleTimedOut
    | actions.BufferCommitted
    | actions.BufferCleared
    | actions.ItemAdded
    | actions.ItemDeleted
    | actions.ItemTruncated
    | actions.ItemRetrieved
)


class Encoder:
    """One session's way out. `recording_of` gives an item's sound: 16 kHz of a user's item, 24 kHz
    of an answer. The owner sets `session` whenever the configuration has changed."""

    def __init__(
        self,
        ledger: WireIds,
        session: SessionConfig,
        recording_of: RecordingOf,
        expires_at: int | None,
    ) -> None:
        self.session = session
        self._ledger = ledger
        self._recording_of = recording_of
        self._expires_at = expires_at
        self.extension: Callable[[], dict[str, Any]] = dict  # what the server adds to `antiphon`
        self._responses: dict[int, ResponseWire] = {}
        self._is_ducked = False

    # ---------------------------------------------------------------- what the server says itself

    def session_event(self, kind: str) -> WireEvent:
        """`kind`: session.created or session.updated, with the whole effective configuration."""
        shown = self.session.echo(self._ledger.session_id, self._expires_at)
        shown["antiphon"] |= self.extension()
        return self._named({"type": kind, "session": shown})

    def rate_limits(self, left: float, rate: int) -> WireEvent:
        """The one limit that there is: `rate` messages of the client a second, of which `left`
        may come at once. Nothing limits the tokens, so no figure is given for them."""
        requests = {
            "name": "requests",
            "limit": rate,
            "remaining": max(0, int(left)),
            "reset_seconds": round(max(0.0, rate - left) / rate, 3),
        }
        return self._named({"type": "rate_limits.updated", "rate_limits": [requests]})

    def refusal(self, refusal: Refusal, kind: str = "invalid_request_error") -> WireEvent:
        error = {
            "type": kind,
            "code": refusal.code,
            "message": refusal.message,
            "param": refusal.param,
            "event_id": refusal.event_id,
        }
        return self._named({"type": "error", "error": error})

    def draining(self, token: str | None) -> WireEvent:
        """Tells that the server ends; the client may go on at another one with this token."""
        message = "The server is shutting down; connect again with resume_token to go on."
        refusal = Refusal(message, code="session_draining")
        event = self.refusal(refusal, "server_error")
        event["error"]["resume_token"] = token
        return event

    # ------------------------------------------------------------------------ what the core says

    def encode(self, outgoing: Outgoing) -> list[WireEvent]:
        """The events of one notice; none for those that this client did not ask to see."""
        return [self._named(event) for event in self._events(outgoing)]

    def _named(self, event: WireEvent) -> WireEvent:
        return {"type": event["type"], "event_id": self._ledger.new_event_id(), **event}

    def _events(self, outgoing: Outgoing) -> Iterable[WireEvent]:
        match outgoing:
            case AnswerSound(response_id=number, samples=samples):
                return self._sound(number, samples)
            case actions.ResponseTextAdded(response_id=number, text=text):
                return self._of_response(number, lambda wire: wire.add_text(text))
            case actions.ResponseStarted():
                return self._start(outgoing)
            case actions.ResponseCallAdded():
                return self._call(outgoing)
            case actions.ResponseEnded():
                return self._end(outgoing)
            case actions.TranscriptAdded():
                return self._transcript(outgoing)
            case (
                actions.Decide()
                | actions.ShowVerdict()
                | actions.ShowState()
                | actions.ShowSwap()
                | actions.ShowAnswerTimes()
            ):
                return self._shown(outgoing)
            case actions.Refuse():
                return [self._refused(outgoing)]
            case _:
                return self._fact(outgoing)

    def _fact(self, outgoing: _Fact) -> Iterable[WireEvent]:
        """Notices that are one wire event, or two, as they stand."""
        match outgoing:
            case actions.SpeechStarted(item_id=item_id, at=at):
                return [_buffer("speech_started", audio_start_ms=_ms(at), item_id=item_id)]
            case actions.SpeechStopped(item_id=item_id, at=at):
                return [_buffer("speech_stopped", audio_end_ms=_ms(at), item_id=item_id)]
            case actions.IdleTimedOut(item_id=item_id, start=start, end=end):
                span = {"audio_start_ms": _ms(start), "audio_end_ms": _ms(end)}
                return [_buffer("timeout_triggered", **span, item_id=item_id)]
            case actions.BufferCommitted(item_id=item_id, previous_item_id=previous):
                return [_buffer("committed", item_id=item_id, previous_item_id=previous)]
            case actions.BufferCleared():
                return [_buffer("cleared")]
            case actions.ItemAdded(item=item, previous_item_id=previous):
                self._ledger.accept_offer(item["id"])
                place = {"item": _clean(item), "previous_item_id": previous}
                return [_item("added", **place), _item("done", **place)]
            case actions.ItemDeleted(item_id=item_id, previous_item_id=previous):
                self._ledger.forget(item_id)
                for wire in self._responses.values():
                    wire.forget_previous(item_id, previous)
                return [_item("deleted", item_id=item_id)]
            case actions.ItemTruncated(item_id=item_id, content_index=index, audio_end_ms=end):
                return [_item("truncated", item_id=item_id, content_index=index, audio_end_ms=end)]
            case actions.ItemRetrieved(item=item):
                return [_item("retrieved", item=self._with_sound(_clean(item)))]
            case _:
                assert_never(outgoing)

    # ------------------------------------------------------------------------------- responses

    def _start(self, started: actions.ResponseStarted) -> Iterator[WireEvent]:
        name = self._ledger.response_name(started.response_id)
        wire = ResponseWire(started, name, self._ledger.conversation_id, self.session)
        self._responses[started.response_id] = wire
        self._ledger.note_answer(started.item_id, started.response_id)
        return wire.begin()

    def _sound(self, number: int, samples: Samples) -> Iterable[WireEvent]:
        self._ledger.voice_spoken = True
        return self._of_response(number, lambda wire: wire.add_sound(samples))

    def _call(self, call: actions.ResponseCallAdded) -> Iterable[WireEvent]:
        return self._of_response(call.response_id, lambda wire: wire.add_call(call))

    def _end(self, ended: actions.ResponseEnded) -> Iterable[WireEvent]:
        wire = self._responses.pop(ended.response_id)
        if not wire.in_conversation:
            self._ledger.budget.end_out_of_band()
        return wire.end(ended)

    def _of_response(
        self, number: int, events: Callable[[ResponseWire], Iterator[WireEvent]]
    ) -> Iterable[WireEvent]:
        """The core lets nothing of a response out before its start or after its end."""
        return events(self._responses[number])

    # ----------------------------------------------------------------------------------- items

    def _transcript(self, added: actions.TranscriptAdded) -> list[WireEvent]:
        if self.session.audio.input.transcription is None:
            return []
        kind = "conversation.item.input_audio_transcription"
        place = {"item_id": added.item_id, "content_index": 0}
        if not added.final:
            return [{"type": f"{kind}.delta", **place, "delta": added.text}]
        usage = {"type": "duration", "seconds": added.seconds}
        return [{"type": f"{kind}.completed", **place, "transcript": added.text, "usage": usage}]

    def _with_sound(self, item: dict[str, Any]) -> dict[str, Any]:
        recording = self._recording_of(item["id"])
        if recording is None or item.get("type") != "message":
            return item
        content = [self._sounding(part, recording) for part in item["content"]]
        return item | {"content": content}

    def _sounding(self, part: dict[str, Any], recording: Samples) -> dict[str, Any]:
        audio = self.session.audio
        if part["type"] == "input_audio":
            return part | {"audio": encode_whole(recording, HEAR_RATE, audio.input.format)}
        if part["type"] == "output_audio":
            return part | {"audio": encode_whole(recording, SPEAK_RATE, audio.output.format)}
        return part

    # ------------------------------------------------------------------------------ by request

    def _shown(
        self,
        seen: actions.Decide
        | actions.ShowVerdict
        | actions.ShowState
        | actions.ShowSwap
        | actions.ShowAnswerTimes,
    ) -> Iterator[WireEvent]:
        wanted = self.session.antiphon.events
        match seen:
            case actions.Decide() if "decision" in wanted:
                yield self._decision(seen)
            case actions.ShowVerdict() if "verdict" in wanted:
                yield {
                    "type": "antiphon.verdict",
                    "segment": seen.segment,
                    "audio_end_ms": _ms(seen.until),
                    "verdict": _verdict(seen.verdict),
                }
            case actions.ShowSwap() if "swap" in wanted:
                name = self._ledger.response_name(seen.response_id)
                yield {"type": "antiphon.swap", "response_id": name}
            case actions.ShowAnswerTimes() if "times" in wanted:
                stages = {f"{name}_ms": _ms(t) for name, t in asdict(seen.times).items()}
                name = self._ledger.response_name(seen.response_id)
                yield {"type": "antiphon.times", "response_id": name, **stages}
            case actions.ShowState():
                yield from self._state(seen, wanted)

    def _decision(self, decided: actions.Decide) -> WireEvent:
        number = decided.response_id
        return {
            "type": "antiphon.decision",
            "segment": decided.segment,
            "reason": decided.reason.value,
            "audio_start_ms": _ms(decided.start),
            "audio_end_ms": _ms(decided.end),
            "verdict": None if decided.verdict is None else _verdict(decided.verdict),
            "speaker_score": decided.speaker_score,
            "item_id": decided.item_id,
            "response_id": None if number is None else self._ledger.response_name(number),
        }

    def _state(self, state: actions.ShowState, wanted: list[Any]) -> Iterator[WireEvent]:
        if "state" in wanted:
            yield {"type": "antiphon.state", "user": state.user, "assistant": state.assistant}
        is_ducked = state.assistant == DUCKED
        if is_ducked != self._is_ducked and "duck" in wanted:
            yield {"type": "antiphon.duck", "ducked": is_ducked}
        self._is_ducked = is_ducked

    def _refused(self, refuse: actions.Refuse) -> WireEvent:
        if refuse.what is actions.Refused.ITEM:
            self._ledger.refuse_offer()
        elif refuse.what is actions.Refused.APART:
            self._ledger.budget.end_out_of_band()
        error = {
            "type": "invalid_request_error",
            "code": refuse.code,
            "message": refuse.message,
            "param": refuse.param,
            "event_id": refuse.event_id,
        }
        return {"type": "error", "error": error}


def _ms(seconds: float) -> int:
    return max(0, round(seconds * 1000))


def _buffer(what: str, **fields: Any) -> WireEvent:
    return {"type": f"input_audio_buffer.{what}", **fields}


def _item(what: str, **fields: Any) -> WireEvent:
    return {"type": f"conversation.item.{what}", **fields}


def _clean(item: dict[str, Any]) -> dict[str, Any]:
    """Without keys that are null: clients drop the event over them. (A user's `transcript`, one
    level deeper, may be null but must be there.)"""
    return {key: value for key, value in item.items() if value is not None}


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "query": round(verdict.query, 4),
        "noise": round(verdict.noise, 4),
        "text": round(verdict.text, 4),
        "unfinished": round(verdict.unfinished, 4),
        "words": verdict.words,
    }
