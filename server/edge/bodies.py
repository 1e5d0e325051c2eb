"""Reads the body of a request, once it is known who sends it."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from server.admission import Denied

# What is thrown away of a body that is too large, since most clients read no answer before they
# have sent it all.
_DISCARDED = 32 * 2**20


async def read_body(request: Request, largest: int, patience: float) -> bytes:
    """At most `largest` bytes within `patience` seconds. Raises Denied."""
    body, size = bytearray(), 0
    try:
        async with asyncio.timeout(patience):
            async for piece in request.stream():
                size += len(piece)
                if size <= largest:
                    body += piece
                elif size > largest + _DISCARDED:
                    break
    except TimeoutError:
        raise Denied(408, "body", f"The body did not come within {patience:g} s.") from None
    except ClientDisconnect:
        raise Denied(400, "body", "The client left before its body was there.") from None
    if size > largest:
        raise Denied(413, "body", f"The body has more than {largest} bytes.")
    return bytes(body)
