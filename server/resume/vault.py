"""server.resume: what one server knows of resuming: the store, the keys, and who may have what."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256

from server.admission import Denied
from server.config import ResumeSettings
from server.metrics import Metrics
from server.realtime.session_config import SessionConfig
from server.resume.cipher import Cipher, FernetCipher, NoCipher, Unreadable
from server.resume.codec import TALK, Kept, Media, WrongFormat, decode, encode_talk, media
from server.resume.stores import AlreadyTaken, Fields, StoreFailed, open_store
from server.resume.tokens import ResumeToken

logger = logging.getLogger(__name__)

WRITES = 8  # at a time; the others wait for their turn
_NOT_HERE = "There is no conversation for this token and this key; it may have expired."


@dataclass(frozen=True, slots=True)
class Claim:
    """A conversation that a client may go on with, once it has been taken out of the store."""

    token: ResumeToken
    kept: Kept
    session: SessionConfig


def owner_of(key: str | None) -> str:
    """What is kept of the key with which a call was opened."""
    return sha256(b"antiphon owner " + (key or "").encode("utf-8", "surrogateescape")).hexdigest()


class Vault:
    """Keeps the conversations of one server's calls and gives them out again.

    Raises ValueError on a key that is none, ModuleNotFoundError without the extra `redis`.
    """

    def __init__(self, settings: ResumeSettings, metrics: Metrics) -> None:
        self.settings = settings
        self._metrics = metrics
        keys = [key.get_secret_value() for key in settings.keys]
        self._cipher: Cipher = FernetCipher(keys) if keys else NoCipher()
        self._store = open_store(settings.store, settings.memory, time.monotonic)
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="resume")
        self._turns = asyncio.Semaphore(WRITES)
        self._is_failing = False

    async def close(self) -> None:
        await self._store.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    # ------------------------------------------------------------------------------- keeping

    async def write(self, token: ResumeToken, changed: Mapping[str, Media | None]) -> bool:
        """Encrypt and store fields of a conversation; None takes one out. False where the store
        did not take them; a call never notices. Raises AlreadyTaken where the conversation goes on
        over another connection."""
        try:
            async with self._turns:
                loop = asyncio.get_running_loop()
                sealed = await loop.run_in_executor(self._threads, self._seal, changed)
                await self._store.put(token.place, sealed, self.seconds)
        except AlreadyTaken:
            self._metrics.resume_writes.labels("taken").inc()
            raise
        except StoreFailed as failure:
            self._metrics.resume_writes.labels("failed").inc()
            self._log(failure)
            return False
        except Exception:  # whatever it is, the call goes on
            self._metrics.resume_writes.labels("failed").inc()
            logger.exception("a conversation could not be kept")
            return False
        self._metrics.resume_writes.labels("written").inc()
        self._is_failing = False
        return True

    @property
    def seconds(self) -> float:
        """How long an entry lives after it was written. It is written again when half of
        `resume.seconds` is over, so a client has at least these in any case."""
        return 1.5 * self.settings.seconds

    async def forget(self, token: ResumeToken) -> None:
        try:
            await self._store.take(token.place)
        except StoreFailed as failure:
            self._log(failure)

    async def give_back(self, claim: Claim) -> None:
        """Make a used token good again, since its client cannot know that it was used."""
        kept = claim.kept
        fields = {TALK: lambda: encode_talk(kept), **media(kept.snapshot, self.settings.sound)}
        try:
            loop = asyncio.get_running_loop()
            sealed = await loop.run_in_executor(self._threads, self._seal, fields)
            whole = {name: value for name, value in sealed.items() if value is not None}
            await self._store.give_back(claim.token.place, whole, self.seconds)
        except StoreFailed as failure:
            self._log(failure)

    def _seal(self, changed: Mapping[str, Media | None]) -> dict[str, bytes | None]:
        return {
            name: None if make is None else self._cipher.encrypt(make())
            for name, make in changed.items()
        }

    def _log(self, failure: StoreFailed) -> None:
        """Once for each time that the store begins to fail."""
        if not self._is_failing:
            self._is_failing = True
            logger.warning("conversations cannot be kept: %s", failure)

    # ------------------------------------------------------------------------------- resuming

    async def claim(self, token: ResumeToken, key: str | None) -> Claim | None:
        """The conversation of a token; None where there is none for this key. Raises Denied."""
        try:
            fields = await self._store.get(token.place)
        except StoreFailed as failure:
            self._log(failure)
            message = "Conversations cannot be looked up now."
            raise self._denied(503, "resume_store_unavailable", message) from None
        if not fields:
            return None
        kept = await self._opened(fields)
        if not hmac.compare_digest(kept.owner, owner_of(key)):
            return None
        try:
            session = SessionConfig.model_validate(kept.session)
        except ValueError as error:
            raise self._wrong_format(WrongFormat(str(error))) from None
        return Claim(token, kept, session)

    async def take(self, claim: Claim) -> None:
        """From here on the token is used. Raises Denied for all but one who ask."""
        try:
            is_first = await self._store.take(claim.token.place)
        except StoreFailed:
            message = "Conversations cannot be looked up now."
            raise self._denied(503, "resume_store_unavailable", message) from None
        if not is_first:
            raise self.unknown()
        self._metrics.resumes.labels("resumed").inc()

    def unknown(self) -> Denied:
        """Forged, foreign, expired and used tokens are told apart for nobody."""
        return self._denied(404, "resume_token_unknown", _NOT_HERE)

    async def _opened(self, fields: Fields) -> Kept:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, self._open, fields)
        except Unreadable:
            message = "This conversation was kept with a key that this server does not have."
            raise self._denied(409, "resume_unreadable", message) from None
        except WrongFormat as wrong:
            raise self._wrong_format(wrong) from None

    def _open(self, fields: Fields) -> Kept:
        """Raises Unreadable, WrongFormat."""
        if TALK not in fields:
            raise WrongFormat("it holds no conversation")
        return decode({name: self._cipher.decrypt(value) for name, value in fields.items()})

    def _wrong_format(self, wrong: WrongFormat) -> Denied:
        logger.warning("a conversation cannot be read: %s", wrong)
        message = "This conversation was kept by another version of the server."
        return self._denied(409, "resume_version", message)

    def _denied(self, status: int, code: str, message: str) -> Denied:
        self._metrics.resumes.labels(code).inc()
        return Denied(status, "resume", message, code=code)
