"""server.resume: a conversation as fields of bytes, and back.

The field "talk" is JSON: the session's configuration and the turns, as a trace has them. Sound and
pictures are fields of their own, which never change once they are written: "sound/ITEM" is what the
user said, "part/ITEM/N" what the client put in. Sound is 16-bit PCM at 16 kHz, a picture a PNG.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import orjson
from PIL import Image

from audio.pcm import decode_pcm16, encode_pcm16
from duplex.conversation import ContextContent, Turn
from duplex.events import ConversationResumed
from duplex.session import Snapshot
from duplex.trace import Record, from_json, to_json
from models.base import UserImage, UserSound

FORMAT = 1
TALK = "talk"
TALK_LIMIT = 2**20  # bytes of JSON; older turns are left out
Media: TypeAlias = Callable[[], bytes]


class WrongFormat(Exception):
    """Another version of the server wrote it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of one session: whose it is, how it is configured, what was said. `owner` is the
    digest of the key it was opened with; `is_ephemeral`: of a short-lived key."""

    session_id: str
    owner: str
    is_ephemeral: bool
    session: dict[str, Any]
    snapshot: Snapshot


# ------------------------------------------------------------------------------------- writing


def encode_talk(kept: Kept) -> bytes:
    """The field "talk"; of a very long conversation its newest turns."""
    past = kept.snapshot.resumed
    turns = past.turns
    while True:
        text = _talk(kept, replace(past, turns=turns))
        if len(text) <= TALK_LIMIT or not turns:
            return text
        turns = turns[len(turns) // 4 + 1 :]


def _talk(kept: Kept, past: ConversationResumed) -> bytes:
    return orjson.dumps(
        {
            "format": FORMAT,
            "session_id": kept.session_id,
            "owner": kept.owner,
            "is_ephemeral": kept.is_ephemeral,
            "session": kept.session,
            "cut": kept.snapshot.cut,
            "unanswered": kept.snapshot.unanswered,
            "past": to_json(Record(0.0, "event", past)),
        }
    )


def media(snapshot: Snapshot, limit: int) -> dict[str, Media]:
    """Each field of sound or pixels that fits into `limit` bytes, the newest turns first, with what
    makes its bytes (slow; to be called beside the event loop)."""
    chosen: dict[str, Media] = {}
    for turn in reversed(snapshot.resumed.turns):
        for name, size, make in _media_of(turn, snapshot.sounds):
            if size > limit:
                return chosen
            limit -= size
            chosen[name] = make
    return chosen


def _media_of(turn: Turn, sounds: Mapping[str, Any]) -> Iterator[tuple[str, int, Media]]:
    sound = sounds.get(turn.item_id)
    if sound is not None:
        yield f"sound/{turn.item_id}", 2 * len(sound), lambda: encode_pcm16(sound)
    for number, part in enumerate(turn.parts):
        name = f"part/{turn.item_id}/{number}"
        match part:
            case UserSound(samples=samples) if samples is not None:
                yield name, 2 * len(samples), _pcm_of(samples)
            case UserImage(pixels=pixels):
                yield name, pixels.nbytes, _png_of(pixels)


def _pcm_of(samples: Any) -> Media:
    return lambda: encode_pcm16(samples)


def _png_of(pixels: Any) -> Media:
    def make() -> bytes:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "png", compress_level=1)
        return file.getvalue()

    return make


# ------------------------------------------------------------------------------------- reading


def decode(fields: Mapping[str, bytes]) -> Kept:
    """Raises WrongFormat."""
    try:
        talk = orjson.loads(fields[TALK])
        if talk["format"] != FORMAT:
            raise WrongFormat(f"format {talk['format']}, and this server reads {FORMAT}")
        past = from_json(talk["past"]).payload
        if not isinstance(past, ConversationResumed):
            raise WrongFormat("it holds no conversation")
        turns = tuple(_with_media(turn, fields) for turn in past.turns)
        sounds = {
            name.removeprefix("sound/"): decode_pcm16(value)
            for name, value in fields.items()
            if name.startswith("sound/")
        }
        resumed = replace(past, turns=turns)
        snapshot = Snapshot(resumed, sounds, talk["cut"], talk["unanswered"])
        whose = talk["session_id"], talk["owner"], talk["is_ephemeral"]
        return Kept(*whose, session=talk["session"], snapshot=snapshot)
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise WrongFormat(str(error)) from error


def _with_media(turn: Turn, fields: Mapping[str, bytes]) -> Turn:
    """Pictures that are lost are left out; sound that is lost stands there with its words."""
    parts = (
        _part(part, fields.get(f"part/{turn.item_id}/{number}"))
        for number, part in enumerate(turn.parts)
    )
    return replace(turn, parts=tuple(part for part in parts if part is not None))


def _part(part: ContextContent, value: bytes | None) -> ContextContent | None:
    match part:
        case UserImage(detail=detail):
            if value is None:
                return None
            pixels = np.asarray(Image.open(io.BytesIO(value)).convert("RGB"))
            return UserImage(pixels, detail)
        case UserSound(words=words):
            return UserSound(None if value is None else decode_pcm16(value), words=words)
        case _:
            return part
