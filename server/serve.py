"""Uvicorn with our transport; it says where the page is once the models are ready."""

from __future__ import annotations

import asyncio
import logging
import socket
from functools import partial

import uvicorn
import uvloop
from fastapi import FastAPI
from rich.console import Console

from server.app import create_app
from server.certificate import Certificate
from server.config import ServerSettings
from server.draining.signals import DrainingServer
from server.edge.http import HttpProtocol
from server.process_memory import give_back_large_blocks, settle
from server.resume.logs import keep_queries_out
from server.service import Service
from server.tracing import fault_of
from server.transport import Transport

logger = logging.getLogger(__name__)
SHUTDOWN_SECONDS = 5


def run(settings: ServerSettings, listener: socket.socket, files: Certificate | None) -> int:
    """Serve on a socket that listens already, until the server is stopped; give the exit code."""
    give_back_large_blocks()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(settings, listener, files, Console()))


def new_server(
    app: FastAPI, settings: ServerSettings, files: Certificate | None = None
) -> uvicorn.Server:
    """uvicorn as this application needs it; with TLS where there is a certificate."""
    limits = settings.limits
    service: Service = app.state.service
    keep_queries_out()
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


def _with_writable_traces(settings: ServerSettings) -> ServerSettings:
    """A server whose traces cannot be written says so and serves without them."""
    folder = settings.trace_directory
    fault = "" if folder is None else fault_of(folder)
    if not fault:
        return settings
    logger.error(fault)
    return settings.model_copy(update={"trace_directory": None})


async def _serve(
    settings: ServerSettings,
    listener: socket.socket,
    files: Certificate | None,
    console: Console,
) -> int:
    app = create_app(_with_writable_traces(settings))
    server = new_server(app, settings, files)
    announcing = asyncio.create_task(_announce(app.state.service, server, console))
    try:
        await server.serve(sockets=[listener])
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
    settle()
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
