"""What one session may make the server keep and do, counted and refused in one place.

Counted is what a client puts in. What the conversation grows by itself is bounded elsewhere by
letting the oldest sound go (duplex.playout.AudioStore).
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from models.base import HEAR_RATE, Item, Tool
from models.capabilities import Capabilities, Measuring
from server.realtime.formats import AudioFormat
from server.realtime.refusal import Refusal
from server.realtime.session_fields import Transcription

MEBIBYTE = 2**20
EXCEEDED = "session_budget_exceeded"
SOUND_AT_ONCE_S = 40.0  # of sound that a client may send as fast as it can
_SAMPLE_BYTES = 4  # decoded sound is float32
_MOST_PICTURES = 64  # in one message, however small
_LETTERS_A_TOKEN = 64  # no tokenizer has more for what people write


class BudgetSettings(BaseModel):
    """What one session may take; the operator's settings under `budget`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    items: int = Field(default=1000, ge=1)  # put in by the client and not deleted
    text: int = Field(default=2_000_000, ge=1000)  # letters in those items
    media: int = Field(default=64 * MEBIBYTE, ge=0)  # bytes of their decoded pictures and sound
    functions: int = Field(default=128, ge=0, le=128)
    function_bytes: int = Field(default=128 * 1024, ge=0)  # all functions as JSON
    function_depth: int = Field(default=32, ge=2, le=64)  # nesting of one function's parameters
    session_bytes: int = Field(default=MEBIBYTE, ge=16 * 1024)  # the whole configuration as JSON
    out_of_band: int = Field(default=4, ge=0)  # responses outside the conversation at a time
    updates_a_second: int = Field(default=10, ge=1)  # of the session; a burst of twice as many
    pixels_a_second: int = Field(default=8_000_000, ge=1_000_000)  # more are decoded more slowly
    responses_a_second: int = Field(default=4, ge=1)  # asked for; a burst of four times as many
    sound_speed: int = Field(default=4, ge=1)  # times playing speed, behind SOUND_AT_ONCE_S


class TokenBucket:
    """So many tokens a second, and at most `burst` of them saved up."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float]) -> None:
        self.rate, self._burst, self._clock = rate, burst, clock
        self._saved, self._since = burst, clock()

    @property
    def left(self) -> float:
        """Tokens that are there now; below zero where some were taken in advance."""
        return min(self._burst, self._saved + (self._clock() - self._since) * self.rate)

    def take(self, count: float = 1) -> float:
        """Take tokens that may not be there yet; gives the seconds until they would be."""
        self._saved, self._since = self.left - count, self._clock()
        return max(0.0, -self._saved / self.rate)

    def try_take(self) -> bool:
        """Take one token, or none."""
        if self.left < 1:
            return False
        self.take()
        return True

    @property
    def is_full(self) -> bool:
        """Nothing was taken for so long that forgetting this bucket changes nothing."""
        return self.left >= self._burst


@dataclass(slots=True)
class Cost:
    """What one message puts in: letters, bytes of decoded media, pixels before any is decoded."""

    text: int = 0
    media: int = 0
    pixels: int = 0


class SessionBudget:
    """One session's account. Every refusal names the field and leaves the session as it was."""

    def __init__(
        self,
        settings: BudgetSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
        can: Capabilities | None = None,
        measuring: Measuring | None = None,
    ) -> None:
        """`can`: what the model can do; what it cannot is refused like what is too much.
        `measuring` says what it has room for; None: for everything."""
        self._can, self._measuring = can or Capabilities(), measuring
        self.settings = settings or BudgetSettings()
        if not self._can.tools:
            self.settings = self.settings.model_copy(update={"functions": 0})
        self._lock = threading.Lock()  # items are decoded on threads, and deleted on the loop
        self._items: dict[str, Cost] = {}
        self._num_offered = 0  # items that the core has not decided on yet
        self._text = self._media = 0
        self._out_of_band = 0
        rate = self.settings.updates_a_second
        self._updates = TokenBucket(rate, 2 * rate, clock)
        pixels = self.settings.pixels_a_second
        self._pixels = TokenBucket(pixels, 4 * pixels, clock)
        responses = self.settings.responses_a_second
        self._responses = TokenBucket(responses, 4 * responses, clock)
        speed = self.settings.sound_speed
        self._sound = TokenBucket(speed, SOUND_AT_ONCE_S, clock)

    # -------------------------------------------------------------------------------- items

    def new_bill(self) -> Bill:
        """A bill for one message that puts something in."""
        return Bill(self.settings, self._text, self._media, self._can)

    def check_transcription(self, asked: Transcription | None) -> None:
        """Raises Refusal for a language to transcribe that the model was not made for."""
        name, known = asked.language if asked else None, self._can.languages
        if name and known and re.split("[-_]", name.lower())[0] not in known:
            raise Refusal(
                f"This model understands {' and '.join(known)}, not {name:.40}.",
                param="session.audio.input.transcription.language",
            )

    def check_item(self, param: str) -> None:
        """Raises Refusal where there are as many items as may be."""
        if len(self._items) + self._num_offered >= self.settings.items:
            raise _exceeded(f"A session holds at most {self.settings.items} items.", param)

    def charge(self, cost: Cost) -> None:
        """Something is put in; whether it stays is decided later."""
        with self._lock:
            self._num_offered += 1
            self._add(cost, 1)

    def assign(self, item_id: str, cost: Cost) -> None:
        """What was charged has become an item."""
        with self._lock:
            self._num_offered -= 1
            self._items[item_id] = cost

    def release(self, cost: Cost) -> None:
        """What was charged does not stay."""
        with self._lock:
            self._num_offered -= 1
            self._add(cost, -1)

    def refund(self, item_id: str) -> None:
        """Give back what an item took that is deleted; nothing for one that was never charged."""
        with self._lock:
            cost = self._items.pop(item_id, None)
            if cost is not None:
                self._add(cost, -1)

    def _add(self, cost: Cost, sign: int) -> None:
        self._text += sign * cost.text
        self._media += sign * cost.media

    def fitted(self, part: Item) -> Item:
        """What the model reads of one part of an item: itself, or a shorter one."""
        return part if self._measuring is None else self._measuring.fitted(part)

    def check_tools(self, tools: Sequence[Tool], param: str) -> None:
        """Raises Refusal with the number of functions for which the model has room."""
        if self._measuring is None:
            return
        fit = self._measuring.num_fitting(tools)
        if fit < len(tools):
            message = f"The model has room for the first {fit} of these {len(tools)} functions."
            raise _exceeded(message, param)

    def pixel_wait(self, pixels: int) -> float:
        """Count decoded pixels; gives the seconds for which this client is to wait."""
        return self._pixels.take(pixels) if pixels else 0.0

    def sound_wait(self, samples: int) -> float:
        """Count sound of the input buffer, at 16 kHz; gives the seconds for which this client is
        to wait: who sends much more than is spoken is heard at a multiple of playing speed."""
        return self._sound.take(samples / HEAR_RATE)

    # ------------------------------------------------------------------ responses and updates

    def response_wait(self) -> float:
        """Count a response that is asked for: even one that is cancelled at once opens a stream.
        Gives the seconds for which this client is to wait."""
        return self._responses.take()

    def begin_out_of_band(self) -> None:
        """Raises Refusal where as many responses are open outside the conversation as may be."""
        if self._out_of_band >= self.settings.out_of_band:
            message = (
                f"At most {self.settings.out_of_band} responses outside the conversation may be "
                "open at a time."
            )
            raise _exceeded(message, "response.conversation")
        self._out_of_band += 1

    def end_out_of_band(self) -> None:
        self._out_of_band = max(0, self._out_of_band - 1)

    def count_update(self) -> None:
        """Raises Refusal where the session is changed too often."""
        if not self._updates.try_take():
            message = f"At most {self.settings.updates_a_second} session updates a second."
            raise _exceeded(message, "session")


class Bill:
    """Adds up what one message puts in, before anything of it is decoded; raises Refusal naming the
    field with which the session's budget is exceeded."""

    def __init__(self, settings: BudgetSettings, text: int, media: int, can: Capabilities) -> None:
        self._settings, self._text, self._media = settings, text, media
        self._can, self._pictures = can, 0
        self.cost = Cost()

    def add_text(self, text: str | None, param: str) -> None:
        letters, context = len(text or ""), self._can.context
        if context and letters > context * _LETTERS_A_TOKEN:
            raise _too_long(
                f"This model holds {context} tokens, which no such text fits into", param
            )
        self.cost.text += letters
        if self._text + self.cost.text > self._settings.text:
            raise _exceeded(f"The items hold more than {self._settings.text} letters.", param)

    def check_picture(self, param: str) -> None:
        """Whether the model takes pictures at all."""
        if not self._can.pictures:
            message = "This model takes no pictures."
            raise Refusal(message, code="unsupported_content_type", param=param)

    def add_picture(self, pixels: int, decoded: int, param: str) -> None:
        """`pixels` of the file, bytes `decoded` of what is kept."""
        self._pictures += 1
        if self._pictures > _MOST_PICTURES:
            raise _exceeded(f"One message holds at most {_MOST_PICTURES} pictures.", param)
        self.cost.pixels += pixels
        if self.cost.pixels > 4 * self._settings.pixels_a_second:
            most = 4 * self._settings.pixels_a_second
            raise _exceeded(f"One message holds at most {most} pixels.", param)
        self._add_media(decoded, param)

    def add_sound(self, letters: int, form: AudioFormat, param: str) -> None:
        """So many letters of base64 in a format."""
        samples = letters * 3 // 4 // (2 if form.type == "audio/pcm" else 1)
        heard = samples * HEAR_RATE // form.samples_a_second
        most = self._can.longest_sound
        if most and heard > most * HEAR_RATE:
            raise _too_long(f"This model reads at most {most:.0f} s of sound at a time", param)
        self._add_media(heard * _SAMPLE_BYTES, param)

    def _add_media(self, size: int, param: str) -> None:
        self.cost.media += size
        if self._media + self.cost.media > self._settings.media:
            most = self._settings.media
            message = f"Pictures and sound of the items take more than {most} bytes."
            raise _exceeded(message, param)


def _too_long(message: str, param: str) -> Refusal:
    return Refusal(f"{message}.", code="context_length_exceeded", param=param)


def _exceeded(message: str, param: str) -> Refusal:
    return Refusal(message, code=EXCEEDED, param=param)
