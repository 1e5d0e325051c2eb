"""The command line `antiphon serve`.

The socket listens before anything slow is imported or loaded: a client that comes back right after
a restart waits for its handshake instead of being refused a connection.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
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


# The flags, as `antiphon serve --help` shows them.
ConfigFlag = Annotated[
    Path | None, typer.Option(envvar="ANTIPHON_CONFIG", help="A TOML file of settings.")
]
HostFlag = Annotated[str | None, typer.Option(help="Address to listen on.")]
PortFlag = Annotated[int | None, typer.Option(help="Port to listen on.")]
ModelFlag = Annotated[Path | None, typer.Option(help="The model's folder, or nano or smollm.")]
EngineFlag = Annotated[
    str | None, typer.Option(help="auto, embedded, pytorch, vllm, cascade or smollm.")
]
LlmFlag = Annotated[
    str | None, typer.Option(help="Address of a language model, as http://host:11434/v1.")
]
LlmModelFlag = Annotated[str | None, typer.Option(help="The model's name there.")]
DeviceFlag = Annotated[str | None, typer.Option(help="For pytorch, vllm: cpu, cuda, auto.")]
PairsFlag = Annotated[int | None, typer.Option(help="Pairs of instances.")]
SessionsPerPairFlag = Annotated[int | None, typer.Option(help="Conversations a pair.")]
LeadMsFlag = Annotated[
    int | None, typer.Option(help="How far sending runs ahead of playing, milliseconds.")
]
InstructionsFlag = Annotated[
    str | None, typer.Option(help="What a session is told where its client says nothing.")
]
ApiKeysFlag = Annotated[
    str | None,
    typer.Option(help="Keys with commas between. Better ANTIPHON_API_KEYS: ps shows flags."),
]
WithoutKeysFlag = Annotated[
    bool | None,
    typer.Option(
        "--without-keys", help="Let everybody in who reaches this address, without a key."
    ),
]
HostNamesFlag = Annotated[
    str | None, typer.Option(help="Host names to answer to, with commas between; * is every one.")
]
AllowedOriginsFlag = Annotated[
    str | None, typer.Option(help="Web origins with commas between, beside the server's own.")
]
ModelAliasesFlag = Annotated[
    str | None, typer.Option(help="Other names of the model, with commas between.")
]
TlsFlag = Annotated[str | None, typer.Option(help="off, or self-signed (to try it).")]
TlsCertificateFlag = Annotated[Path | None, typer.Option(help="PEM file with the chain.")]
TlsKeyFlag = Annotated[Path | None, typer.Option(help="PEM file of its key.")]
TraceDirectoryFlag = Annotated[Path | None, typer.Option(help="Write one trace a session here.")]
TraceWordsFlag = Annotated[bool | None, typer.Option(help="Let traces hold what was said.")]
LogLevelFlag = Annotated[str | None, typer.Option(help="debug, info, warning or error.")]


def command(
    config: ConfigFlag = None,
    host: HostFlag = None,
    port: PortFlag = None,
    model: ModelFlag = None,
    engine: EngineFlag = None,
    llm: LlmFlag = None,
    llm_model: LlmModelFlag = None,
    device: DeviceFlag = None,
    pairs: PairsFlag = None,
    sessions_per_pair: SessionsPerPairFlag = None,
    lead_ms: LeadMsFlag = None,
    instructions: InstructionsFlag = None,
    api_keys: ApiKeysFlag = None,
    without_keys: WithoutKeysFlag = None,
    host_names: HostNamesFlag = None,
    allowed_origins: AllowedOriginsFlag = None,
    model_aliases: ModelAliasesFlag = None,
    tls: TlsFlag = None,
    tls_certificate: TlsCertificateFlag = None,
    tls_key: TlsKeyFlag = None,
    trace_directory: TraceDirectoryFlag = None,
    trace_words: TraceWordsFlag = None,
    log_level: LogLevelFlag = None,
) -> None:
    """Serve conversations. Flags rule over ANTIPHON_* in the environment, that over the file."""
    flags: dict[str, Any] = dict(locals())
    flags.pop("config")
    raise typer.Exit(_serve(config, flags))


def _serve(config: Path | None, flags: Mapping[str, Any]) -> int:
    """Serve until told to stop; the exit status. Faults of the settings are printed."""
    errors = Console(stderr=True)
    try:
        settings = load_settings(config, flags)
        check_files(settings)
        listener = listening_socket(settings)
    except ConfigurationError as error:
        for fault in error.faults:
            errors.print(fault, style="red", markup=False, soft_wrap=True)
        return 2
    set_up_logging(settings.log_level)
    links = service_links(os.environ)
    if links:
        logger.info("ignored, since Kubernetes sets them for services: %s", ", ".join(links))
    try:
        with listener, certificate(settings) as files:
            from server.serve import run  # slow to import: clients wait at the socket meanwhile

            return run(settings, listener, files)
    except ExtraMissing as error:
        errors.print(str(error), style="red", markup=False, soft_wrap=True)
        return 1
