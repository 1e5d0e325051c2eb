"""TLS: the certificate that the server makes for itself, and one of the operator's."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from server.certificate import certificate, self_signed
from server.config import ConfigurationError, ServerSettings, load_settings
from server.preflight import check_files
from server.serve import new_server
from tests.server.house import KEY, House, receive


def trusting(file: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(file))
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # what Python 3.13 asks for by itself
    return context


class EncryptedHouse(House):
    """A server behind its own certificate."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.files = self_signed(folder, "127.0.0.1")
        self._server = new_server(self.app, self.settings, self.files)


async def test_a_conversation_over_wss(tmp_path: Path) -> None:
    house = EncryptedHouse(tmp_path)
    async with house:
        for name in ("127.0.0.1", "localhost"):
            url = f"wss://{name}:{house.host.partition(':')[2]}/v1/realtime"
            key: dict[str, Any] = {"additional_headers": {"api-key": KEY}, "proxy": None}
            trust = await asyncio.to_thread(trusting, house.files.chain)
            async with connect(url, ssl=trust, **key) as client:
                assert (await receive(client))["type"] == "session.created"


def test_the_key_is_private_and_goes_away() -> None:
    with certificate(ServerSettings(tls="self-signed")) as files:
        assert files is not None
        assert files.key.stat().st_mode & 0o077 == 0
    assert not files.key.exists()
    with certificate(ServerSettings()) as files:
        assert files is None


@pytest.mark.parametrize(
    "flags",
    [
        {"tls_key": "key.pem"},
        {"tls": "self-signed", "tls_key": "a", "tls_certificate": "b"},
        {"tls": "on"},
    ],
)
def test_half_a_certificate_is_refused(flags: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="tls"):
        load_settings(None, flags)


def test_files_that_are_no_certificate(tmp_path: Path) -> None:
    files = self_signed(tmp_path, "127.0.0.1")
    good = ServerSettings(port=0, tls_certificate=files.chain, tls_key=files.key)
    check_files(good)
    for name in ("tls_certificate", "tls_key"):
        with pytest.raises(ConfigurationError, match="there is no file"):
            check_files(good.model_copy(update={name: tmp_path / "absent.pem"}))
    with pytest.raises(ConfigurationError, match="no certificate with its key"):
        check_files(good.model_copy(update={"tls_key": files.chain}))
