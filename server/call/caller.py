"""The caller's room: the thin shell that lends a Call a WebSocket and a clock."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.http11 import Response

from server.call.address import websocket_url
from server.call.conversation import CallFailed, CallMachine, Message, ServerBusy
from server.call.record import CallRecord
from server.call.resuming import ResumeTicket, after, request
from server.call.script import CallScript
from server.faults import one_line

Progress = Callable[[CallMachine, float], None]

_APPEND = "input_audio_buffer.append"
_GIVEN_BACK_WITHIN = 30.0  # seconds in which a server notices that a client is gone
_ANSWER_TIMEOUT = 10.0  # seconds for the reply to a request
_RETRY_AFTER = 5.0  # seconds, where a busy server names none


class Unreached(CallFailed):
    """Nobody listens there now."""


class LineLost(CallFailed):
    """The connection has ended in the middle of the call."""


class Caller:
    """One connection to a Realtime server, used as an async context manager.

    `run` plays the script and returns the record; afterwards, and while still connected, `ask`
    sends a request and waits for its reply. Raises CallFailed when the server refuses or leaves.
    With `resumes` a call whose connection is lost goes on over another one, where the server keeps
    conversations; what was said meanwhile is sent then.
    """

    def __init__(
        self,
        url: str,
        script: CallScript,
        *,
        key: str | None = None,
        model: str = "nano",
        resumes: bool = False,
    ) -> None:
        self.call = CallMachine(script)
        self._url = websocket_url(url, model)
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._connection: ClientConnection | None = None
        self._begun = 0.0
        self._resumes = resumes
        self._ticket = ResumeTicket()
        self._unsent: list[Message] = []
        self.gaps: list[tuple[float, float]] = []  # seconds of the call: lost, and back again
        self.refused = 0  # tries to come back for which there was no place

    async def __aenter__(self) -> Caller:
        await self._connect({})
        await self._send([self.call.opening()])
        session = (await self._wait_for("session.updated")).get("session", {})
        self.call.session_id = str(session.get("id", ""))
        if self._resumes:
            await self._send(request(session))
        return self

    async def _connect(self, more: dict[str, str]) -> None:
        """Raises CallFailed."""
        try:
            self._connection = await connect(
                self._url,
                additional_headers=self._headers | more,
                compression=None,
                max_size=None,
                proxy=None,
            )
        except InvalidStatus as error:
            raise _refusal(error) from error
        except (InvalidHandshake, InvalidMessage, EOFError) as error:
            raise CallFailed(f"{self._url} does not speak WebSocket: {one_line(error)}") from error
        except OSError as error:
            raise Unreached(_unreached(self._url, error)) from error

    async def __aexit__(self, *_: object) -> None:
        if self._connection is None:
            return
        closing = asyncio.create_task(self._connection.close())
        with suppress(ConnectionClosed):
            async for _unread in self._connection:
                pass  # what is under way would hold up the server's goodbye
        await closing

    async def run(self, progress: Progress | None = None) -> CallRecord:
        """Play the script to its end, at playing speed."""
        loop = asyncio.get_running_loop()
        self._begun = loop.time()
        lost: LineLost | None = None
        while True:
            try:
                if lost is not None:
                    await self._come_back(lost)
                await self._talk(progress)
            except LineLost as error:
                lost = error
            else:
                return self.call.record(loop.time() - self._begun)

    async def _talk(self, progress: Progress | None) -> None:
        """Until the call is over. Raises LineLost."""
        loop = asyncio.get_running_loop()
        reader = asyncio.create_task(self._read())
        try:
            while not self.call.done(now := loop.time() - self._begun):
                await self._send(self.call.tick(now))
                if progress is not None:
                    progress(self.call, now)
                rest = self._begun + self.call.deadline - loop.time()
                done, _ = await asyncio.wait({reader}, timeout=max(0.0, rest))
                if done:
                    reader.result()
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _come_back(self, lost: LineLost) -> None:
        """Go on over another connection. Raises CallFailed where there is no way."""
        loop = asyncio.get_running_loop()
        since = loop.time() - self._begun
        is_uncertain = False  # a try was lost that may have used the token
        for wait in self._ticket.waits() if self._resumes and self._ticket.token else ():
            await asyncio.sleep(wait)
            try:
                await self._connect(self._ticket.headers)
                created = await self._receive()
            except (Unreached, LineLost):
                is_uncertain = True
                continue  # it is being restarted
            except ServerBusy:
                self.refused += 1
                continue  # another one has to be found
            except CallFailed:
                if not is_uncertain or loop.time() - self._begun - since > _GIVEN_BACK_WITHIN:
                    raise
                continue  # the server has not noticed yet that the token has come to nothing
            again = self.call.come_back(created, loop.time() - self._begun)
            self.gaps.append((since, loop.time() - self._begun))
            unsent = [each for each in self._unsent if each["type"] != _APPEND]
            self._unsent.clear()
            await self._send(after(created) + unsent + again)
            return
        raise CallFailed(str(lost)) from lost

    def drop(self) -> None:
        """Cut the line without a goodbye, as a client that loses its network."""
        if self._connection is not None:
            self._connection.transport.abort()

    async def ask(self, message: Message, answer: str) -> dict[str, Any]:
        """Send a request and wait for the event type that answers it."""
        await self._send([message])
        return await self._wait_for(answer)

    async def retrieve(self, item_id: str) -> dict[str, Any]:
        """An item as the server keeps it."""
        request = {"type": "conversation.item.retrieve", "item_id": item_id}
        item = (await self.ask(request, "conversation.item.retrieved"))["item"]
        assert isinstance(item, dict)
        return item

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            event = await self._receive()
            await self._send(self.call.receive(event, loop.time() - self._begun))

    async def _wait_for(self, kind: str) -> dict[str, Any]:
        async def found() -> dict[str, Any]:
            while True:
                event = await self._receive()
                if event.get("type") == kind:
                    return event
                if event.get("type") == "error":
                    raise CallFailed(str(event["error"].get("message")))

        try:
            return await asyncio.wait_for(found(), _ANSWER_TIMEOUT)
        except TimeoutError as error:
            raise CallFailed(f"no {kind} within {_ANSWER_TIMEOUT:.0f} s") from error

    async def _receive(self) -> dict[str, Any]:
        assert self._connection is not None
        try:
            event = json.loads(await self._connection.recv())
        except ConnectionClosed as error:
            raise LineLost(f"the server hung up: {error}") from error
        if not isinstance(event, dict):
            raise CallFailed("the server sent something that is no event")
        self._ticket.follow(event)
        return event

    async def _send(self, messages: list[Message]) -> None:
        assert self._connection is not None
        left = list(messages)
        try:
            while left:
                await self._connection.send(json.dumps(left[0]))
                left.pop(0)
        except ConnectionClosed as error:
            self._unsent += left
            raise LineLost(f"the server hung up: {error}") from error


async def call(
    url: str,
    script: CallScript,
    *,
    key: str | None = None,
    model: str = "nano",
    progress: Progress | None = None,
    after: Callable[[Caller, CallRecord], Awaitable[None]] | None = None,
) -> CallRecord:
    """Make one call; `after` may ask the server more before the line is closed."""
    async with Caller(url, script, key=key, model=model) as caller:
        record = await caller.run(progress)
        if after is not None:
            await after(caller, record)
        return record


def _unreached(url: str, error: OSError) -> str:
    hint = "--url names another"
    if isinstance(error, ssl.SSLCertVerificationError):
        hint = "SSL_CERT_FILE names a certificate that is to be trusted"
    return f"no server at {url}: {one_line(error)}; {hint}"


_HINTS = {
    HTTPStatus.UNAUTHORIZED: "give the key with --key or ANTIPHON_KEY",
    HTTPStatus.NOT_FOUND: "see --url and --model",
}


def _refusal(error: InvalidStatus) -> CallFailed:
    """What the server says, and the flag that helps."""
    answer = error.response
    if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        named = answer.headers.get("Retry-After", "")  # seconds, or a date: as good as none
        return ServerBusy(float(named) if named.isdecimal() else _RETRY_AFTER, _said(answer))
    said = _said(answer) or f"HTTP {answer.status_code}"
    hint = _HINTS.get(HTTPStatus(answer.status_code), "")
    return CallFailed(f"the server refused the call: {said}" + (f" ({hint})" if hint else ""))


def _said(answer: Response) -> str:
    """The message of a refusal's JSON body, or nothing."""
    try:
        message = json.loads(answer.body or b"")["error"]["message"]
    except (ValueError, KeyError, TypeError):
        return ""
    return f"{message} [HTTP {answer.status_code}]"
