"""The command line. A command is imported when it is asked for, and not before."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from server.extras import missing


@dataclass(frozen=True, slots=True)
class Command:
    """Where a command is: `module` has one function `command` with Typer's annotations, and
    perhaps an EPILOG for its help. `summary` is its line in the list of commands."""

    module: str
    summary: str


COMMANDS = {
    "serve": Command("server.serve_command", "Serve conversations over the Realtime protocol."),
    "doctor": Command(
        "server.doctor.command", "Try a language model's address, say what to expect."
    ),
    "drain": Command("server.draining.command", "Let a running server's calls end, then stop it."),
    "call": Command("server.call.command", "Call a server with a recording or a microphone."),
    "eval": Command("server.evaluation.command", "Score what is heard on labelled recordings."),
    "replay": Command("server.replay.command", "Run a trace again and explain it."),
    "inspect": Command("server.inspection", "Show what a VITA folder holds."),
    "convert": Command("server.conversion", "Write a VITA folder as safetensors."),
}


class LazyCommands(TyperGroup):
    """Lists all commands without importing one: starting `call` must not load a server, and a
    command whose packages are missing must not hide the others."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command with its line of help and nothing else."""
        known = COMMANDS.get(cmd_name)
        return None if known is None else _built(cmd_name, lambda: None, help=known.summary)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is to run, imported."""
        name, command, rest = super().resolve_command(ctx, args)
        if name is None or command is None:
            return name, command, rest
        module = import_module(COMMANDS[name].module)
        epilog = getattr(module, "EPILOG", None)
        return name, _built(name, module.command, epilog=epilog), rest


def _built(name: str, function: Any, **options: Any) -> Any:
    alone = typer.Typer(add_completion=False, rich_markup_mode="rich")
    alone.command(name, **options)(function)
    return typer.main.get_command(alone)


app = typer.Typer(cls=LazyCommands, no_args_is_help=True, add_completion=False)


@app.callback()
def antiphon() -> None:
    """Antiphon: a real-time duplex voice assistant. It listens while it speaks."""


def main() -> None:
    try:
        app()
    except ModuleNotFoundError as error:
        words = [word for word in sys.argv[1:2] if word in COMMANDS]
        extra = missing(error, " ".join(("antiphon", *words)))
        if extra is None:
            raise
        Console(stderr=True).print(str(extra), style="red", markup=False, soft_wrap=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
