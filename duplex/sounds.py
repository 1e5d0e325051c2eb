"""What was heard and said: embeddings of user turns for the models, samples for the client."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audio.frame import Samples
from duplex.conversation import Heard, Knowledge, Outdated
from models.base import Item, UserSound

# Items whose sound is kept; older ones answer `retrieve` without audio and are read as words.
ITEMS_KEPT = 64


@dataclass(slots=True)
class _Sound:
    samples: Samples | None = None
    embedded: npt.NDArray[np.float32] | None = None


class Sounds:
    """The sound memory of one session, bounded."""

    def __init__(self) -> None:
        self._segments: dict[int, npt.NDArray[np.float32] | None] = {}
        self._items: OrderedDict[str, _Sound] = OrderedDict()

    def keep_embedded(self, segment: int, embedded: npt.NDArray[np.float32] | None) -> None:
        """A segment as the language model saw it, [tokens, width]."""
        self._segments = {segment: embedded}

    def name(self, segment: int, item_id: str) -> None:
        """The segment has become this item."""
        self._item(item_id).embedded = self._segments.pop(segment, None)

    def keep_samples(self, item_id: str, samples: Samples) -> None:
        """An item's sound, [n]: 16 kHz for the user's, 24 kHz for the assistant's."""
        self._item(item_id).samples = samples

    def samples(self, item_id: str) -> Samples | None:
        sound = self._items.get(item_id)
        return None if sound is None else sound.samples

    def resolve(self, content: Knowledge) -> Item:
        """What a stream reads for an entry of the journal."""
        if isinstance(content, Outdated):
            raise ValueError("an outdated picture is not read")
        if not isinstance(content, Heard):
            return content
        sound = self._items.get(content.item_id, _Sound())
        return UserSound(sound.samples, sound.embedded, content.words)

    def _item(self, item_id: str) -> _Sound:
        sound = self._items.setdefault(item_id, _Sound())
        self._items.move_to_end(item_id)
        while len(self._items) > ITEMS_KEPT:
            self._items.popitem(last=False)
        return sound
