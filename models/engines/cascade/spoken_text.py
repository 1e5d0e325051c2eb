"""Written text as it can be said: no markup, no code, no emoji; units and signs as words. Pure.

What comes out is both what is spoken and what is shown, so that the words of an answer are those
that were heard. Digits stay digits: every voice can say them.
"""

from __future__ import annotations

import re
import unicodedata

from models.vita.mandarin import HAN

LONGEST_HELD = 400  # letters that wait for the end of a link
_FENCE = "```"
_LINE_HEAD = re.compile(r"\s*(?:(?:#{1,6}|[-*+•>]|\d{1,3}[.)])\s+)+")
_TABLE_RULE = re.compile(r"^\s*\|?(?:\s*:?-{2,}:?\s*\|)+[\s:|-]*$|^\s*(?:-{3,}|\*{3,}|_{3,})\s*$")
_ENDED = tuple(".?!:;,…。？！：；，、")
_SAFE = re.compile(rf"\s+|[{HAN}。？！：；，、]+")
_NUMBER_LAST = re.compile(r"(?:^|\s)[$€£¥]?\d[\d,.]*\s*(?:[*×÷–]\s*)?$")
_LINK = re.compile(r"\[[^\]]*\]\([^)]*\)")
_LINK_BEGUN = re.compile(
    rf"\[(?:[^\]]{{0,{LONGEST_HELD}}}|[^\]]*\]|[^\]]*\]\([^)]{{0,{LONGEST_HELD}}})$"
)
_CHINESE = re.compile(f"[{HAN}]")

_UNITS = {
    "km/h": ("kilometre an hour", "kilometres an hour"),
    "mph": ("mile an hour", "miles an hour"),
    "km": ("kilometre", "kilometres"),
    "cm": ("centimetre", "centimetres"),
    "mm": ("millimetre", "millimetres"),
    "m": ("metre", "metres"),
    "ft": ("foot", "feet"),
    "kg": ("kilogram", "kilograms"),
    "mg": ("milligram", "milligrams"),
    "g": ("gram", "grams"),
    "lb": ("pound", "pounds"),
    "lbs": ("pound", "pounds"),
    "oz": ("ounce", "ounces"),
    "ml": ("millilitre", "millilitres"),
    "mL": ("millilitre", "millilitres"),
    "l": ("litre", "litres"),
    "L": ("litre", "litres"),
    "h": ("hour", "hours"),
    "hr": ("hour", "hours"),
    "hrs": ("hour", "hours"),
    "min": ("minute", "minutes"),
    "sec": ("second", "seconds"),
    "s": ("second", "seconds"),
    "ms": ("millisecond", "milliseconds"),
    "kHz": ("kilohertz", "kilohertz"),
    "MHz": ("megahertz", "megahertz"),
    "GHz": ("gigahertz", "gigahertz"),
    "Hz": ("hertz", "hertz"),
    "kB": ("kilobyte", "kilobytes"),
    "MB": ("megabyte", "megabytes"),
    "GB": ("gigabyte", "gigabytes"),
    "TB": ("terabyte", "terabytes"),
    "kW": ("kilowatt", "kilowatts"),
    "W": ("watt", "watts"),
    "V": ("volt", "volts"),
    "°C": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "°": ("degree", "degrees"),
    "%": ("percent", "percent"),
}
_MONEY = {
    "$": ("dollar", "dollars"),
    "€": ("euro", "euros"),
    "£": ("pound", "pounds"),
    "¥": ("yen", "yen"),
}
_COUNT = rf"(?<![^\W{HAN}])(?<!\d\.)(\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d+(?:\.\d+)?)"
_UNIT = re.compile(
    rf"{_COUNT}\s?({'|'.join(map(re.escape, sorted(_UNITS, key=len, reverse=True)))})(?![\w/])"
)
_PRICE = re.compile(rf"([$€£¥])\s?{_COUNT}(\s(?:thousand|million|billion|trillion))?")
_REPLACED = (
    (re.compile(r"!?\[([^\]]*)\]\([^)]*\)"), r"\1"),  # links and images
    (
        re.compile(
            r"<?https?://(?:www\.)?([^\s/>)\]]+?)(?:/[^\s>)\]]*?)?>?(?=[.,;:!?)\]]*(?:\s|$))"
        ),
        r"\1",
    ),
    (re.compile(r"</?[a-zA-Z][^>]{0,100}>"), " "),  # tags of HTML
    (re.compile(r"(?<=\d)\s*[*×]\s*(?=\d)"), " times "),
    (re.compile(r"(?<=\d)\s*÷\s*(?=\d)"), " divided by "),
    (re.compile(r"(?<=\d)\s?–\s?(?=\d)"), " to "),
    (re.compile(r"(?<!\w)[*_~`]{1,3}(?=\S)|(?<=\S)[*_~`]{1,3}(?!\w)"), ""),  # emphasis
    (re.compile(r"[`|\\]"), " "),
    (re.compile(r"(?<=\w)_(?=\w)"), " "),
    (re.compile(r"\be\.g\.,?"), "for example"),
    (re.compile(r"\bi\.e\.,?"), "that is"),
    (re.compile(r"\betc\."), "et cetera."),
    (re.compile(r"\bvs\.?(?=\s)"), "versus"),
    (re.compile(r"#(?=\d)"), "number "),
)
_KEPT_SYMBOLS = "°+=<>|~^$€£¥%&@#*/\\"


class SpokenText:
    """Takes a reply's text in pieces and gives it as it can be said, some words later at most."""

    def __init__(self) -> None:
        self._pending = ""
        self._is_code = False  # inside a fence
        self._is_line_start = True
        self._is_chinese = False  # Chinese has been said: it has its own words for units
        self._last = ""  # the last letter given

    def feed(self, piece: str) -> str:
        """What `piece` adds to the text that can be said."""
        self._pending += piece
        cut = self._safe_end()
        text, self._pending = self._pending[:cut], self._pending[cut:]
        return self._said(text)

    def end(self) -> str:
        """The reply is over: what was held back."""
        text, self._pending = self._pending, ""
        return self._said(text).rstrip()

    def _safe_end(self) -> int:
        """How much of the pending text nothing that follows can change."""
        ends = [match.end() for match in _SAFE.finditer(self._pending)]
        spans = [match.span() for match in _LINK.finditer(self._pending)]
        if begun := _LINK_BEGUN.search(self._pending):
            spans.append((begun.start(), len(self._pending)))
        ends = [end for end in ends if not any(start < end < last + 1 for start, last in spans)]
        while ends and _NUMBER_LAST.search(self._pending[: ends[-1]]):
            ends.pop()  # its unit may follow
        return ends[-1] if ends else 0

    def _said(self, text: str) -> str:
        found = ""
        for index, part in enumerate(text.split(_FENCE)):
            if index:
                self._is_code = not self._is_code
                self._is_line_start = True
            if not self._is_code:
                found += "".join(self._line(line) for line in part.splitlines(keepends=True))
        return found

    def _line(self, line: str) -> str:
        """One line, or a piece of one, as it can be said."""
        is_whole = line.endswith(("\n", "\r"))
        body = line.rstrip("\r\n")
        if self._is_line_start:
            if _TABLE_RULE.match(body):
                return ""
            body = _LINE_HEAD.sub("", body, count=1) if _LINE_HEAD.match(body) else body
        said = _without_symbols(_in_words(body, self._is_chinese))
        self._is_chinese = self._is_chinese or bool(_CHINESE.search(body))
        said = re.sub(r"\s+", " ", said)
        if not self._last or self._last.isspace():
            said = said.lstrip()
        self._is_line_start = is_whole or (self._is_line_start and not body.strip())
        self._last = said[-1:] or self._last
        return said + self._pause() if is_whole else said

    def _pause(self) -> str:
        """What stands for the end of a line: a full stop where nothing else ends it."""
        if not self._last or self._last.isspace():
            return ""
        pause = " " if self._last in _ENDED else ". "
        self._last = " "
        return pause


def spoken_text(text: str) -> str:
    """A whole text as it can be said."""
    stream = SpokenText()
    return stream.feed(text) + stream.end()


def _in_words(text: str, is_chinese: bool) -> str:
    """Without markup, and with units and prices as words; `is_chinese`: the text before is."""
    for pattern, words in _REPLACED:
        text = pattern.sub(words, text)

    def is_english(match: re.Match[str]) -> bool:
        return not (is_chinese or _CHINESE.search(text[: match.start()]))

    def price(match: re.Match[str]) -> str:
        sign, count, size = match[1], match[2], match[3] or ""
        name = _MONEY[sign][count != "1" or bool(size)]
        return f"{count}{size} {name}" if is_english(match) else match[0]

    def unit(match: re.Match[str]) -> str:
        name = _UNITS[match[2]][match[1] != "1"]
        return f"{match[1]} {name}" if is_english(match) else match[0]

    text = _PRICE.sub(price, text)
    return _UNIT.sub(unit, text)


def _without_symbols(text: str) -> str:
    """Without emoji and other signs that have no sound."""
    return "".join(c for c in text if c in _KEPT_SYMBOLS or not _is_symbol(c))


def _is_symbol(letter: str) -> bool:
    return unicodedata.category(letter) in ("So", "Sk", "Cf", "Co", "Cn", "Mn") or (
        letter == "\ufffd"
    )
