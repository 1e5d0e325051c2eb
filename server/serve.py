"""`antiphon serve`: uvicorn with our transport; says where the page is once it is ready."""

from __future__ import annotations

import asyncio
import logging
import os
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn
import uvloop
from fastapi import FastAPI
from rich.console import Console

from server.app import create_app
from server.certificate import Certificate, certificate
from server.config import ConfigurationError, ServerSettings, load_settings
from server.draining.signals import DrainingServer
from server.edge.http import HttpProtocol
from server.environment import service_links
from server.extras import ExtraMissing
from server.logs import set_up_logging
from server.preflight import check_place
from server.service import Service
from server.settings_help import environment_help
from server.transport import Transport

logger = logging.getLogger(__name__)
SHUTDOWN_SECONDS = 5
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
        check_place(settings)
    except ConfigurationError as error:
        for fault in error.faults:
            errors.print(fault, style="red", markup=False, soft_wrap=True)
        raise typer.Exit(2) from None
    set_up_logging(settings.log_level)
    links = service_links(os.environ)
    if links:
        logger.info("ignored, since Kubernetes sets them for services: %s", ", ".join(links))
    try:
        with certificate(settings) as files:
            code = _run(settings, files)
    except ExtraMissing as error:
        errors.print(str(error), style="red", markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
    raise typer.Exit(code)


def _run(settings: ServerSettings, files: Certificate | None) -> int:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(settings, files, Console()))


def new_server(
    app: FastAPI, settings: ServerSettings, files: Certificate | None = None
) -> uvicorn.Server:
    """uvicorn as this application needs it; with TLS where there is a certificate."""
    limits = settings.limits
    service: Service = app.state.service
    return DrainingServer(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            http=partial(HttpProtocol, service.half_open),  # type: ignore[arg-type]
            ws=Transport,
            ws_max_size=limits.frame,
            ws_ping_interval=limits.ping_seconds,
            ws_ping_timeout=limits.ping_seconds,
            ws_per_message_deflate=False,  # base64 sound: work without gain
            log_config=None,
            log_level=settings.log_level,
            access_log=False,
            forwarded_allow_ips=list(settings.trusted_proxies),
            server_header=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            ssl_certfile=None if files is None else files.chain,
            ssl_keyfile=None if files is None else files.key,
        ),
        service.drain,
    )


async def _serve(settings: ServerSettings, files: Certificate | None, console: Console) -> int:
    app = create_app(settings)
    server = new_server(app, settings, files)
    announcing = asyncio.create_task(_announce(app.state.service, server, console))
    try:
        await server.serve()
    finally:
        announcing.cancel()
        failed = (await asyncio.gather(announcing, return_exceptions=True))[0]
    return 1 if failed is True else 0


async def _announce(service: Service, server: uvicorn.Server, console: Console) -> bool:
    """Print the address when all is loaded, else end the server and say why; True if it failed."""
    await service.started.wait()
    assert service.loaded is not None
    try:
        await service.loaded
    except Exception as error:
        folder = service.settings.model
        console.print(
            f"The models in {folder} could not be loaded: {error}", style="red", soft_wrap=True
        )
        server.should_exit = True
        return True
    console.print(f"Antiphon is ready: {address(server)}", style="bold", soft_wrap=True)
    if service.settings.tls == "self-signed":
        console.print(
            f"Its certificate, for clients that are to trust it: {server.config.ssl_certfile}",
            soft_wrap=True,
        )
    return False


def address(server: uvicorn.Server) -> str:
    """The page's address; the port is the one that was really bound."""
    host = server.config.host
    port = server.config.port
    for bound in server.servers:
        for each in bound.sockets:
            port = each.getsockname()[1]
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    scheme = "https" if server.config.is_ssl else "http"
    return f"{scheme}://[{shown}]:{port}/" if ":" in shown else f"{scheme}://{shown}:{port}/"
