"""deploy: is the container healthy? It is while it drains: the sessions that it has go on."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request

HEALTHY = ("ready", "degraded", "draining")


def state(port: str) -> str:
    """What /readyz says: ready, degraded (a language model elsewhere is away), draining,
    unhealthy or loading."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=3) as response:
            body = response.read()
    except urllib.error.HTTPError as refused:
        body = refused.read()
    return str(json.loads(body)["status"])


if __name__ == "__main__":
    sys.exit(0 if state(os.environ.get("ANTIPHON_PORT", "8080")) in HEALTHY else 1)
