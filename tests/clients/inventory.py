"""The clients that are tried, in the order of the table, and the features of the table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

HERE = Path(__file__).resolve().parent
FEATURES = (
    "quick start",
    "voice, transcript",
    "interruption, history",
    "tool",
    "handoff",
    "guardrail",
    "text",
    "image",
    "connects again",
)


@dataclass(frozen=True, slots=True)
class Client:
    """One client. `packages` are those that its row names with their versions; `folder` has its
    program and its lock file."""

    name: str
    title: str
    runtime: Literal["python", "node", "browser"]
    packages: tuple[str, ...]
    folder_name: str = ""

    @property
    def folder(self) -> Path:
        return HERE / (self.folder_name or self.name)


CLIENTS = (
    Client("openai_python", "openai-python", "python", ("openai",)),
    Client("openai_node", "openai-node (over TLS)", "node", ("openai",)),
    Client("agents_python", "Agents SDK, Python", "python", ("openai-agents",)),
    Client("agents_node", "Agents SDK, Node", "node", ("@openai/agents-realtime",)),
    Client(
        "agents_browser",
        "Agents SDK, Chromium",
        "browser",
        ("@openai/agents-realtime",),
        folder_name="agents_node",
    ),
    Client("pipecat", "pipecat", "python", ("pipecat-ai",)),
    Client("livekit", "LiveKit", "python", ("livekit-agents", "livekit-plugins-openai")),
    Client("twilio", "Twilio sample, websockets", "python", ("websockets",)),
)
