"""Reads the body of a request, once it is known who sends it."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from server.admission import Denied


async def read_body(request: Request, largest: int, patience: float) -> bytes:
    """At most `largest` bytes within `patience` seconds. Raises Denied."""
    body = bytearray()
    try:
        async with asyncio.timeout(patience):
            async for piece in request.stream():
                body += piece
                if len(body) > largest:
                    raise Denied(413, "body", f"The body has more than {largest} bytes.")
    except TimeoutError:
        raise Denied(408, "body", f"The body did not come within {patience:g} s.") from None
    except ClientDisconnect:
        raise Denied(400, "body", "The client left before its body was there.") from None
    return bytes(body)
