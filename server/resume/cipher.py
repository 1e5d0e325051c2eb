"""server.resume: what people said is unreadable to the store.

cryptography's Fernet (AES-128-CBC and HMAC-SHA256). The first key encrypts, all of them decrypt, so
that keys can be rotated: add a new one in front, take the old one away when its snapshots expired.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Unreadable(Exception):
    """It was encrypted with another key, or changed since."""


class Cipher(Protocol):
    def encrypt(self, plain: bytes) -> bytes: ...

    def decrypt(self, encrypted: bytes) -> bytes:
        """Raises Unreadable."""
        ...


class NoCipher:
    """For a store in this process's own memory."""

    def encrypt(self, plain: bytes) -> bytes:
        return plain

    def decrypt(self, encrypted: bytes) -> bytes:
        return encrypted


class FernetCipher:
    """`keys`: urlsafe base64 of 32 bytes each, the newest first. Raises ValueError."""

    def __init__(self, keys: Sequence[str]) -> None:
        from cryptography.fernet import Fernet, MultiFernet

        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def encrypt(self, plain: bytes) -> bytes:
        return bytes(self._fernet.encrypt(plain))

    def decrypt(self, encrypted: bytes) -> bytes:
        from cryptography.fernet import InvalidToken

        try:
            return bytes(self._fernet.decrypt(encrypted))
        except InvalidToken:
            raise Unreadable from None
