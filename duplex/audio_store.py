"""What was heard and said: embeddings of user turns for the models, samples for the client."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audio.frame import Samples
from duplex.conversation import ContextContent, OutdatedPicture, SpokenTurn
from models.base import Item, UserSound

# Items whose sound is kept; older ones answer `retrieve` without audio and are read as words.
ITEMS_KEPT = 64


@dataclass(slots=True)
class _ItemAudio:
    samples: Samples | None = None
    embedded: npt.NDArray[np.float32] | None = None


class AudioStore:
    """The sound of one session's newest items."""

    def __init__(self) -> None:
        self._items: OrderedDict[str, _ItemAudio] = OrderedDict()

    def keep_embedded(self, item_id: str, embedded: npt.NDArray[np.float32] | None) -> None:
        """A user turn as the language model saw it, [tokens, width]; None if unknown."""
        self._item(item_id).embedded = embedded

    def keep_samples(self, item_id: str, samples: Samples) -> None:
        """An item's sound, [n]: 16 kHz for the user's, 24 kHz for the assistant's."""
        self._item(item_id).samples = samples

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
        while len(self._items) > ITEMS_KEPT:
            self._items.popitem(last=False)
        return audio
