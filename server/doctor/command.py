"""`antiphon doctor --llm URL`: tries the address and our parts, and says what to expect."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.table import Table

from audio.frame import Samples
from models.base import InstanceFailed
from server.cascade import chat_settings, chosen_transcriber
from server.config import ConfigurationError, ServerSettings, load_settings
from server.doctor.address import AddressReport, examine, list_models
from server.doctor.parts import PartTimes, measure_calls, measure_parts, predicted


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found; latencies in seconds, None where they could not be had."""

    address: AddressReport
    parts: PartTimes
    predicted: float | None
    measured: float | None


def command(
    llm: Annotated[str, typer.Option(help="Address of a language model, up to /v1.")],
    llm_model: Annotated[str, typer.Option(help="Its name there; else the only one.")] = "",
    config: Annotated[
        Path | None, typer.Option(envvar="ANTIPHON_CONFIG", help="A TOML file of settings.")
    ] = None,
    call: Annotated[bool, typer.Option(help="Make real calls, and compare.")] = True,
) -> None:
    """Try a language model's address and our own parts, and say what to expect. A key comes from
    ANTIPHON_LLM_KEY or llm_key_file."""
    console, errors = Console(), Console(stderr=True)
    try:
        settings = _settings(llm, llm_model, config)
        found = asyncio.run(diagnose(settings, call=call))
    except (ConfigurationError, InstanceFailed, httpx.HTTPError, ValueError) as error:
        errors.print(str(error) or type(error).__name__, style="red", markup=False)
        raise typer.Exit(2) from None
    console.print(table(found))
    for failure in found.address.failures:
        errors.print(failure, style="yellow", markup=False)
    raise typer.Exit(0 if found.address.warm is not None else 1)


async def diagnose(settings: ServerSettings, *, call: bool = True) -> Diagnosis:
    """Examine the address, then the parts, then real calls. Raises InstanceFailed."""
    (chat, *_) = chat_settings(settings)
    address = await examine(chat)
    transcriber = chosen_transcriber(settings)
    parts, question = await measure_parts(settings.model, transcriber)
    if address.warm is None:
        return Diagnosis(address, parts, None, None)
    expected = predicted(parts, address.warm, address.tokens_a_second)
    measured = await _measured(settings, question) if call else None
    return Diagnosis(address, parts, expected, measured)


async def _measured(settings: ServerSettings, question: Samples) -> float | None:
    quiet = settings.model_copy(update={"log_level": "error", "api_keys": ()})
    return await measure_calls(quiet, question)


def table(found: Diagnosis) -> Table:
    """What was found, a line each."""
    view = Table(title="doctor", title_justify="left", show_header=False)
    address, parts = found.address, found.parts
    cache = "works" if address.has_prefix_cache else "does not show"
    speed = address.tokens_a_second
    rows = (
        ("models", ", ".join(address.models[:8]) or "not listed"),
        ("first token, a new prefix", _ms(address.cold)),
        ("first token, the prefix read before", f"{_ms(address.warm)} (prefix cache: {cache})"),
        ("tokens a second", "-" if speed is None else f"{speed:.0f}"),
        ("tools", _yes(address.tools)),
        ("images", _yes(address.images)),
        ("a question of three seconds judged and written down", _ms(parts.transcript)),
        ("what was written down", parts.words or "nothing"),
        ("first sound of a clause", _ms(parts.first_sound)),
        ("expected from your last sound to the answer's first", _ms(found.predicted)),
        ("measured in real calls", _ms(found.measured)),
    )
    for name, value in rows:
        view.add_row(name, value)
    return view


def _settings(llm: str, model: str, config: Path | None) -> ServerSettings:
    """The server's settings for this address. Raises ConfigurationError, httpx.HTTPError."""
    if not model:
        named = load_settings(config, {"llm": llm, "llm_model": "?"})
        models = asyncio.run(list_models(named.llm[0], named.llm_secret))
        if len(models) != 1:
            known = ", ".join(models) or "none"
            raise ConfigurationError([f"--llm-model is wanted; the address lists: {known}"])
        model = models[0]
    return load_settings(config, {"llm": llm, "llm_model": model, "port": 0})


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"


def _yes(found: bool | None) -> str:
    return {True: "yes", False: "no", None: "-"}[found]
