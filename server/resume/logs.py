"""server.resume: uvicorn's log without the query, which may carry a resume token."""

from __future__ import annotations

import logging


class WithoutQuery(logging.Filter):
    """Cuts each path among a record's arguments at its question mark."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(map(_without_query, record.args))
        return True


def _without_query(value: object) -> object:
    is_path = isinstance(value, str) and value.startswith("/")
    return value.partition("?")[0] if is_path and isinstance(value, str) else value


WITHOUT_QUERY = WithoutQuery()


def keep_queries_out() -> None:
    """From here on uvicorn logs no queries; doing it twice changes nothing."""
    logging.getLogger("uvicorn.error").addFilter(WITHOUT_QUERY)
