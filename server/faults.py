"""Errors of files and of the network as one line for a terminal."""

from __future__ import annotations

import ssl
import tomllib
from pathlib import Path


def one_line(error: BaseException) -> str:
    """What went wrong in words: the file or address if it is known, and no number of an error."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror.lower()}"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return " ".join(str(error).split()) or type(error).__name__


def toml_faults(file: Path) -> list[str]:
    """Why this file of settings cannot be read as TOML; nothing where it can."""
    try:
        with file.open("rb") as stream:
            tomllib.load(stream)
    except OSError as error:
        return [f"config: {file}: {error.strerror}"]
    except UnicodeDecodeError as error:
        return [f"config: {file}: no UTF-8 at byte {error.start}"]
    except tomllib.TOMLDecodeError as error:
        return [f"config: {file}: {error}"]
    return []
