"""What a log line may hold: where something happened and what kind of fault, never anyone's words.

The text of an exception often quotes what it failed on; the frames of a traceback do not.
"""

from __future__ import annotations

import logging
import traceback
from types import TracebackType
from typing import Any

LINE = "%(levelname)s %(name)s %(message)s"


class DiscreetFormatter(logging.Formatter):
    """Shows an exception by its kind and its frames, without its text."""

    def formatException(self, ei: Any) -> str:
        _, error, trace = ei
        return "\n".join(_lines(error, trace))


def _lines(error: BaseException | None, trace: TracebackType | None) -> list[str]:
    if error is None:
        return []
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    lines = _lines(before, before.__traceback__) if before is not None else []
    lines.append("Traceback (most recent call last):")
    lines += [line.rstrip() for line in traceback.format_tb(trace)]
    lines.append(f"{type(error).__module__}.{type(error).__qualname__}")
    for inner in getattr(error, "exceptions", ()):
        lines += _lines(inner, inner.__traceback__)
    return lines


def set_up_logging(level: str) -> None:
    """For a server's process. Libraries that log what they send and receive are kept from it."""
    handler = logging.StreamHandler()
    handler.setFormatter(DiscreetFormatter(LINE))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in ("websockets", "httpx", "httpcore", "h11", "asyncio", "PIL", "multipart"):
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLogger().level))
    for name in ("httpx", "httpcore"):  # their lines hold addresses with query strings
        logging.getLogger(name).setLevel(logging.WARNING)
