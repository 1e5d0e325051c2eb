"""What is kept of a conversation is what comes back."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest

from duplex.conversation import SpokenTurn, Turn
from duplex.events import ConversationResumed
from duplex.session import Snapshot
from models.base import (
    FunctionCall,
    FunctionOutput,
    Instructions,
    SpokenWord,
    UserImage,
    UserSound,
    UserText,
)
from server.realtime.session_config import SessionConfig
from server.resume import codec
from server.resume.codec import TALK, Kept, WrongFormat, decode, encode_talk, media

SOUND = np.linspace(-0.9, 0.9, 16_000, dtype=np.float32)
PIXELS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
WORDS = (SpokenWord("Hello", 0, 6000), SpokenWord(" 你好", 6000, 12_000))


def turns() -> tuple[Turn, ...]:
    return (
        Turn("a", "system", (Instructions("Be kind."),), {"type": "message"}),
        Turn("b", "user", (SpokenTurn("b", "hello"),), {"type": "message", "content": [{}]}),
        Turn("c", "assistant", (), {"status": "x"}, "Hello 你好", WORDS, 7000, response_id=3),
        Turn("d", "user", (UserText("t"), UserImage(PIXELS, "low"), UserSound(SOUND, words="w"))),
        Turn("e", "assistant", (FunctionCall("f", "{}", "call"),), {"type": "function_call"}),
        Turn("g", "tool", (FunctionOutput("call", "out"),), outdated=("key",), dropped=True),
    )


def kept(snapshot: Snapshot) -> Kept:
    session = SessionConfig(instructions="Be kind.").model_dump(mode="json")
    return Kept("sess_t", "owner", True, session, snapshot)


def stored(snapshot: Snapshot, limit: int = 10**6) -> dict[str, bytes]:
    fields = {TALK: encode_talk(kept(snapshot))}
    return fields | {name: make() for name, make in media(snapshot, limit).items()}


def same_part(one: Any, other: Any) -> bool:
    if isinstance(one, UserImage):
        return bool((one.pixels == other.pixels).all()) and one.detail == other.detail
    if isinstance(one, UserSound):
        assert one.samples is not None
        near = np.allclose(one.samples, other.samples, atol=1e-4)
        return near and one.words == other.words
    return bool(one == other)


def test_everything_comes_back() -> None:
    snapshot = Snapshot(ConversationResumed(turns(), 3), {"b": SOUND}, cut="c", unanswered="b")
    again = decode(stored(snapshot))
    assert (again.session_id, again.owner, again.is_ephemeral) == ("sess_t", "owner", True)
    assert SessionConfig.model_validate(again.session).instructions == "Be kind."
    assert (again.snapshot.cut, again.snapshot.unanswered) == ("c", "b")
    assert np.allclose(again.snapshot.sounds["b"], SOUND, atol=1e-4)
    assert again.snapshot.resumed.num_responses == 3
    for before, after in zip(turns(), again.snapshot.resumed.turns, strict=True):
        assert all(same_part(*pair) for pair in zip(before.parts, after.parts, strict=True))
        for name in ("item_id", "role", "wire", "text", "words", "heard", "dropped", "outdated"):
            assert getattr(before, name) == getattr(after, name)
        assert before.response_id == after.response_id


def test_sound_and_pictures_are_bounded_and_the_newest_are_kept() -> None:
    many = tuple(Turn(f"{n}", "user", (SpokenTurn(f"{n}", "words"),)) for n in range(20))
    sounds = {turn.item_id: SOUND for turn in many}
    snapshot = Snapshot(ConversationResumed(many, 0), sounds)
    assert list(media(snapshot, 70_000)) == ["sound/19", "sound/18"]
    again = decode(stored(snapshot, 70_000))
    assert set(again.snapshot.sounds) == {"18", "19"} and len(again.snapshot.resumed.turns) == 20
    assert media(snapshot, 0) == {}


def test_a_lost_picture_is_left_out_and_lost_sound_keeps_its_words() -> None:
    again = decode({TALK: stored(Snapshot(ConversationResumed(turns(), 0)))[TALK]})
    text, sound = again.snapshot.resumed.turns[3].parts
    assert text == UserText("t")
    assert isinstance(sound, UserSound) and (sound.samples, sound.words) == (None, "w")


def test_a_very_long_conversation_keeps_its_newest_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "TALK_LIMIT", 20_000)
    many = tuple(Turn(f"{n}", "user", (UserText("x" * 100),)) for n in range(500))
    fields = stored(Snapshot(ConversationResumed(many, 0)))
    assert len(fields[TALK]) <= 20_000
    found = decode(fields).snapshot.resumed.turns
    assert 10 < len(found) < 500 and found[-1].item_id == "499"


def broken(**changes: Any) -> dict[str, bytes]:
    talk = orjson.loads(encode_talk(kept(Snapshot(ConversationResumed(turns(), 0)))))
    return {TALK: orjson.dumps(talk | changes)}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {TALK: b"no json"},
        {TALK: b"[]"},
        broken(format=99),
        broken(past={"now": 0.0, "direction": "event", "type": "Later"}),
        broken(past={"now": 0.0, "direction": "event", "type": "SessionEnded"}),
        broken() | {"sound/b": b"odd"},
        broken() | {"part/d/1": b"no picture"},
    ],
)
def test_what_another_version_wrote_is_refused(fields: dict[str, bytes]) -> None:
    with pytest.raises(WrongFormat):
        decode(fields)
