"""server: the paths of the API, their aliases, and what is said about a path that does not exist.

Azure's clients write `/openai` in front of every path; some older ones leave `/v1` out.
"""

from __future__ import annotations

from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import JSONResponse

from server.admission import Denied
from server.metrics import Metrics

REALTIME = ("/v1/realtime", "/openai/v1/realtime", "/openai/realtime", "/realtime")
CLIENT_SECRETS = ("/v1/realtime/client_secrets", "/openai/v1/realtime/client_secrets")
MODELS = ("/v1/models", "/openai/v1/models")

_API = ("/v1/{path:path}", "/openai/{path:path}", "/realtime")
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_LONGEST_SHOWN = 120


def add_unknown_paths(app: FastAPI, metrics: Metrics) -> None:
    """Answer every other path of the API with 404 and the right one. Goes behind all API routes."""

    @app.websocket("/{path:path}")
    async def unknown_websocket(websocket: WebSocket) -> None:
        await websocket.send_denial_response(_refused(websocket.url.path, metrics))

    async def unknown(request: Request) -> Response:
        return _refused(request.url.path, metrics)

    for path in _API:
        app.add_api_route(path, unknown, methods=_METHODS, include_in_schema=False)


def _refused(path: str, metrics: Metrics) -> Response:
    metrics.refusals.labels("path").inc()
    if path.rstrip("/") in REALTIME:
        return _needs_upgrade()
    message = (
        f"There is nothing at '{path[:_LONGEST_SHOWN]}'. Conversations are at "
        f"'{REALTIME[0]}' (WebSocket); beside them there are 'POST {CLIENT_SECRETS[0]}' and "
        f"'GET {MODELS[0]}'."
    )
    return Denied(404, "path", message, code="not_found").response()


def _needs_upgrade() -> JSONResponse:
    message = "Conversations are held over a WebSocket: connect with ws:// or wss://."
    answer = Denied(426, "path", message, code="upgrade_required").response()
    answer.headers["Upgrade"] = "websocket"
    return answer
