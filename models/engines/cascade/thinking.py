"""What a reasoning model thinks is no part of its reply. Pure."""

from __future__ import annotations

import re

_OPENING = re.compile(r"<(think|thinking|reasoning)>")
_NAMES = ("think", "thinking", "reasoning")
_TAGS = tuple(f"<{slash}{name}>" for slash in ("", "/") for name in _NAMES)


class ThoughtFilter:
    """Takes a reply's text in pieces and gives it without what stands in <think> ... </think>.

    The end of a piece that may be the beginning of a tag is held back until the next piece.
    """

    def __init__(self) -> None:
        self._held = ""
        self._closing: str | None = None  # the tag that ends the thought
        self._begun = False  # something of the reply itself has been given
        self.has_thought = False

    def feed(self, piece: str) -> str:
        """What `piece` adds to the reply."""
        text, self._held = self._held + piece, ""
        given = ""
        while text:
            if self._closing is not None:
                _, found, rest = text.partition(self._closing)
                if not found:
                    self._held = _tail(text, (self._closing,))
                    break
                self._closing, text = None, rest
                continue
            opening = _OPENING.search(text)
            if opening is None:
                self._held = _tail(text, _TAGS)
                given += text.removesuffix(self._held) if self._held else text
                break
            given += text[: opening.start()]
            self._closing, self.has_thought = f"</{opening[1]}>", True
            text = text[opening.end() :]
        return self._without_head(given)

    def end(self) -> str:
        """The reply is over: what was held back. A thought without an end is dropped."""
        held, self._held = self._held, ""
        return "" if self._closing is not None else self._without_head(held)

    def _without_head(self, text: str) -> str:
        """The empty lines between a thought and the reply belong to neither."""
        if not self._begun:
            text = text.lstrip()
            self._begun = bool(text)
        return text


def _tail(text: str, tags: tuple[str, ...]) -> str:
    """The longest end of `text` that begins one of the tags."""
    for length in range(min(len(text), max(map(len, tags)) - 1), 0, -1):
        if any(tag.startswith(text[-length:]) for tag in tags):
            return text[-length:]
    return ""
