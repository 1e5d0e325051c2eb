"""Ray Serve as the second road: this server's application in each replica of one deployment.

`serve run server.ray_serve:application` starts it; deploy/ray/serve.yaml is an example file. Ray's
proxies hold the clients' connections and pass each frame on. Who is let in is decided by our own
admission, with a reason; a replica that is stopped keeps its calls for `drain_seconds`.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

# Ray reports its use to its makers unless this is set before it is imported.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field
from ray import serve
from ray.serve.config import AutoscalingConfig, RequestRouterConfig
from ray.serve.request_router import FIFOMixin, RequestRouter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.app import create_app
from server.config import ServerSettings, load_settings
from server.connections import LOST
from server.draining.drain import CLOSING
from server.service import Service
from server.transport import SCOPE_KEY

logger = logging.getLogger(__name__)

# Requests that a replica takes beside its calls. Ray holds back without a word what is more than
# that; so it is far more than there are, and all the rest is refused by us.
BESIDE_CALLS = 1_000
LOOK_SECONDS = 2.0  # between two looks at whether this replica is being stopped
SLACK_SECONDS = 15.0  # for which Ray waits longer than a drain takes


class RayOptions(BaseModel):
    """Arguments of the application, as `serve run` and serve.yaml give them."""

    model_config = ConfigDict(extra="forbid")

    settings: dict[str, Any] = Field(default={}, description="of the server, as in its file")
    drain_seconds: float = Field(default=1800.0, ge=0, description="as drain.seconds")
    min_replicas: int = Field(default=1, ge=1)
    max_replicas: int = Field(default=8, ge=1)
    share: float = Field(
        default=0.7, gt=0, le=1, description="of its places that a replica aims at"
    )
    downscale_delay: float = Field(default=300.0, ge=0, description="seconds of too many replicas")
    num_cpus: float = Field(default=2.0, ge=0, description="of a replica")
    num_gpus: float = Field(default=0.0, ge=0, description="of a replica")

    def loaded(self) -> ServerSettings:
        """The server's settings; those of the environment hold where none are given. Raises
        ConfigurationError. Ray's proxies may be reached from anywhere, so the rules for addresses
        beyond this machine hold: there are keys, or it is said that none are wanted."""
        drain = {**self.settings.get("drain", {}), "seconds": self.drain_seconds}
        return load_settings(None, self.settings | {"host": "0.0.0.0", "drain": drain})


def application(options: RayOptions) -> Any:
    """The application that Ray Serve runs. Raises ConfigurationError."""
    settings = options.loaded()
    drain = settings.drain
    ends_within = drain.seconds + drain.answers + drain.stagger + CLOSING + SLACK_SECONDS
    deployment = serve.deployment(
        serve.ingress(_builder(options))(AntiphonReplica),
        name="Antiphon",
        max_ongoing_requests=settings.capacity + BESIDE_CALLS,
        graceful_shutdown_timeout_s=ends_within,
        graceful_shutdown_wait_loop_s=1.0,
        ray_actor_options={"num_cpus": options.num_cpus, "num_gpus": options.num_gpus},
        request_router_config=RequestRouterConfig(request_router_class=LeastCallsRouter),
        autoscaling_config=AutoscalingConfig(
            min_replicas=options.min_replicas,
            max_replicas=options.max_replicas,
            target_ongoing_requests=max(1.0, options.share * settings.capacity),
            upscale_delay_s=0,
            downscale_delay_s=options.downscale_delay,
        ),
    )
    return deployment.bind()


class AntiphonReplica:
    """One replica; all it does is in its ASGI application."""


class LeastCallsRouter(FIFOMixin, RequestRouter):  # type: ignore[misc]
    """Calls are long: each goes where the fewest are open, of all replicas and not of two."""

    async def choose_replicas(
        self, candidate_replicas: list[Any], pending_request: Any = None
    ) -> list[list[Any]]:
        """One rank with all of them; Ray asks each how many it has and takes the least."""
        return [candidate_replicas]


def _builder(options: RayOptions) -> Callable[[], ASGIApp]:
    """What Ray calls in each replica."""

    def build() -> ASGIApp:
        settings = options.loaded()
        return ForceClosing(_until_loaded(create_app(settings)))

    return build


def _until_loaded(app: FastAPI) -> FastAPI:
    """Let the application start only when its models are loaded: Ray sends calls from then on."""
    start = app.router.lifespan_context
    service: Service = app.state.service

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with start(app):
            assert service.loaded is not None
            await service.loaded
            watching = asyncio.create_task(_drain_when_stopping(service))
            try:
                yield
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)

    app.router.lifespan_context = lifespan
    return app


# ---------------------------------------------------------------------------------- the end


async def _drain_when_stopping(service: Service) -> None:
    """Ray tells a replica nothing when it is being stopped; the controller's account says so."""
    replica = serve.get_replica_context().replica_id.unique_id
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            state = await state_of(replica)
        except ray.exceptions.RayError as error:
            logger.info("Ray's controller says nothing at the moment: %s", type(error).__name__)
            continue
        if state == "STOPPING":
            service.drain.begin()
            return


async def state_of(replica: str) -> str | None:
    """What the controller says of a replica, in the words of Ray's REST API; None: not listed."""
    from ray.serve._private.constants import SERVE_CONTROLLER_NAME, SERVE_NAMESPACE

    controller = ray.get_actor(SERVE_CONTROLLER_NAME, namespace=SERVE_NAMESPACE)
    details = await controller.get_serve_instance_details.remote()
    for one in details["applications"].values():
        for deployment in one["deployments"].values():
            for each in deployment["replicas"]:
                if each["replica_id"] == replica:
                    return str(getattr(each["state"], "value", each["state"]))
    return None


class ForceClosing:
    """Gives `server.connections` its way to end a connection whose client takes nothing in, which
    our own transport has and Ray's proxy has not: what is read next is a disconnect."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        closed: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()

        def force_close(code: int, reason: str) -> None:
            if not closed.done():
                closed.set_result((code, reason))

        async def receive_or_end() -> Message:
            reading: asyncio.Future[Any] = asyncio.ensure_future(receive())
            ends: set[asyncio.Future[Any]] = {reading, closed}
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                if reading.done():
                    message: Message = reading.result()
                    return message
            finally:
                reading.cancel()
            return {"type": "websocket.disconnect", "code": LOST}

        await self._app({**scope, SCOPE_KEY: force_close}, receive_or_end, send)
        if closed.done():
            code, reason = closed.result()
            await send({"type": "websocket.close", "code": code, "reason": reason})
