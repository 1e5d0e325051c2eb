"""server.resume: one call's conversation, written behind it after each turn and each change.

Nothing here delays the call: a change is noticed on the event loop, and copied, encrypted and
stored beside it. At most one write of a call is under way; what changes meanwhile is in the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from duplex import actions
from duplex.orchestrator import Outgoing
from duplex.session import Snapshot
from server.realtime.session_config import SessionConfig
from server.resume.codec import TALK, Kept, Media, encode_talk, media
from server.resume.stores import AlreadyTaken
from server.resume.tokens import ResumeToken, new_token
from server.resume.vault import Claim, Vault

GATHERING = 0.1  # seconds in which changes are gathered for one write
PLAYING = 1.0  # seconds between writes while an answer plays, so that little heard is forgotten
RETRY = 2.0  # seconds after a write that failed
FLUSH_SECONDS = 3.0  # for the last write before a call is sent elsewhere
_CHANGES = (
    actions.ItemAdded,
    actions.ItemDeleted,
    actions.ItemTruncated,
    actions.ResponseStarted,
    actions.ResponseCallAdded,
    actions.ResponseEnded,
    actions.TranscriptAdded,
)


class SnapshotKeeper:
    """Follows one session. `vault` None: this server keeps nothing."""

    def __init__(
        self,
        vault: Vault | None,
        session: SessionConfig,
        session_id: str,
        owner: str,
        *,
        is_ephemeral: bool = False,
        claim: Claim | None = None,
    ) -> None:
        self._vault = vault
        self._session = session
        self._session_id = session_id
        self._whose = (owner, is_ephemeral)
        self._claim = claim
        self._token: ResumeToken | None = None
        self._changed = asyncio.Event()
        self._writing = asyncio.Lock()
        self._written: set[str] = set()  # fields of sound and pixels that the store has
        self._is_playing = False
        self._is_heard_of = False  # the client has said something on this connection
        self.configure(session)

    # ------------------------------------------------------------------------- what is told

    @property
    def token(self) -> str | None:
        return None if self._token is None else self._token.value

    def shown(self) -> dict[str, Any]:
        """What `session.antiphon` says beside the settings."""
        shown: dict[str, Any] = {}
        if self._vault is not None and self._token is not None:
            shown["resume_token"] = self._token.value
            shown["resume_seconds"] = self._vault.settings.seconds
        if self._claim is not None:
            kept = self._claim.kept
            shown["resumed"] = {
                "session_id": kept.session_id,
                "items": [turn.item_id for turn in kept.snapshot.resumed.turns],
                "cut": kept.snapshot.cut,
                "unanswered": kept.snapshot.unanswered,
            }
        return shown

    # ---------------------------------------------------------------------- what is noticed

    def configure(self, session: SessionConfig) -> None:
        self._session = session
        if self._vault is None:
            return
        if session.antiphon.resume and self._token is None:
            self._token = new_token(self._vault.settings.server)
        self._changed.set()

    def follow(self, outgoing: Outgoing) -> None:
        """Take notice of what the conversation tells its client."""
        if isinstance(outgoing, _CHANGES):
            self._changed.set()
        if isinstance(outgoing, actions.ResponseStarted):
            self._is_playing = True
        elif isinstance(outgoing, actions.ResponseEnded):
            self._is_playing = False

    def hear_of_client(self) -> None:
        """The client has said something: it has this session, and needs no token of another."""
        self._is_heard_of = True

    # --------------------------------------------------------------------------- the writing

    async def run(self, snapshot: Callable[[], Snapshot]) -> None:
        """Write behind the call until cancelled. Raises AlreadyTaken when its client has gone on
        over another connection, here or elsewhere."""
        if self._vault is None:
            return
        while True:
            await self._wait_for_change(self._vault)
            await asyncio.sleep(GATHERING)
            if not await self._write(snapshot):
                self._changed.set()
                await asyncio.sleep(RETRY)

    async def flush(self, snapshot: Callable[[], Snapshot]) -> bool:
        """Write now; True where the store has the conversation as it stands."""
        if self._token is None:
            return False
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                return await self._write(snapshot)
        except (TimeoutError, AlreadyTaken):
            return False

    async def finish(
        self, snapshot: Callable[[], Snapshot], *, is_over: bool, is_lost: bool = False
    ) -> None:
        """The connection has ended. `is_over`: and the client wanted it so; `is_lost`: without a
        word. A client that was lost before it said anything may not know its new token, and comes
        with the old one: that one is good again."""
        if self._vault is None or self._token is None:
            return
        if is_over:
            await self._vault.forget(self._token)
            return
        await self.flush(snapshot)
        if is_lost and self._claim is not None and not self._is_heard_of:
            await self._vault.give_back(self._claim)

    async def _wait_for_change(self, vault: Vault) -> None:
        """A change, a second of an answer, or the time at which the store would soon forget."""
        seconds = PLAYING if self._is_playing else vault.settings.seconds / 2
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            if not self._is_playing:
                self._written.clear()  # the store may have lost it; all is written again

    async def _write(self, snapshot: Callable[[], Snapshot]) -> bool:
        vault = self._vault
        assert vault is not None
        async with self._writing:
            self._changed.clear()
            if not self._session.antiphon.resume:
                await self._give_up(vault)
                return True
            token = self._token
            if token is None:
                return False  # its client has gone on elsewhere meanwhile
            fields = self._fields(snapshot(), vault.settings.sound)
            try:
                is_written = await vault.write(token, fields)
            except AlreadyTaken:
                self._token = None
                raise
            if is_written:
                self._written |= {name for name, make in fields.items() if make is not None}
                self._written -= {name for name, make in fields.items() if make is None}
            else:
                self._written.clear()
            return is_written

    async def _give_up(self, vault: Vault) -> None:
        if self._token is not None:
            await vault.forget(self._token)
            self._token = None
            self._written.clear()

    def _fields(self, snapshot: Snapshot, limit: int) -> dict[str, Media | None]:
        owner, is_ephemeral = self._whose
        session = self._session.model_dump(mode="json")
        kept = Kept(self._session_id, owner, is_ephemeral, session, snapshot)
        wanted = media(snapshot, limit)
        fields: dict[str, Media | None] = {TALK: lambda: encode_talk(kept)}
        fields |= {name: make for name, make in wanted.items() if name not in self._written}
        fields |= dict.fromkeys(self._written - wanted.keys() - {TALK})
        return fields
