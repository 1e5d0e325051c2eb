"""server: what can be found wrong before anything is loaded: folder, certificate, address."""

from __future__ import annotations

import errno
import socket
import ssl
from importlib.util import find_spec

from models.engines.choice import CONVERTED, engine_for
from server.config import ConfigurationError, ServerSettings
from server.extras import needed
from server.resume.cipher import FernetCipher

DESCRIPTIONS = ("config.json", CONVERTED)  # one of these describes a model
BUNDLE_FILES = ("tokenizer.json", "embeddings.npy", "listening.onnx", "language.onnx")
PACKAGES = {"pytorch": {"torch": "torch"}, "vllm": {"torch": "torch", "vllm": "vllm"}}
_BACKLOG = 2048  # connections that wait to be taken, as uvicorn has it


def check_files(settings: ServerSettings) -> None:
    """Raises ConfigurationError where the model's folder, the certificate or an extra is not there,
    with every fault."""
    found = (
        _fault_of_model(settings),
        _fault_of_engine(settings),
        _fault_of_tls(settings),
        _fault_of_extras(settings),
    )
    faults = [fault for fault in found if fault]
    if faults:
        raise ConfigurationError(faults)


def listening_socket(settings: ServerSettings) -> socket.socket:
    """A socket that listens at the settings' address. Raises ConfigurationError."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    address = (settings.host, settings.port)
    try:
        return socket.create_server(address, family=family, backlog=_BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            fault = f"port: {settings.port} is taken by another program; --port chooses another"
        else:
            said = error.strerror or str(error)
            fault = f"host: cannot listen on {settings.host}, port {settings.port} ({said})"
        raise ConfigurationError([fault]) from None


def _fault_of_model(settings: ServerSettings) -> str:
    folder = settings.model
    if not folder.is_dir():
        return f"model: there is no folder {folder}"
    if chosen_engine(settings) == "cascade":
        return ""
    if not any((folder / name).is_file() for name in DESCRIPTIONS):
        return f"model: {folder} is no model: it has neither {' nor '.join(DESCRIPTIONS)}"
    missing = [name for name in BUNDLE_FILES if not (folder / name).is_file()]
    if chosen_engine(settings) == "embedded" and missing:
        return f"model: {folder} is no model for the engine embedded: it lacks {missing[0]}"
    return ""


def _fault_of_engine(settings: ServerSettings) -> str:
    engine = chosen_engine(settings)
    for package, extra in PACKAGES.get(engine, {}).items():
        if find_spec(package) is None:
            return f"engine: {engine} needs {needed(extra)}"
    return ""


def chosen_engine(settings: ServerSettings) -> str:
    """The engine that will run the model's folder."""
    return engine_for(settings.model) if settings.engine == "auto" else settings.engine


def _fault_of_tls(settings: ServerSettings) -> str:
    if settings.tls_certificate is None or settings.tls_key is None:
        return ""
    for name in ("tls_certificate", "tls_key"):
        if not getattr(settings, name).is_file():
            return f"{name}: there is no file {getattr(settings, name)}"
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(settings.tls_certificate, settings.tls_key, password="")
    except (OSError, ValueError) as error:
        said = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
        return f"tls_certificate, tls_key: they are no certificate with its key ({said})"
    return ""


def _fault_of_extras(settings: ServerSettings) -> str:
    """What is set that needs packages which are not installed, or keys that are none."""
    if settings.spans and find_spec("opentelemetry") is None:
        return f"spans: they need {needed('otel')}"
    resume = settings.resume
    if not (resume.keys or resume.is_shared):
        return ""
    if find_spec("redis") is None or find_spec("cryptography") is None:
        return f"resume: this needs {needed('redis')}"
    try:
        FernetCipher([key.get_secret_value() for key in resume.keys])
    except ValueError:
        return (
            "resume.keys: a key is 32 bytes in url-safe base64, as cryptography's Fernet makes it"
        )
    return ""
