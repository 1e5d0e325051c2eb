"""The caller's room: one call as a pure state machine; the network and the clock are outside."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import numpy as np

from audio.frame import EMPTY, Samples
from audio.pcm import Pcm16Reader, encode_pcm16
from server.call.record import CallRecord, Happening, Lateness, collect_answers
from server.call.resuming import LatestTurn, known_items
from server.call.script import CallScript, Cue
from server.call.speaker import Speaker
from server.call.timeline import FRAME, FRAME_SECONDS, RATE, Placed, Timeline
from server.call.voiced import audible_bounds

Message = dict[str, Any]

LATE = 0.02  # seconds after which an append counts as late
_CLOCK_SKEW = 1e-9
_ACKNOWLEDGE_EVERY = 0.1  # seconds
_EXPLANATIONS = ("decision", "state", "swap", "duck", "times")


class CallFailed(Exception):
    """The server ended or refused the call; the text says why."""


class ServerBusy(CallFailed):
    """The server takes no call now; it may be asked again in `retry_after` seconds."""

    def __init__(self, retry_after: float, said: str = "") -> None:
        reason = f": {said}" if said else ""
        super().__init__(f"the server is busy{reason}; ask again in {retry_after:g} s")
        self.retry_after = retry_after


class CallMachine:
    """One caller. `now` is seconds since the first sample of the microphone; a frame leaves when
    it is full, as with a real microphone. The shell calls `tick` at `deadline` and `receive` for
    each server event, and sends what they return."""

    def __init__(self, script: CallScript) -> None:
        self.script = script
        self.timeline = Timeline(script.seed)
        self.speaker = Speaker()
        self.happenings: list[Happening] = []
        self._waiting = list(script.cues)
        self._placed: list[tuple[Cue, Placed]] = []
        self._running: set[str] = set()
        self._audible: set[str] = set()  # responses whose first audible sample has been placed
        self._readers: dict[str, Pcm16Reader] = {}
        self._frames = 0
        self._sent: list[Samples] = []
        self._first = 0  # frame with which the sound of the present connection began
        self._turn = LatestTurn()
        self._late = 0
        self._worst = 0.0
        self._last_sound = 0.0  # end of what either side has said, known so far
        self._answered_since = 0.0
        self._acknowledged = 0.0
        self._has_typed = False
        self._has_hung_up = False
        self.session_id = ""
        for cue in list(self._waiting):
            if cue.at is not None:
                self._place(cue, cue.at)
        self._follow(0.0)

    # ------------------------------------------------------------------------ what to send

    def opening(self) -> Message:
        """The session.update with which the call begins."""
        session: Message = {"type": "realtime", "output_modalities": ["audio"], "audio": _AUDIO}
        behaviour = self.script.behaviour
        if behaviour.explains:
            session["antiphon"] = {"events": list(_EXPLANATIONS)}
        if behaviour.acknowledges:
            session.setdefault("antiphon", {})["playback_ack"] = True
        return {"type": "session.update", "session": _joined(session, behaviour.session)}

    @property
    def deadline(self) -> float:
        """When the next frame is full (or, with a dead line, when it lives again)."""
        due = (self._frames + 1) * FRAME_SECONDS
        stall = self.script.stall
        if stall is not None and stall.at < due < stall.at + stall.seconds:
            return stall.at + stall.seconds
        return due

    def tick(self, now: float) -> list[Message]:
        """All frames that are full by `now`."""
        messages: list[Message] = []
        self._follow(now)
        if self.script.typed is not None and not self._has_typed:
            self._has_typed = True
            messages += _question(self.script.typed)
        while self.deadline <= now + _CLOCK_SKEW:
            self._keep_time(now - self.deadline)
            messages.append(self._append())
        if self.script.behaviour.acknowledges:
            messages += self._acknowledge(now)
        return messages

    def _keep_time(self, late: float) -> None:
        stall = self.script.stall
        due = (self._frames + 1) * FRAME_SECONDS
        if stall is not None and stall.at < due < stall.at + stall.seconds:
            return  # late on purpose
        self._late += late > LATE
        self._worst = max(self._worst, late)

    def _append(self) -> Message:
        start = self._frames * FRAME
        heard = self.timeline.read(start, FRAME)
        echo = self.script.echo
        if echo is not None:
            played = self.speaker.read(start - round(echo.delay * RATE), FRAME)
            heard += played * np.float32(10 ** (echo.gain / 20))
        self._frames += 1
        self._sent.append(heard)
        return _appended(heard)

    def _acknowledge(self, now: float) -> list[Message]:
        if now < self._acknowledged + _ACKNOWLEDGE_EVERY or not self.speaker.pieces:
            return []
        self._acknowledged = now
        item_id = self.speaker.pieces[-1].item_id
        played = round(self.speaker.played(item_id, now) * 1000 / RATE)
        return [{"type": "antiphon.playback", "item_id": item_id, "audio_ms": played}]

    # ------------------------------------------------------------------------- what arrives

    def receive(self, event: Message, now: float) -> list[Message]:
        """Take one server event; what the client answers at once (a truncation)."""
        kind = event.get("type", "")
        if kind == "response.output_audio.delta":
            self._play(event, now)
            return []
        self.happenings.append(Happening(now, event))
        self._turn.follow(event)
        if kind == "response.created":
            self._running.add(str(event["response"]["id"]))
        elif kind == "response.done":
            self._running.discard(str(event["response"]["id"]))
        elif kind == "input_audio_buffer.speech_started" and self.script.behaviour.flushes:
            return self._flush(now)
        return []

    def come_back(self, created: Message, now: float) -> list[Message]:
        """The call goes on over another connection: no answer of the old one comes any more.
        What was said and is not known there is said again."""
        self._running.clear()
        self.happenings.append(Happening(now, created))
        sent = (self._frames - self._first) * FRAME_SECONDS
        again = self._turn.again_from(known_items(created), sent)
        self._first += int(again / FRAME_SECONDS)
        self._turn = LatestTurn()
        return [_appended(frame) for frame in self._sent[self._first :]]

    def _play(self, event: Message, now: float) -> None:
        response_id, item_id = str(event["response_id"]), str(event["item_id"])
        reader = self._readers.setdefault(item_id, Pcm16Reader())
        samples = reader.push(base64.b64decode(event["delta"]))
        piece = self.speaker.push(response_id, item_id, samples, now)
        self._last_sound = max(self._last_sound, piece.end / RATE)
        inner = audible_bounds(samples)
        if inner is not None and response_id not in self._audible:
            self._audible.add(response_id)
            self._answered_since = now
            self._follow_answer((piece.at + inner[0]) / RATE)

    def _flush(self, now: float) -> list[Message]:
        item_id = self.speaker.flush(now)
        said = [placed.voiced.end for _, placed in self._placed]
        self._last_sound = max(now, *said) if said else now
        if item_id is None or not self.script.behaviour.truncates:
            return []
        played = round(self.speaker.played(item_id, now) * 1000 / RATE)
        return [
            {
                "type": "conversation.item.truncate",
                "item_id": item_id,
                "content_index": 0,
                "audio_end_ms": played,
            }
        ]

    # --------------------------------------------------------------------------- the script

    def _place(self, cue: Cue, at: float) -> None:
        earliest = self._frames * FRAME / RATE  # what has been sent cannot be changed
        placed = self.timeline.place(cue.clip, max(at, earliest))
        self._waiting.remove(cue)
        self._placed.append((cue, placed))
        self._last_sound = max(self._last_sound, placed.voiced.end)

    def _follow_answer(self, first_audible: float) -> None:
        """Place the cues that waited for an answer."""
        while self._waiting and (after := self._waiting[0].after_answer) is not None:
            cue = self._waiting[0]
            self._place(cue, first_audible + after)
            if cue.expects_answer:
                return  # the next one follows the answer to this one

    def _follow(self, now: float) -> None:
        """Place the next cue that waits for nothing but quiet; what waited for an answer that
        never came is skipped."""
        if not any(cue.after_answer is None for cue in self._waiting) or not self._quiet(now):
            return
        while self._waiting[0].after_answer is not None:
            self._waiting.pop(0)
        self._place(self._waiting[0], now + FRAME_SECONDS)

    def _quiet(self, now: float) -> bool:
        """Whether nobody speaks and nobody is expected to."""
        if self._running or self.speaker.queued(now) > 0:
            return False
        if not self._placed:
            return self.script.typed is None or now >= self._last_sound + self._wait(0.0)
        cue, placed = self._placed[-1]
        wait = self._wait(placed.voiced.start) if cue.expects_answer else self.script.settle
        return now >= self._last_sound + wait and now >= placed.voiced.end

    def _wait(self, asked: float) -> float:
        """How long to wait once a question was asked: less when it has been answered."""
        return self.script.patience if self._answered_since <= asked else self.script.settle

    def hang_up(self) -> None:
        """The caller has had enough, whatever the script says."""
        self._has_hung_up = True

    def done(self, now: float) -> bool:
        """Whether the call is over."""
        if self._has_hung_up:
            return True
        if self.script.enough is not None and self.script.enough(self.happenings, now):
            return True
        if self.script.length is not None:
            return now >= self.script.length
        if self.script.linger is not None and self._placed and not self._waiting:
            return now >= self._measured_until(self.script.linger)
        pending = any(cue.after_answer is None for cue in self._waiting)
        return now >= self.script.limit or (not pending and self._quiet(now))

    def _measured_until(self, linger: float) -> float:
        """When all that the last cue can bring about has been heard."""
        cue, placed = self._placed[-1]
        end = placed.voiced.end
        if not cue.expects_answer:
            return end + linger
        if self._answered_since <= placed.voiced.start:
            return end + self.script.patience
        return max(end, self._answered_since) + linger

    def record(self, now: float) -> CallRecord:
        """All that happened, once the call is over."""
        frames = self._frames * FRAME
        user = np.concatenate(self._sent) if self._sent else EMPTY
        return replace(self.account(now), user=user, assistant=self.speaker.read(0, frames))

    def account(self, now: float, since: float = -1.0) -> CallRecord:
        """What has happened after second `since`, without the sound of either side: cheap enough
        to be asked for in the middle of a call."""
        happenings = [one for one in self.happenings if one.now > since]
        played = [piece for piece in self.speaker.pieces if piece.end > since * RATE]
        arrived = [piece for piece in self.speaker.arrived if piece.arrived > since]
        return CallRecord(
            cues=tuple(one for one in self._placed if one[1].voiced.start > since),
            answers=collect_answers(happenings, played, arrived),
            happenings=tuple(happenings),
            seconds=now,
            lateness=Lateness(self._late, self._worst, self._frames),
            underruns=self.speaker.underruns,
            underrun_seconds=self.speaker.underrun_seconds,
            session_id=self.session_id,
        )


_PCM = {"type": "audio/pcm", "rate": RATE}
_AUDIO: Message = {"input": {"format": _PCM}, "output": {"format": _PCM}}


def _appended(heard: Samples) -> Message:
    audio = base64.b64encode(encode_pcm16(heard)).decode()
    return {"type": "input_audio_buffer.append", "audio": audio}


def _question(text: str) -> list[Message]:
    """A typed question and the request to answer it."""
    content = [{"type": "input_text", "text": text}]
    item = {"type": "message", "role": "user", "content": content}
    return [{"type": "conversation.item.create", "item": item}, {"type": "response.create"}]


def _joined(base: Message, more: Message) -> Message:
    """`more` laid over `base`, objects joined key by key."""
    result = dict(base)
    for key, value in more.items():
        below = result.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            value = _joined(below, value)
        result[key] = value
    return result
