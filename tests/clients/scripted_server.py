"""A server with scripted models for what only a better model would do of its own accord."""

from __future__ import annotations

import argparse

from models.base import FunctionCall, FunctionOutput, UserText
from server.app import create_app
from server.config import ServerSettings
from server.serve import new_server
from server.service import Engine
from tests.engine_script import EngineScript, ScriptedAnswer, ScriptedMemory
from tests.scripted_engine import ScriptedInstance
from tests.server.house import LevelDetector

HANDOFF = "transfer_to_billing"


def answer(memory: ScriptedMemory) -> ScriptedAnswer:
    """Who asks for billing is handed over, the output of a call is read out, and all else is
    answered with a greeting."""
    last = memory.items[-1] if memory.items else None
    if isinstance(last, UserText) and "billing" in last.text:
        return ScriptedAnswer("", call=FunctionCall(HANDOFF, "{}"))
    if isinstance(last, FunctionOutput):
        return ScriptedAnswer("Billing speaks, what is it about?")
    return ScriptedAnswer("Hello, what can I do for you?")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--allowed-origins", default="")
    arguments.add_argument("--sessions-per-pair", type=int, default=4)
    settings = ServerSettings(**vars(arguments.parse_args()))
    script = EngineScript(answers=answer)
    instances = (ScriptedInstance(script, name="a"), ScriptedInstance(script, name="b"))
    engine = Engine((instances,), LevelDetector)
    new_server(create_app(settings, engine), settings).run()


if __name__ == "__main__":
    main()
