"""The caller's room: how a call comes back after its connection or its server was lost."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

HEADER = "X-Antiphon-Resume"
_FIRST_WAIT, _LONGEST_WAIT = 0.05, 1.0  # seconds between tries; each is twice the one before
LOOK_BACK = 1.0  # seconds before a loss in which a voice may have begun unnoticed
_BEFORE_ONSET = 0.3  # seconds: a voice is noticed a little after it has begun
MOST_AGAIN = 9.0  # seconds of sound: a server catches up with ten


@dataclass(slots=True)
class ResumeTicket:
    """The newest token that the server has given, and for how many seconds it is good."""

    token: str = ""
    seconds: float = 0.0

    def follow(self, event: dict[str, Any]) -> None:
        """Take notice of a server event."""
        match event.get("type"):
            case "session.created" | "session.updated":
                ours = event.get("session", {}).get("antiphon", {})
                self.token = ours.get("resume_token", self.token)
                self.seconds = ours.get("resume_seconds", self.seconds)
            case "error" if event["error"].get("code") == "session_draining":
                self.token = event["error"].get("resume_token") or self.token

    @property
    def headers(self) -> dict[str, str]:
        return {HEADER: self.token}

    def waits(self) -> Iterator[float]:
        """Seconds to wait before each try, as long as the token is good."""
        waited, wait = 0.0, 0.0
        while waited <= self.seconds:
            yield wait
            waited += wait
            wait = min(_LONGEST_WAIT, wait * 2 or _FIRST_WAIT)


@dataclass(slots=True)
class LatestTurn:
    """The user's latest turn on one connection, as the server tells of it; `start` and `end` in
    seconds of the sound that was sent there. Says what has to be said again elsewhere."""

    item: str = ""
    start: float = 0.0
    end: float = 0.0

    def follow(self, event: dict[str, Any]) -> None:
        """Take notice of a server event."""
        match event.get("type"):
            case "input_audio_buffer.speech_started":
                self.item = str(event.get("item_id", ""))
                self.start = self.end = event.get("audio_start_ms", 0) / 1000
            case "input_audio_buffer.speech_stopped":
                self.end = event.get("audio_end_ms", 0) / 1000
            case "input_audio_buffer.committed":
                self.item = str(event.get("item_id", ""))

    def again_from(self, known: Collection[str], sent: float) -> float:
        """From which second on the sound is sent again: `known` are the items that came back,
        `sent` seconds were sent. What a server has ignored before is judged once more."""
        is_lost = self.item != "" and self.item not in known
        start = self.start - _BEFORE_ONSET if is_lost else max(self.end, sent - LOOK_BACK)
        return max(0.0, start, sent - MOST_AGAIN)


def request(session: dict[str, Any]) -> list[dict[str, Any]]:
    """What asks a server to keep the conversation; nothing where it is not one of ours."""
    ours = session.get("antiphon")
    if not isinstance(ours, dict) or "resume" not in ours:
        return []
    wanted = {"type": "realtime", "antiphon": {"resume": True}}
    return [{"type": "session.update", "session": wanted}]


def after(created: dict[str, Any]) -> list[dict[str, Any]]:
    """What is sent first on a resumed session: a turn that nobody has answered is asked for."""
    resumed = created.get("session", {}).get("antiphon", {}).get("resumed") or {}
    return [{"type": "response.create"}] if resumed.get("unanswered") else []


def known_items(created: dict[str, Any]) -> list[str]:
    """The items that came back with a resumed session."""
    resumed = created.get("session", {}).get("antiphon", {}).get("resumed") or {}
    return [str(item) for item in resumed.get("items", ())]
