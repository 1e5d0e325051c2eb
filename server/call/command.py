"""The caller's room: the command line `antiphon call`."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import soundfile
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from server.call.caller import Caller
from server.call.conversation import CallFailed, CallMachine
from server.call.microphone import check_devices, devices
from server.call.record import CallRecord
from server.call.report import dialogue, said, stage_lines, summary, table, warnings
from server.call.script import CallScript, ClientBehaviour, Cue
from server.call.timeline import RATE, load_clip
from server.faults import one_line

URL = "ws://127.0.0.1:8080/v1/realtime"
# The words of both sides are wanted; any name of a transcription model does.
WITH_WORDS = {"audio": {"input": {"transcription": {"model": "gpt-4o-mini-transcribe"}}}}


def command(
    question: Annotated[
        Path | None, typer.Argument(help="A sound file, any rate, mono or stereo.")
    ] = None,
    interrupt: Annotated[
        list[str] | None,
        typer.Option(help="SECONDS:FILE, played that long after the answer became audible."),
    ] = None,
    record: Annotated[
        Path | None, typer.Option(help="Write what was played, on the call's clock.")
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    url: Annotated[
        str, typer.Option(help="The server: http://, https://, ws://, wss:// or HOST:PORT.")
    ] = URL,
    key: Annotated[str | None, typer.Option(envvar="ANTIPHON_KEY", help="Bearer key.")] = None,
    model: Annotated[str, typer.Option(help="The model's name on the wire.")] = "nano",
    microphone: Annotated[bool, typer.Option(help="Talk and listen yourself.")] = False,
    explain: Annotated[bool, typer.Option(help="Ask the server why; shows decisions.")] = False,
    patience: Annotated[float, typer.Option(help="Seconds to wait for an answer.")] = 8.0,
) -> None:
    """Call a server, play it a question, play the answer, and report every latency."""
    errors = Console(stderr=True)
    try:
        check_writable(record)
        script = _script(question, interrupt or [], microphone, explain, patience)
        finished = asyncio.run(_call(url, script, key, model, microphone, errors))
    except (CallFailed, OSError, ValueError) as error:
        errors.print(one_line(error), style="red", markup=False, soft_wrap=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if record is not None:
        soundfile.write(record, finished.assistant, RATE)
    _show(finished, json_output, errors, was_followed=microphone)
    if not microphone and not any(answer.audible for answer in finished.answers):
        raise typer.Exit(2)


def check_writable(path: Path | None) -> None:
    """Raises ValueError where a recording could not be written when the call is over."""
    if path is None:
        return
    if not path.parent.is_dir():
        raise ValueError(f"--record {path}: there is no folder {path.parent}")
    if path.suffix[1:].upper() not in soundfile.available_formats():
        raise ValueError(f"--record {path}: a sound file is wanted, as in answer.wav")


def parse_interruption(text: str) -> Cue:
    """`1.5:other.wav` as a cue. Raises ValueError, OSError."""
    seconds, found, path = text.partition(":")
    try:
        after = float(seconds)
    except ValueError:
        found = ""
        after = 0.0
    if not found or after < 0 or not path:
        raise ValueError(f"--interrupt {text}: SECONDS:FILE is wanted, as in 1.5:other.wav")
    return Cue(load_clip(Path(path)), after_answer=after, label="interruption")


def _script(
    question: Path | None, interrupt: list[str], microphone: bool, explain: bool, patience: float
) -> CallScript:
    behaviour = ClientBehaviour(explains=explain, session=WITH_WORDS)
    if microphone:
        check_devices()
        return CallScript(length=float("inf"), behaviour=behaviour)
    if question is None:
        raise ValueError("a sound file is wanted, or --microphone")
    cues = (Cue(load_clip(question), at=0.5), *map(parse_interruption, interrupt))
    return CallScript(cues=cues, patience=patience, behaviour=behaviour)


async def _call(
    url: str, script: CallScript, key: str | None, model: str, microphone: bool, console: Console
) -> CallRecord:
    async with Caller(url, script, key=key, model=model, resumes=True) as caller:
        if microphone:
            return await _talk(caller, console)
        with _bar(console) as bar:
            task = bar.add_task("calling", total=None)

            def show(call: CallMachine, now: float) -> None:
                ends = [placed.end for placed in call.timeline.placed]
                speaking = now < max(ends, default=0.0)
                words = "asking" if speaking else "listening"
                bar.update(task, completed=now, total=max(ends, default=now), description=words)

            return await caller.run(show)


async def _talk(caller: Caller, console: Console) -> CallRecord:
    shown = 0
    with devices() as link, interrupted(caller.call.hang_up):
        console.print("Speak. Control-C ends the call.")

        def exchange(call: CallMachine, now: float) -> None:
            nonlocal shown
            link.exchange(call, now)
            for happening in call.happenings[shown:]:
                for line in said(happening):
                    console.print(line)
            shown = len(call.happenings)

        return await caller.run(exchange)


@contextmanager
def interrupted(react: Callable[[], None]) -> Iterator[None]:
    """Meanwhile Control-C does this; a loop that takes no signals (Windows) leaves it as it is."""
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(signal.SIGINT, react)
    except NotImplementedError:
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description:>10}"), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True)


def _show(
    record: CallRecord, as_json: bool, errors: Console, *, was_followed: bool = False
) -> None:
    """`was_followed`: its words were shown as they came, and nothing in it was asked by a clock."""
    if as_json:
        Console().print_json(json.dumps(summary(record)))
    elif not was_followed:
        console = Console()
        for line in dialogue(record):
            console.print(line)
        console.print(table(record))
        for stage in stage_lines(record):
            console.print(stage, soft_wrap=True)
    for warning in warnings(record):
        errors.print(warning, style="yellow", markup=False, soft_wrap=True)
