"""Tokens, how they are carried, and what the store can read."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet
from starlette.datastructures import Headers

from server.admission import Denied
from server.resume.cipher import FernetCipher, Unreadable
from server.resume.tokens import new_token, presented_token


def test_a_token_names_its_server_and_shows_itself_nowhere() -> None:
    token = new_token("one")
    assert token.value.startswith("one.") and new_token("").value.startswith("any.")
    secret = token.value.split(".")[1]
    assert len(secret) >= 40 and secret not in token.place and secret not in repr(token)
    assert token.place != new_token("one").place


@pytest.mark.parametrize(
    ("query", "headers", "subprotocols"),
    [
        ({"resume": "one.x"}, {}, []),
        ({}, {"X-Antiphon-Resume": "one.x"}, []),
        ({}, {}, ["realtime", "antiphon-resume.one.x"]),
    ],
)
def test_three_ways_to_carry_it(
    query: dict[str, str], headers: dict[str, str], subprotocols: list[str]
) -> None:
    token = presented_token(query, Headers(headers), subprotocols)
    assert token is not None and token.value == "one.x"


def test_most_requests_carry_none() -> None:
    assert presented_token({"model": "nano"}, Headers({}), ["realtime"]) is None


@pytest.mark.parametrize("value", ["x" * 300, "caf\xe9", "a\nb"])
def test_what_cannot_be_a_token_is_refused(value: Any) -> None:
    with pytest.raises(Denied) as caught:
        presented_token({"resume": value}, Headers({}), [])
    assert (caught.value.status, caught.value.code) == (400, "resume_token_invalid")


def test_keys_rotate() -> None:
    old, new, foreign = (Fernet.generate_key().decode() for _ in range(3))
    before = FernetCipher([old]).encrypt(b"what was said")
    assert b"what was said" not in before
    assert FernetCipher([new, old]).decrypt(before) == b"what was said"
    after = FernetCipher([new, old]).encrypt(b"what was said")
    assert FernetCipher([new]).decrypt(after) == b"what was said"
    for keys, sealed in (([new], before), ([foreign], after), ([new], after[:-4] + b"AAAA")):
        with pytest.raises(Unreadable):
            FernetCipher(keys).decrypt(sealed)


def test_a_key_that_is_none_is_said_at_once() -> None:
    with pytest.raises(ValueError):
        FernetCipher(["too-short"])
