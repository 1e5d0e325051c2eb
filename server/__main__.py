"""The command line. A command is imported when it is asked for, and not before."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import typer
from typer.core import TyperGroup

# Each module has one function `command` with Typer's annotations.
COMMANDS = {
    "serve": "server.serve",
    "drain": "server.draining.command",
    "call": "server.call.command",
    "eval": "server.evaluation.command",
    "replay": "server.replay.command",
    "inspect": "server.inspection",
    "convert": "server.conversion",
}


class LazyCommands(TyperGroup):
    """Starting `call` must not load a server, nor `serve` a plotting library."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [name for name, module in COMMANDS.items() if _exists(module)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.list_commands(ctx):
            return None
        alone = typer.Typer(add_completion=False)
        alone.command(cmd_name)(import_module(COMMANDS[cmd_name]).command)
        return typer.main.get_command(alone)


def _exists(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


app = typer.Typer(cls=LazyCommands, no_args_is_help=True, add_completion=False)


@app.callback()
def antiphon() -> None:
    """Antiphon: a real-time duplex voice assistant. It listens while it speaks."""


def main() -> None:
    app()


if __name__ == "__main__":
    main()
