"""The servers that the clients talk to, each a process of its own on a free port."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from server.certificate import self_signed
from tests.clients.inventory import HERE

STARTING_SECONDS = 90.0
STOPPING_SECONDS = 15.0
KEY = "key-of-the-client-tests"
ROOT = HERE.parents[1]


class ServerProcess:
    """One server. `files` has its log; `options` are those of `antiphon serve`."""

    def __init__(self, name: str, files: Path, *options: str, scripted: bool = False) -> None:
        self.port = free_port()
        self._name = name
        self._files = files
        module = "tests.clients.scripted_server" if scripted else "server"
        words = options if scripted else ("serve", "--sessions-per-pair", "8", *options)
        self._command = [sys.executable, "-m", module, *words, "--port", str(self.port)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin; the models may still be loading afterwards."""
        environment = os.environ | {"ANTIPHON_API_KEYS": KEY, "OMP_NUM_THREADS": "1"}
        log = (self._files / f"{self._name}.log").open("ab")
        with log:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, env=environment, stdout=log, stderr=log
            )

    def wait(self, scheme: str = "http") -> None:
        """Return once it is ready. Raises TimeoutError, and RuntimeError where it has ended."""
        address = f"{scheme}://127.0.0.1:{self.port}/readyz"
        until = time.monotonic() + STARTING_SECONDS
        while time.monotonic() < until:
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"the {self._name} server has ended; see its log")
            if is_ready(address):
                return
            time.sleep(0.2)
        raise TimeoutError(f"the {self._name} server is not ready")

    def stop(self) -> None:
        """End it, gently first."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOPPING_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError:
        return False
    except urllib.error.URLError as error:
        # Of a server with a certificate of its own it is enough that it listens.
        return "CERTIFICATE_VERIFY_FAILED" in str(error)
    except OSError:
        return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


class Servers:
    """All three: the bundled model in the clear and over TLS, and scripted models."""

    def __init__(self, files: Path, origin: str) -> None:
        made = self_signed(files, "127.0.0.1")
        self.certificate = made.chain
        tls = ("--tls-certificate", str(made.chain), "--tls-key", str(made.key))
        page = ("--allowed-origins", origin)
        self.plain = ServerProcess("plain", files, *page)
        self.encrypted = ServerProcess("tls", files, *tls)
        self.scripted = ServerProcess("scripted", files, *page, scripted=True)

    def __enter__(self) -> Servers:
        try:
            for server, scheme in (
                (self.plain, "http"),
                (self.encrypted, "https"),
                (self.scripted, "http"),
            ):
                server.start()
                server.wait(scheme)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for server in (self.plain, self.encrypted, self.scripted):
            server.stop()

    def restart(self) -> None:
        """Stop the plain server and start it again, without waiting for its models."""
        self.plain.stop()
        self.plain.start()

    def environment(self, speech: Path) -> dict[str, str]:
        """What a client's program is told."""
        return {
            "ANTIPHON_BASE_URL": f"http://127.0.0.1:{self.plain.port}/v1",
            "ANTIPHON_TLS_BASE_URL": f"https://127.0.0.1:{self.encrypted.port}/v1",
            "ANTIPHON_SCRIPTED_BASE_URL": f"http://127.0.0.1:{self.scripted.port}/v1",
            "ANTIPHON_TEST_KEY": KEY,
            "ANTIPHON_SPEECH": str(speech),
            "NODE_EXTRA_CA_CERTS": str(self.certificate),
        }
