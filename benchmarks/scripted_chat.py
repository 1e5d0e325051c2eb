"""An OpenAI-compatible address that answers by a script: `python -m benchmarks.scripted_chat`.

Its time to the first token and between tokens is fixed, so what a call takes beyond it is the
server's own part. Tests let it fail in every way: late, cut off, out of quota, or with rubbish.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeAlias
from zlib import crc32

import orjson
import typer

_LONGEST_HEAD = 65_536  # bytes of a request's head
ANSWERS = (
    "That is a good question. The short answer is that it depends on the weather and on you.",
    "Let me think. There are three things to know about this, and the first one is the simplest.",
    "Yes, of course. You take the second street on the left, and then it is right before you.",
)


_ASK_FOR_LONG = ("tell", "why", "how is", "how does")


@dataclass(frozen=True, slots=True)
class ScriptedReply:
    """What the address does with one request; delays in seconds.

    pieces        the text of each delta
    first_delay   before the first piece; `piece_delay` before each of the others
    calls         functions that are called after the text: (name, arguments as JSON)
    thoughts      reasoning in a field of its own before the text
    finish        the finish reason; None: the stream ends without one
    cut_after     the connection is dropped after so many pieces
    status        of the response; for an error `body` says more
    body          sent instead of a stream of pieces
    headers       of the response, beside the usual ones
    portions      sizes, in bytes, of the portions in which the body is sent, over and over
    """

    pieces: Sequence[str] = ("Yes.",)
    first_delay: float = 0.0
    piece_delay: float = 0.0
    calls: Sequence[tuple[str, str]] = ()
    thoughts: str = ""
    finish: str | None = "stop"
    cut_after: int | None = None
    status: int = 200
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    portions: Sequence[int] = ()


@dataclass(slots=True)
class SeenRequest:
    """One request as it came. `is_complete`: its response was sent to the end; `is_dropped`: the
    client closed the connection before."""

    path: str
    headers: dict[str, str]
    body: Any
    is_complete: bool = False
    is_dropped: bool = False
    pieces_sent: int = 0


ReplyRule: TypeAlias = Callable[[Any], ScriptedReply]


class ScriptedChat:
    """`async with ScriptedChat(rule) as chat`: an address on this machine, at `chat.url`.

    `rule` gives the reply to a request's body and may be replaced at any time. `changed` is
    notified whenever something happens to a request.
    """

    def __init__(self, rule: ReplyRule | None = None, port: int = 0) -> None:
        self.rule = rule or (lambda _: ScriptedReply())
        self.requests: list[SeenRequest] = []
        self.num_connections = 0
        self.changed = asyncio.Condition()
        self._port = port
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def chats(self) -> list[SeenRequest]:
        """The requests for a streamed reply; others warm the cache or probe."""
        return [one for one in self.requests if one.body and one.body.get("stream")]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something happened that makes `condition` true."""
        async with self.changed:
            await self.changed.wait_for(condition)

    async def __aenter__(self) -> ScriptedChat:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def serve_forever(self) -> None:
        await self._server.serve_forever()

    # ------------------------------------------------------------------------- one connection

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(_WatchedReader(), self._converse)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.num_connections += 1
        try:
            while (request := await _read_request(reader)) is not None:
                self.requests.append(request)
                await self._notify()
                if not await self._respond(request, reader, writer):
                    break
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            self._tasks.discard(task)

    async def _respond(
        self, request: SeenRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Send the response; False where the connection is over then."""
        reply = self.rule(request.body) if request.body else ScriptedReply(body=_MODELS)
        sending = asyncio.create_task(self._send(request, reply, writer))
        assert isinstance(reader, _WatchedReader)
        watching = asyncio.create_task(reader.ended.wait())
        await asyncio.wait({sending, watching}, return_when=asyncio.FIRST_COMPLETED)
        sending.cancel()
        watching.cancel()
        failure, _ = await asyncio.gather(sending, watching, return_exceptions=True)
        request.is_complete = failure is None
        request.is_dropped = failure is not None and reply.cut_after is None
        await self._notify()
        return request.is_complete and reply.cut_after is None

    async def _send(
        self, request: SeenRequest, reply: ScriptedReply, writer: asyncio.StreamWriter
    ) -> None:
        is_stream = reply.body is None and bool(request.body.get("stream"))
        kind = "text/event-stream" if is_stream else "application/json"
        headers = {"Content-Type": kind, "Transfer-Encoding": "chunked", **reply.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"HTTP/1.1 {reply.status} X\r\n{head}\r\n".encode())
        await writer.drain()
        if is_stream:
            await self._stream(request, reply, writer)
        else:
            await asyncio.sleep(reply.first_delay)
            for portion in _portions(reply.body or _whole(reply), reply.portions):
                await _write_chunk(writer, portion)
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async def _stream(
        self, request: SeenRequest, reply: ScriptedReply, writer: asyncio.StreamWriter
    ) -> None:
        await asyncio.sleep(reply.first_delay)
        for number, event in enumerate(_events(reply)):
            if reply.cut_after is not None and number >= reply.cut_after:
                writer.transport.abort()
                raise ConnectionAbortedError
            if number:
                await asyncio.sleep(reply.piece_delay)
            for portion in _portions(event, reply.portions):
                await _write_chunk(writer, portion)
            request.pieces_sent += 1
            await self._notify()

    async def _notify(self) -> None:
        async with self.changed:
            self.changed.notify_all()


class _WatchedReader(asyncio.StreamReader):
    """A reader that tells when the other side has closed, whatever is still to be read."""

    def __init__(self) -> None:
        super().__init__(_LONGEST_HEAD)
        self.ended = asyncio.Event()

    def feed_eof(self) -> None:
        super().feed_eof()
        self.ended.set()

    def set_exception(self, exc: Exception) -> None:
        super().set_exception(exc)
        self.ended.set()


_MODELS = orjson.dumps({"object": "list", "data": [{"id": "scripted", "object": "model"}]})


async def _read_request(reader: asyncio.StreamReader) -> SeenRequest | None:
    """The next request; None at the end of the connection, be it in the middle of one."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        pairs = (line.partition(":") for line in lines if line)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    except asyncio.IncompleteReadError:
        return None
    return SeenRequest(first.split(" ")[1], headers, orjson.loads(body) if body else None)


async def _write_chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    if data:
        writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await writer.drain()


def _portions(data: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    if not sizes:
        yield data
        return
    start = turn = 0
    while start < len(data):
        size = sizes[turn % len(sizes)]
        yield data[start : start + size]
        start, turn = start + size, turn + 1


def _events(reply: ScriptedReply) -> Iterator[bytes]:
    """The stream, an event each."""
    if reply.thoughts:
        yield _event({"reasoning_content": reply.thoughts})
    for piece in reply.pieces:
        yield _event({"content": piece})
    for index, (name, arguments) in enumerate(reply.calls):
        function = {"name": name, "arguments": ""}
        yield _event({"tool_calls": [{"index": index, "id": f"c{index}", "function": function}]})
        for half in (arguments[: len(arguments) // 2], arguments[len(arguments) // 2 :]):
            part = {"index": index, "function": {"arguments": half}}
            yield _event({"tool_calls": [part]})
    if reply.finish is not None:
        yield _event({}, reply.finish) + b"data: [DONE]\n\n"


def _event(delta: Mapping[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: %s\n\n" % orjson.dumps({"object": "chat.completion.chunk", "choices": [choice]})


def _whole(reply: ScriptedReply) -> bytes:
    """The reply as one completion."""
    message = {"role": "assistant", "content": "".join(reply.pieces)}
    choice = {"index": 0, "message": message, "finish_reason": reply.finish}
    return orjson.dumps({"object": "chat.completion", "choices": [choice]})


def paced(first: float, next_piece: float) -> ReplyRule:
    """The same answer to the same question, at fixed times (seconds); a long one to what asks for
    a story or a reason."""

    def rule(body: Any) -> ScriptedReply:
        if not body.get("stream"):
            return ScriptedReply(("Yes",), first)
        asked = str(body["messages"][-1]["content"]).lower()
        text = ANSWERS[crc32(asked.encode()) % len(ANSWERS)]
        if asked.startswith(_ASK_FOR_LONG):
            text = " ".join(ANSWERS)
        words = text.split(" ")
        pieces = [words[0], *(f" {word}" for word in words[1:])]
        return ScriptedReply(pieces, first, next_piece)

    return rule


def main(
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8099,
    first_token_ms: Annotated[float, typer.Option(help="Time to the first token.")] = 60.0,
    token_ms: Annotated[float, typer.Option(help="Time between tokens.")] = 15.0,
) -> None:
    """Serve scripted answers until interrupted."""

    async def serve() -> None:
        async with ScriptedChat(paced(first_token_ms / 1000, token_ms / 1000), port) as chat:
            await chat.serve_forever()

    asyncio.run(serve())


if __name__ == "__main__":
    typer.run(main)
