"""server: what can be found wrong before anything is loaded: folder, certificate, address."""

from __future__ import annotations

import errno
import socket
import ssl
from importlib.util import find_spec

from server.config import ConfigurationError, ServerSettings
from server.extras import needed
from server.resume.cipher import FernetCipher

_BACKLOG = 2048  # connections that wait to be taken, as uvicorn has it


def check_files(settings: ServerSettings) -> None:
    """Raises ConfigurationError where the model's folder, the certificate or an extra is not there,
    with every fault."""
    faults = []
    if not settings.model.is_dir():
        faults.append(f"model: there is no folder {settings.model}")
    faults += filter(None, (_fault_of_tls(settings), _fault_of_extras(settings)))
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
