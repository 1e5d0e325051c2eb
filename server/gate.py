"""From a request to a conversation: who, what, whether there is room; then the upgrade."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket

from duplex.orchestrator import Orchestrator
from duplex.roles import Lease
from models.base import (
    Conversation,
    Instance,
    Instructions,
    Samples,
)
from models.capabilities import Measuring, capabilities_of
from server.admission import Denied
from server.auth import Grant, answered_subprotocol, is_origin_allowed, presented_key
from server.client_loop import Bounds, ClientLoop
from server.connections import Connection, WebSocketConnection
from server.draining.drain import Leaving
from server.message_decoder import MessageDecoder
from server.realtime.budget import BudgetSettings, SessionBudget
from server.realtime.decode import Decoder
from server.realtime.encode import Encoder
from server.realtime.functions import check_session
from server.realtime.refusal import from_validation
from server.realtime.session_config import SessionConfig
from server.realtime.wire_ids import WireIds
from server.resume.keeper import SnapshotKeeper
from server.resume.tokens import presented_token
from server.resume.vault import Claim, owner_of
from server.service import Queues, Service
from server.tracing import TraceFile

logger = logging.getLogger(__name__)
MODEL_KEYS = ("model", "deployment")  # of the query: OpenAI's name for the model, and Azure's


# ---------------------------------------------------------------------------------- who and what


def admit(service: Service, asked: HTTPConnection, subprotocols: list[str]) -> Grant:
    """Raises Denied."""
    service.visitors.knock(address_of(asked))
    check_origin(service, asked.headers)
    granted = service.keyring.admit(presented_key(asked.headers, subprotocols))
    if granted is None:
        raise Denied(401, "key", "A valid API key is needed.", code="invalid_api_key")
    service.visitors.present(granted.key, is_ephemeral=granted.is_ephemeral)
    return granted


def check_origin(service: Service, headers: Headers) -> None:
    """Raises Denied."""
    if not is_origin_allowed(headers, service.settings):
        raise Denied(403, "origin", "This origin may not connect.")


def address_of(asked: HTTPConnection) -> str:
    """Where a client is, as a trusted proxy says or the connection itself."""
    return "" if asked.client is None else asked.client.host


def check_query(service: Service, query: Mapping[str, str]) -> None:
    """Keys that nobody knows are passed over. Raises Denied."""
    if query.get("intent") == "transcription" or "call_id" in query:
        message = "Only conversations over this WebSocket are served."
        raise Denied(400, "intent", message, code="invalid_intent")
    for key in MODEL_KEYS:
        check_model(service, query.get(key))


def check_model(service: Service, name: str | None) -> None:
    """Raises Denied where another model is asked for."""
    if not service.model_names.answers_to(name):
        message = service.model_names.refusal(name)
        raise Denied(404, "model", message, code="model_not_found")


# ------------------------------------------------------------------------------- the conversation


@dataclass(frozen=True, slots=True)
class KnownClient:
    """Who calls. `claim`: the conversation that the client comes back to."""

    grant: Grant
    owner: str
    claim: Claim | None = None


async def identify(service: Service, websocket: WebSocket) -> KnownClient:
    """Raises Denied. A short-lived key is known to the server that made it and no other; the
    conversation that was opened with it proves it everywhere."""
    headers, offered = websocket.headers, websocket.scope.get("subprotocols", [])
    token = presented_token(websocket.query_params, headers, offered)
    key = presented_key(headers, offered)
    if token is None:
        return KnownClient(admit(service, websocket, offered), owner_of(key))
    if service.vault is None:
        raise Denied(400, "resume", "This server resumes no conversations.", code="resume_off")
    claim = await service.vault.claim(token, key)
    if claim is not None and claim.kept.is_ephemeral:
        service.visitors.knock(address_of(websocket))
        check_origin(service, headers)
        return KnownClient(Grant(claim.session, True, owner_of(key)), owner_of(key), claim)
    grant = admit(service, websocket, offered)
    if claim is None:
        raise service.vault.unknown()
    return KnownClient(grant, owner_of(key), claim)


async def converse(websocket: WebSocket, service: Service) -> None:
    """The whole life of one client's connection."""
    with ExitStack() as held:
        try:
            caller = await _let_in(websocket, service, held)
            lease = service.admission.take()
            held.callback(lease.release)
            await _take_conversation(service, caller)
        except Denied as denied:
            service.metrics.refusals.labels(denied.reason).inc()
            logger.info("a client was refused (%d %s)", denied.status, denied.reason)
            await websocket.send_denial_response(denied.response())
            return
        leaving = held.enter_context(service.drain.watching())
        await _accept(websocket, service, caller)
        session = caller.grant.session or service.session
        connection = WebSocketConnection(websocket)
        held.callback(service.freed.session_ended)
        await RealtimeSession(connection, service, lease, session, leaving, caller).run()


async def _let_in(websocket: WebSocket, service: Service, held: ExitStack) -> KnownClient:
    """Check who asks for what, and count it as long as `held` lasts. Raises Denied."""
    caller = await identify(service, websocket)
    check_query(service, websocket.query_params)
    granted = caller.grant
    visit = service.visitors.conversing(
        address_of(websocket), granted.key, is_ephemeral=granted.is_ephemeral
    )
    held.enter_context(visit)
    await service.loading.wait(websocket, service.loaded)
    return caller


async def _take_conversation(service: Service, caller: KnownClient) -> None:
    """There is a place: from here on the client's token is used. Raises Denied."""
    if caller.claim is not None and service.vault is not None:
        check_model(service, caller.claim.session.model)
        await service.vault.take(caller.claim)


async def _accept(websocket: WebSocket, service: Service, caller: KnownClient) -> None:
    """The client may be lost by now: then it comes again, with the same token."""
    try:
        await websocket.accept(answered_subprotocol(websocket.scope.get("subprotocols", [])))
    except BaseException:
        if caller.claim is not None and service.vault is not None:
            await service.vault.give_back(caller.claim)
        raise


def budget_of(settings: BudgetSettings, instance: Instance) -> SessionBudget:
    """What a session on this instance may put in."""
    measuring = instance if isinstance(instance, Measuring) else None
    return SessionBudget(settings, can=capabilities_of(instance), measuring=measuring)


class RealtimeSession:
    """Puts one session's parts together, whatever transport carries it."""

    def __init__(
        self,
        connection: Connection,
        service: Service,
        lease: Lease,
        session: SessionConfig,
        leaving: Leaving,
        caller: KnownClient | None = None,
    ) -> None:
        self._claim = None if caller is None else caller.claim
        if self._claim is not None:
            session = self._claim.session
        self._service = service
        self._lease = lease
        self._session = session
        self._token = secrets.token_hex(6)
        self._talk: Orchestrator | None = None
        settings = service.settings
        budget = budget_of(settings.budget, lease.pair.first)
        self._ledger = ledger = WireIds(self._token, budget)
        if self._claim is not None:
            ledger.restore(self._claim.kept.snapshot.resumed.turns)
        keeper = SnapshotKeeper(
            service.vault,
            session,
            ledger.session_id,
            "" if caller is None else caller.owner,
            is_ephemeral=caller is not None and caller.grant.is_ephemeral,
            claim=self._claim,
        )
        longest = settings.limits.session
        expires_at = None if longest is None else int(time.time() + longest)
        decoder = MessageDecoder(
            Decoder(ledger, session, settings.lead_ms / 1000, service.model_names),
            service.decoding,
        )
        encoder = Encoder(ledger, session, self._recording, expires_at)
        ends_at = None if longest is None else asyncio.get_running_loop().time() + longest
        encoder.extension = keeper.shown
        bounds = Bounds(settings.limits, ends_at, leaving, keeper)
        self._loop = ClientLoop(connection, decoder, encoder, bounds, service.metrics)

    async def run(self) -> None:
        service, loop = self._service, self._loop
        service.metrics.sessions_opened.inc()
        trace = self._open_trace()
        self._talk = talk = self._orchestrator(loop.emit, trace)
        if self._claim is not None:
            talk.resume(self._claim.kept.snapshot)
        queues = Queues(loop.outbox, lambda: talk.backlog)
        service.queues.add(queues)
        code = 1011
        try:
            code = await loop.run(talk)
        finally:
            talk.release()
            service.queues.discard(queues)
            service.metrics.sessions_closed.labels(str(code)).inc()
            if trace is not None:
                trace.close()
            self._ledger.clear()
            self._talk = None
        logger.info("session %s closed with %d", self._token, code)

    def _orchestrator(self, emit: Any, trace: TraceFile | None) -> Orchestrator:
        said = self._session.instructions
        opening = (Instructions(said),) if said else ()
        return Orchestrator(
            lease=self._lease,
            detector=self._service.new_detector(),
            settings=self._session.settings(self._service.settings.lead_ms / 1000),
            conversation=Conversation(opening, self._session.model_tools()),
            emit=emit,
            observers=self._service.observers(self._token, trace),
            token=self._token,
            speaker_encoder=self._service.speaker_encoder,
        )

    def _open_trace(self) -> TraceFile | None:
        folder = self._service.settings.trace_directory
        if folder is None:
            return None
        return TraceFile(
            folder / f"{self._token}.jsonl",
            self._service.disk,
            words=self._service.settings.trace_words,
            on_lost=self._service.metrics.lost_trace.inc,
        )

    def _recording(self, item_id: str) -> Samples | None:
        return None if self._talk is None else self._talk.sound_of(item_id)


# ------------------------------------------------------------------------------ short-lived keys


class Expiry(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    anchor: Literal["created_at"] = "created_at"
    seconds: int = Field(default=600, ge=10, le=7200)


class SecretRequest(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    expires_after: Expiry = Expiry()
    session: dict[str, Any] = Field(default={})


def make_secret(service: Service, body: Any) -> dict[str, Any]:
    """A short-lived key with a session baked in. Raises Refusal naming the field."""
    try:
        wanted = SecretRequest.model_validate(body)
    except ValidationError as error:
        raise from_validation(error) from None
    session = service.session.changed(wanted.session, names=service.model_names)
    budget = SessionBudget(service.settings.budget, can=service.capabilities)
    if service.engine is not None:
        budget = budget_of(service.settings.budget, service.engine.pairs[0][0])
    budget.check_transcription(session.audio.input.transcription)
    check_session(session, budget.settings)
    budget.check_tools(session.model_tools(), "session.tools")
    secret = service.keyring.new_secret(session, wanted.expires_after.seconds)
    name = f"sess_{secrets.token_hex(6)}"
    shown = session.echo(name, secret.expires_at)
    return {"value": secret.value, "expires_at": secret.expires_at, "session": shown}
