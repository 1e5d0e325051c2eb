"""The turns of a conversation, cut where the user stopped hearing.

Two views of one list: dictionaries for the wire, and the *model context*, which is what a model has
to know. A context entry's key changes whenever its meaning changes, so that a stream can tell how
far it agrees with the conversation and read only the rest (see duplex.context_sync).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeAlias

from duplex.tagged import TAGGED
from models.base import AssistantText, FunctionCall, Item, SpokenWord

# Outdated pictures that a stream may go on remembering; one that knows older ones reads anew, about
# once a minute of video.
OUTDATED_KEPT = 64
# What may stand behind a word. Not the star that stands for letters in traces without words: they
# must be replayed as they were recorded.
_MARKS = frozenset(".,;:!?…-–—)]}\"'”’»，。！？；：、）】》」")


@dataclass(frozen=True, slots=True)
class SpokenTurn:
    """A spoken user turn; the shell keeps its sound under the item's id."""

    item_id: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class OutdatedPicture:
    """A picture that newer ones have pushed out. No stream reads it any more; one that has read it
    may keep it."""


@dataclass(frozen=True, slots=True)
class ItemReference:
    """An item of the conversation, read as it stands when its request is carried out. `param` is
    the field in which the client names it."""

    item_id: str
    param: str = ""


ContextContent: TypeAlias = Item | SpokenTurn | OutdatedPicture


@dataclass(frozen=True, slots=True)
class ContextEntry:
    """One entry of the model context. Entries of one session with equal keys mean the same."""

    key: str
    content: ContextContent = field(compare=False)

    @classmethod
    def from_key(cls, key: str) -> ContextEntry:
        """An entry of which only the key is known, as a trace keeps it."""
        return cls(key, OutdatedPicture())


@dataclass(slots=True)
class Turn:
    """One item of the conversation. `parts` are what models read of it; of an answer they are
    empty, its `text` and `words` stand for them."""

    item_id: str
    role: str
    parts: tuple[Annotated[ContextContent, TAGGED], ...] = ()
    wire: dict[str, Any] = field(default_factory=dict)
    text: str = ""  # of an answer: all that was generated
    words: tuple[SpokenWord, ...] = ()
    samples_sent: int = 0  # of an answer; more than that nobody can have heard
    heard: int | None = None  # samples of an answer that were heard, None: all of it
    dropped: bool = False  # an answer that the user talked over at once: no model knows of it
    response_id: int | None = None
    is_told: bool = True  # the client knows of it; of an answer, once something of it has left
    outdated: tuple[str, ...] = ()  # keys of pictures that stood before it

    def heard_text(self) -> str:
        if self.heard is None:
            return self.text
        return join_words(heard_words(self.words, self.heard))

    def to_context(self, key: str = "") -> tuple[ContextEntry, ...]:
        """What models know of it. `key` begins the keys of its parts, where that is not its id."""
        if self.dropped:
            return ()
        if self.response_id is None or self.parts:
            begins = key or self.item_id
            return tuple(ContextEntry(f"{begins}/{n}", part) for n, part in enumerate(self.parts))
        return self.answer_context(None if self.heard is None else self.heard_text())

    def answer_context(self, cut_to: str | None) -> tuple[ContextEntry, ...]:
        """An answer as the models have to know it: whole, or cut to the words that were heard.

        Every cut is a beginning of the same text, so its length tells it from the others.
        """
        text = self.text if cut_to is None else cut_to
        if not text:
            return ()
        is_cut = cut_to is not None
        key = f"{self.item_id}/{'cut' if is_cut else 'whole'}/{len(text)}"
        return (ContextEntry(key, AssistantText(text, cut=is_cut)),)

    def heard_context(self, samples: int) -> tuple[ContextEntry, ...]:
        """An answer as it has to be known when so many samples of it were heard."""
        return self.answer_context(join_words(heard_words(self.words, samples)))

    def to_wire(self) -> dict[str, Any]:
        """The item in the protocol's form, without audio bytes."""
        item = {"id": self.item_id, "object": "realtime.item", **self.wire}
        if self.response_id is not None and item.get("type") == "message":
            kind = item["content"][0]["type"]
            key = "transcript" if kind == "output_audio" else "text"
            item["content"] = [{"type": kind, key: self.heard_text()}]
        return item


def heard_words(words: Iterable[SpokenWord], samples: int) -> list[SpokenWord]:
    """The words of which at least half was played out when `samples` were."""
    return [word for word in words if (word.start + word.end) // 2 <= samples and samples > 0]


def join_words(words: Iterable[SpokenWord]) -> str:
    """Words that carry their own spacing are joined as they are, others by a space."""
    text = ""
    for word in words:
        bare = word.text.strip()
        glue = "" if not text or (bare and ord(bare[0]) > 0x2E7F) else " "
        text += glue + bare
    return text


def letters_within(text: str, words: Sequence[SpokenWord], sent: int, made: int) -> int:
    """How many letters of `text` belong to the words that begin within `sent` samples at 24 kHz.

    Words that the text does not have in this form (numbers, say) are passed over. Where no word is
    known yet, the text goes in the proportion in which the sound that was made has been sent.
    """
    if not sent:
        return 0
    if not words:
        return len(text) * sent // max(made, sent)
    end = 0
    for word in words:
        if word.start >= sent:
            break
        bare = word.text.strip()
        found = text.find(bare, end) if bare else -1
        if found >= 0:
            end = found + len(bare)
    while 0 < end < len(text) and (text[end].isspace() or text[end] in _MARKS):
        end += 1  # the marks and the space behind a word go with it
    return end


class UnknownItem(Exception):
    """There is no item of this id in the conversation."""

    def __init__(self, item_id: str) -> None:
        super().__init__(item_id)
        self.item_id = item_id


class History:
    """The conversation so far: an ordered list of turns, found by their ids."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self._by_id: dict[str, Turn] = {}
        self._answers: dict[int, Turn] = {}  # by the number of the response
        self._keys: dict[str, str] = {}  # by item id, where the keys of an item begin otherwise
        self._num_deleted = 0

    def find(self, item_id: str) -> Turn:
        """Raises UnknownItem."""
        turn = self._by_id.get(item_id)
        if turn is None:
            raise UnknownItem(item_id)
        return turn

    def __contains__(self, item_id: str) -> bool:
        return item_id in self._by_id

    def last_id(self) -> str | None:
        """The id of the newest item that the client knows of."""
        return self._id_before(len(self.turns))

    def _id_before(self, place: int) -> str | None:
        for index in range(place - 1, -1, -1):
            if self.turns[index].is_told:
                return self.turns[index].item_id
        return None

    def _place(self, turn: Turn) -> int:
        """Where a turn stands; the newest are looked at first."""
        last = len(self.turns) - 1
        return next(i for i in range(last, -1, -1) if self.turns[i] is turn)

    def remove(self, turn: Turn) -> int:
        """Take a turn out; gives where it stood."""
        place = self._place(turn)
        del self.turns[place]
        del self._by_id[turn.item_id]
        self._keys.pop(turn.item_id, None)
        if turn.response_id is not None:
            self._answers.pop(turn.response_id, None)
        return place

    def clear(self) -> None:
        """Forget everything, since the session is over."""
        self.turns.clear()
        self._by_id.clear()
        self._answers.clear()
        self._keys.clear()

    def add(self, turn: Turn, after: str | None = None) -> str | None:
        """Put a turn at the end, at the "root", or after an item; give the id before it, of what
        the client knows."""
        place = len(self.turns)
        if after == "root":
            place = 0
        elif after is not None:
            place = self._place(self.find(after)) + 1
        self.turns.insert(place, turn)
        self._by_id[turn.item_id] = turn
        if turn.response_id is not None:
            self._answers[turn.response_id] = turn
        return self._id_before(place)

    def add_given(self, turn: Turn, after: str | None = None) -> str | None:
        """`add` for an item whose id the client has chosen. It may be that of an item which was
        deleted, so the keys of the two have to differ."""
        item_id = turn.item_id
        if self._num_deleted or "/" in item_id or "~" in item_id:
            self._keys[item_id] = f"{item_id}~{self._num_deleted}"
        return self.add(turn, after)

    def has_call(self, call_id: str) -> bool:
        """Whether a function was called under this id, and the call was not deleted."""
        return any(
            isinstance(part, FunctionCall) and part.call_id == call_id
            for turn in reversed(self.turns)
            for part in turn.parts
        )

    def context_of(self, turn: Turn) -> tuple[ContextEntry, ...]:
        """What a model has to know of one turn."""
        return turn.to_context(self._keys.get(turn.item_id, ""))

    def add_sound(self, item_id: str, words: str) -> str | None:
        wire = {
            "type": "message",
            "role": "user",
            "status": "completed",
            "content": [{"type": "input_audio", "transcript": words or None}],
        }
        return self.add(Turn(item_id, "user", (SpokenTurn(item_id, words),), wire))

    def add_answer(self, item_id: str, response_id: int, *, speaks: bool) -> None:
        """An answer begins; the client knows of its turn once something of it has left."""
        kind, key = ("output_audio", "transcript") if speaks else ("output_text", "text")
        wire = {
            "type": "message",
            "role": "assistant",
            "status": "in_progress",
            "content": [{"type": kind, key: ""}],
        }
        self.add(Turn(item_id, "assistant", (), wire, response_id=response_id, is_told=False))

    def add_call(self, item_id: str, call: FunctionCall) -> str | None:
        wire = {
            "type": "function_call",
            "status": "completed",
            "name": call.name,
            "arguments": call.arguments,
            "call_id": call.call_id,
        }
        return self.add(Turn(item_id, "assistant", (call,), wire))

    def transcribe(self, item_id: str, words: str) -> None:
        """The words of a spoken turn are known now; nothing happens if it has been deleted."""
        turn = self._by_id.get(item_id)
        if turn is not None and turn.parts and isinstance(turn.parts[0], SpokenTurn):
            turn.parts = (SpokenTurn(item_id, words),)
            turn.wire["content"] = [{"type": "input_audio", "transcript": words or None}]

    def delete(self, item_id: str, *, outdated: bool = False) -> str | None:
        """Take a turn out; give the id of the one before it, of those that the client knows. An
        `outdated` one leaves its keys in the context for a while, before the turn that follows."""
        turn = self.find(item_id)
        keys = tuple(entry.key for entry in self.context_of(turn)) if outdated else ()
        place = self.remove(turn)
        self._num_deleted += 1
        if place < len(self.turns):
            after = self.turns[place]
            after.outdated = (*turn.outdated, *keys, *after.outdated)[-OUTDATED_KEPT:]
        return self._id_before(place)

    def cut(self, item_id: str, samples: int) -> Turn:
        """Keep of an answer exactly the words heard within `samples` (24 kHz)."""
        turn = self.find(item_id)
        if turn.heard != samples:
            turn.heard = samples
            turn.wire["status"] = "incomplete"
        return turn

    def answer_of(self, response_id: int) -> Turn | None:
        return self._answers.get(response_id)

    def context(
        self, current: int | None = None, heard: int = 0, *, without: bool = False
    ) -> tuple[ContextEntry, ...]:
        """What a model has to know now. Of the answer number `current`, which is still playing,
        only what `heard` samples say (or nothing: `without`) is part of it."""
        entries: list[ContextEntry] = []
        for turn in self.turns:
            entries.extend(ContextEntry(key, OutdatedPicture()) for key in turn.outdated)
            if current is None or turn.response_id != current:
                entries.extend(self.context_of(turn))
            elif not without:
                entries.extend(turn.heard_context(heard))
        return tuple(entries)
