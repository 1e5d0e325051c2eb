"""`python -m tests.light_server`: models by script, for many calls on a small machine."""

from __future__ import annotations

from typing import Annotated

import typer
import uvloop

from server.app import create_app
from server.config import load_settings
from server.serve import new_server
from server.service import Engine
from tests.engine_script import EngineScript, ScriptedAnswer
from tests.scripted_engine import ScriptedInstance
from tests.server.house import LevelDetector

ANSWER = ScriptedAnswer("This is what I have to say about it.", word_seconds=0.25)


def main(
    port: Annotated[int, typer.Option()],
    sessions_per_pair: Annotated[int, typer.Option()] = 4,
) -> None:
    """Serve like `antiphon serve`, settings from the environment."""
    settings = load_settings(flags={"port": port, "sessions_per_pair": sessions_per_pair})
    script = EngineScript(answers=[ANSWER])
    instances = ScriptedInstance(script, name="a"), ScriptedInstance(script, name="b")
    app = create_app(settings, Engine((instances,), LevelDetector))
    uvloop.run(new_server(app, settings).serve())


if __name__ == "__main__":
    typer.run(main)
