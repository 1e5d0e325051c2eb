"""What was heard and said: embeddings of user turns for the models, samples for the client."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audio.frame import Samples
from duplex.conversation import ContextContent, OutdatedPicture, SpokenTurn
from models.base import Item, UserSound

# What is kept of a session: items with sound, and bytes of it. Older ones answer `retrieve` without
# audio and are read as words.
ITEMS_KEPT = 64
BYTES_KEPT = 32 * 2**20


@dataclass(slots=True)
class _ItemAudio:
    samples: Samples | None = None
    embedded: npt.NDArray[np.float32] | None = None

    @property
    def size(self) -> int:
        kept = (self.samples, self.embedded)
        return sum(array.nbytes for array in kept if array is not None)


class AudioStore:
    """The sound of one session's newest items."""

    def __init__(self) -> None:
        self._items: OrderedDict[str, _ItemAudio] = OrderedDict()

    def keep_embedded(self, item_id: str, embedded: npt.NDArray[np.float32] | None) -> None:
        """A user turn as the language model saw it, [tokens, width]; None if unknown."""
        self._item(item_id).embedded = embedded
        self._let_go()

    def keep_samples(self, item_id: str, samples: Samples) -> None:
        """An item's sound, [n]: 16 kHz for the user's, 24 kHz for the assistant's."""
        self._item(item_id).samples = samples
        self._let_go()

    def forget(self, item_id: str) -> None:
        """The item is deleted, and its sound with it."""
        self._items.pop(item_id, None)

    def samples(self, item_id: str) -> Samples | None:
        audio = self._items.get(item_id)
        return None if audio is None else audio.samples

    def resolve(self, content: ContextContent) -> Item:
        """What a stream reads for an entry of the model context."""
        if isinstance(content, OutdatedPicture):
            raise ValueError("an outdated picture is not read")
        if not isinstance(content, SpokenTurn):
            return content
        audio = self._items.get(content.item_id, _ItemAudio())
        return UserSound(audio.samples, audio.embedded, content.words)

    def _item(self, item_id: str) -> _ItemAudio:
        audio = self._items.setdefault(item_id, _ItemAudio())
        self._items.move_to_end(item_id)
        return audio

    def _let_go(self) -> None:
        """The oldest sound goes first; the newest stays, however long."""
        size = sum(audio.size for audio in self._items.values())
        while len(self._items) > 1 and (len(self._items) > ITEMS_KEPT or size > BYTES_KEPT):
            size -= self._items.popitem(last=False)[1].size

    def clear(self) -> None:
        """Forget everything, since the session is over."""
        self._items.clear()
