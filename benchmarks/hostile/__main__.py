"""`python -m benchmarks.hostile NAME URL SECONDS`: one attack, in a process of its own."""

from __future__ import annotations

import asyncio
import sys

from benchmarks.driver import CallerLine
from benchmarks.hostile.attacks import ATTACKS

_LATE = 15.0  # seconds after which an attack that hangs is cut: it has done what it could


async def main(name: str, url: str, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds + _LATE):
            await ATTACKS[name]()(CallerLine(url), seconds)
    except (TimeoutError, ConnectionError, asyncio.IncompleteReadError):
        return


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
