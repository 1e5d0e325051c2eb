"""The application: its routes, its lifespan, and the one place where engines are chosen."""

from __future__ import annotations

import logging
import mimetypes
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

from models.base import SPARE_STREAMS, Instance, InstanceFailed, SpeakerEncoder
from models.engines.choice import engine_for
from server import addresses, gate
from server.admission import RETRY_AFTER, Denied
from server.cascade import cascade_options, chosen_transcriber
from server.config import ServerSettings
from server.edge.bodies import read_body
from server.edge.hosts import HostGuard
from server.realtime.json_input import parse_object
from server.realtime.refusal import Refusal
from server.service import Engine, Service

logger = logging.getLogger(__name__)
WEB = Path(__file__).resolve().parent / "web"
LARGEST_BODY = 2**20  # bytes that are read of a request
_STARTED = int(time.time())


def create_app(settings: ServerSettings, engine: Engine | None = None) -> FastAPI:
    """The ASGI application. `engine`: models that are loaded already; else as the settings say."""
    service = Service(settings, load_engine if engine is None else lambda _: engine)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        try:
            yield
        finally:
            await service.stop()

    app = FastAPI(title="Antiphon", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.service = service
    app.add_middleware(HostGuard, settings=settings, refusals=service.metrics.refusals)
    _add_health(app, service)
    _add_realtime(app, service)
    mimetypes.init()  # reads files: now, and not with the first page
    if (WEB / "index.html").is_file():
        app.mount("/", StaticFiles(directory=WEB, html=True), name="page")
    return app


INSTANCES = 2  # of a pair

# Each of these modules has `load`, which reads a folder, and what makes an instance of it.
ENGINES = {
    "embedded": ("models.engines.embedded", "EmbeddedInstance"),
    "pytorch": ("models.engines.pytorch", "PytorchInstance"),
    "vllm": ("models.engines.vllm.instance", "VllmInstance"),
    "cascade": ("models.engines.cascade.assembly", "assemble"),
    "smollm": ("models.engines.smollm.assembly", "assemble"),
}


def load_engine(settings: ServerSettings) -> Engine:
    """Load the models (slow; not on the event loop). Imports only the engine that is asked for."""
    from models.vad import SileroDetector, SileroModel

    silero = SileroModel()
    pairs = tuple(_load_pairs(settings))
    return Engine(pairs, lambda: SileroDetector(silero), load_speaker_encoder(settings))


def load_speaker_encoder(settings: ServerSettings) -> SpeakerEncoder | None:
    """What tells voices apart. Without its weights the server works, and says so."""
    if not settings.speaker_profile:
        return None
    from models.speaker.encoder import SpeakerModel

    try:
        return SpeakerModel()
    except InstanceFailed as error:
        logger.warning("%s: other voices are taken for the user's", error.reason)
        return None


def _options(settings: ServerSettings, engine: str) -> dict[str, Any]:
    """What an engine's `load` wants to know beside the folder."""
    if engine == "embedded":
        return {}
    from models.synthesizers.choice import open_synthesizer
    from models.vita.system_prompts import trained_prompts

    key = settings.synthesizer_key.get_secret_value()
    voice = open_synthesizer(settings.synthesizer, settings.synthesizer_voice, key)
    if engine == "cascade":
        return cascade_options(settings) | {"synthesizer": voice}
    if engine == "smollm":
        return {"transcriber": chosen_transcriber(settings), "synthesizer": voice}
    vita = settings.vita
    options = {
        "device": settings.device,
        "synthesizer": voice,
        "capacity": vita.context,
        "prompts": trained_prompts().replaced(
            sound=vita.prompt_sound, image=vita.prompt_image, video=vita.prompt_video
        ),
    }
    if engine == "vllm":
        listening = INSTANCES * settings.sessions_per_pair
        return options | {"pairs": settings.pairs, "listening": listening, **dict(settings.vllm)}
    return options | {"slots": settings.sessions_per_pair + SPARE_STREAMS}


def _load_pairs(settings: ServerSettings) -> Iterator[tuple[Instance, Instance]]:
    chosen: str = settings.engine
    if chosen == "auto":
        chosen = "cascade" if settings.llm else engine_for(settings.model)
    name, kind = ENGINES[chosen]
    engine = import_module(name)
    weights = engine.load(
        settings.model, **_options(settings, chosen)
    )  # one copy, however many instances
    licence = getattr(weights, "licence", "")
    if licence:
        logger.warning("the licence of this model: %s", licence)
    for number in range(settings.pairs):
        first, second = (getattr(engine, kind)(weights, f"{number}{part}") for part in "ab")
        yield first, second


# --------------------------------------------------------------------------------------- routes


def _add_health(app: FastAPI, service: Service) -> None:
    @app.get("/healthz")
    async def healthz(loaded: bool = False) -> JSONResponse:
        """The process answers. `loaded`: and its models are in memory, whatever else ails it."""
        if loaded and service.admission.pool is None:
            return JSONResponse({"status": "loading"}, 503, {"Retry-After": str(RETRY_AFTER)})
        return JSONResponse({"status": "ok"})

    @app.get("/readyz")
    async def readyz(full: bool = False) -> JSONResponse:
        """`full`: a server without a free place is not ready either. "degraded": a language model's
        address cannot be used; sessions are taken, and their answers fail for that reason."""
        admission, status = service.admission, service.readiness
        if full and status == "ready" and not admission.left:
            status = "full"
        if status == "ready" and service.trouble is not None:
            status = "degraded"
        ready = status == "ready"
        body = {
            "status": status,
            "reason": service.trouble,
            "sessions": admission.taken,
            "sessions_left": admission.left,
        }
        again = {} if ready else {"Retry-After": str(RETRY_AFTER)}
        return JSONResponse(body, 200 if ready else 503, again)

    @app.get("/metrics")
    async def metrics(request: Request) -> Response:
        text, content_type = service.metrics.exposition(request.headers.get("accept", ""))
        return Response(text, media_type=content_type)


def _add_realtime(app: FastAPI, service: Service) -> None:
    async def realtime(websocket: WebSocket) -> None:
        await gate.converse(websocket, service)

    for path in addresses.REALTIME:
        app.add_api_websocket_route(path, realtime)
    _add_beside(app, service)
    addresses.add_unknown_paths(app, service.metrics)


def _add_beside(app: FastAPI, service: Service) -> None:
    """Add the plain HTTP beside the conversations."""

    async def models(request: Request) -> Response:
        return await _guarded(service, request, lambda _: _models(service))

    async def model(request: Request) -> Response:
        name = request.path_params["name"]
        return await _guarded(service, request, lambda _: _named_model(service, name))

    async def client_secrets(request: Request) -> Response:
        return await _guarded(
            service,
            request,
            lambda body: gate.make_secret(service, parse_object(body or b"{}", "body")),
            largest=LARGEST_BODY,
        )

    for path in addresses.MODELS:
        app.add_api_route(path, models)
        app.add_api_route(f"{path}/{{name:path}}", model)
    for path in addresses.CLIENT_SECRETS:
        app.add_api_route(path, client_secrets, methods=["POST"])


async def _guarded(
    service: Service, request: Request, answer: Callable[[bytes], Any], largest: int = 0
) -> Response:
    """The answer to who may ask; a body of at most `largest` bytes is read after that is known."""
    try:
        granted = gate.admit(service, request, [])
        if granted.is_ephemeral:
            raise Denied(401, "key", "This needs the server's own key.", code="invalid_api_key")
        patience = service.settings.limits.request_seconds
        body = await read_body(request, largest, patience) if largest else b""
        return JSONResponse(answer(body))
    except Denied as denied:
        service.metrics.refusals.labels(denied.reason).inc()
        return denied.response()
    except Refusal as refusal:
        error = {"type": "invalid_request_error", "message": refusal.message}
        place = {"code": refusal.code, "param": refusal.param}
        return JSONResponse({"error": error | place}, 400)


def _models(service: Service) -> dict[str, Any]:
    return {"object": "list", "data": [_model(service)]}


def _named_model(service: Service, name: str) -> dict[str, Any]:
    """The model that answers to a name. Raises Denied."""
    gate.check_model(service, name)
    return _model(service)


def _model(service: Service) -> dict[str, Any]:
    name = service.settings.model_name
    return {"id": name, "object": "model", "created": _STARTED, "owned_by": "antiphon"}
