"""The command line `antiphon serve`.

The socket listens before anything slow is imported or loaded: a client that comes back right after
a restart waits for its handshake instead of being refused a connection.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from server.certificate import certificate
from server.config import ConfigurationError, load_settings
from server.environment import service_links
from server.extras import ExtraMissing
from server.logs import set_up_logging
from server.preflight import check_files, listening_socket
from server.settings_help import environment_help

logger = logging.getLogger(__name__)
EPILOG = environment_help()


def command(
    config: Annotated[
        Path | None, typer.Option(envvar="ANTIPHON_CONFIG", help="A TOML file of settings.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    model: Annotated[
        Path | None, typer.Option(help="The model's folder, or nano or smollm.")
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="auto, embedded, pytorch, vllm, cascade or smollm.")
    ] = None,
    llm: Annotated[
        str | None, typer.Option(help="Address of a language model, as http://host:11434/v1.")
    ] = None,
    llm_model: Annotated[str | None, typer.Option(help="The model's name there.")] = None,
    device: Annotated[str | None, typer.Option(help="For pytorch, vllm: cpu, cuda, auto.")] = None,
    pairs: Annotated[int | None, typer.Option(help="Pairs of instances.")] = None,
    sessions_per_pair: Annotated[int | None, typer.Option(help="Conversations a pair.")] = None,
    lead_ms: Annotated[
        int | None, typer.Option(help="How far sending runs ahead of playing, milliseconds.")
    ] = None,
    instructions: Annotated[
        str | None, typer.Option(help="What a session is told where its client says nothing.")
    ] = None,
    api_keys: Annotated[
        str | None,
        typer.Option(help="Keys with commas between. Better ANTIPHON_API_KEYS: ps shows flags."),
    ] = None,
    without_keys: Annotated[
        bool | None,
        typer.Option(
            "--without-keys", help="Let everybody in who reaches this address, without a key."
        ),
    ] = None,
    host_names: Annotated[
        str | None,
        typer.Option(help="Host names to answer to, with commas between; * is every one."),
    ] = None,
    allowed_origins: Annotated[
        str | None, typer.Option(help="Web origins with commas between, beside the server's own.")
    ] = None,
    model_aliases: Annotated[
        str | None, typer.Option(help="Other names of the model, with commas between.")
    ] = None,
    tls: Annotated[str | None, typer.Option(help="off, or self-signed (to try it).")] = None,
    tls_certificate: Annotated[Path | None, typer.Option(help="PEM file with the chain.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file of its key.")] = None,
    trace_directory: Annotated[
        Path | None, typer.Option(help="Write one trace a session here.")
    ] = None,
    trace_words: Annotated[bool | None, typer.Option(help="Let traces hold what was said.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
) -> None:
    """Serve conversations. Flags rule over ANTIPHON_* in the environment, that over the file."""
    flags: dict[str, Any] = dict(locals())
    flags.pop("config")
    errors = Console(stderr=True)
    try:
        settings = load_settings(config, flags)
        check_files(settings)
        listener = listening_socket(settings)
    except ConfigurationError as error:
        for fault in error.faults:
            errors.print(fault, style="red", markup=False, soft_wrap=True)
        raise typer.Exit(2) from None
    set_up_logging(settings.log_level)
    links = service_links(os.environ)
    if links:
        logger.info("ignored, since Kubernetes sets them for services: %s", ", ".join(links))
    try:
        with listener, certificate(settings) as files:
            from server.serve import run  # slow to import: clients wait at the socket meanwhile

            code = run(settings, listener, files)
    except ExtraMissing as error:
        errors.print(str(error), style="red", markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
    raise typer.Exit(code)
