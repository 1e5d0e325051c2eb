"""The caller's room: how a call comes back after its connection or its server was lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

HEADER = "X-Antiphon-Resume"
_FIRST_WAIT, _LONGEST_WAIT = 0.05, 1.0  # seconds between tries; each is twice the one before


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
