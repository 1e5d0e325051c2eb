"""The address of a Realtime server, as people write it."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit, urlunsplit

PATH = "/v1/realtime"
_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


def websocket_url(text: str, model: str) -> str:
    """The WebSocket's address for http://, https://, ws://, wss:// or host:port.

    Where no path is written, or only `/v1`, the protocol's own is taken; `?model=` is added unless
    the address names one. Raises ValueError where there is no host.
    """
    parts = urlsplit(text if "://" in text else f"ws://{text}")
    scheme = _SCHEMES.get(parts.scheme.lower())
    if scheme is None or not _has_place(parts.netloc):
        raise ValueError(f"--url {text}: wanted is http://HOST:PORT, ws://HOST:PORT or HOST:PORT")
    path = PATH if parts.path.rstrip("/") in ("", "/v1") else parts.path
    query = parts.query
    if "model=" not in query:
        query = "&".join(filter(None, (query, urlencode({"model": model}))))
    return urlunsplit((scheme, parts.netloc, path, query, ""))


def _has_place(netloc: str) -> bool:
    try:
        parts = urlsplit(f"//{netloc}")
        return bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False
