"""How nano reads Chinese: every character as one toned syllable of pinyin, numbers in Chinese."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

HAN = r"\u3007\u3400-\u4dbf\u4e00-\u9fff"  # characters, as a range of a regular expression
_CHARACTER = re.compile(f"[{HAN}]")
_RUN = re.compile(f"[{HAN}]+")
_WORD = re.compile(rf"[{HAN}][^\w\s]*|[^\s{HAN}]+")
_SYLLABLE = re.compile(r"[a-z]+[1-5]")
_NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?%?")
_LATIN = re.compile(r"[A-Z]+(?![a-z])|(?<![A-Za-z])[a-z](?![A-Za-z])")  # spelled out, not read
_PAUSES = str.maketrans("，、；：;:—–（）()。！？．…", ",,,,,,,,,,,,.!?..")
_DIGITS = "零一二三四五六七八九"
_UNITS = ((1000, "千"), (100, "百"), (10, "十"), (1, ""))
_SIGNS = {"+": "加", "=": "等于", "×": "乘以", "÷": "除以", "°": "度", "&": "和"}
_NAMES = (
    "ei1 bi4 sei4 di4 yi4 ai2fu5 ji4 ai2qu5 ai4 zhei4 kei4 ai2lou5 ai2mu5 en1 ou1 pi4 kiu4 a4 "
    "ai2si5 ti4 you4 wei4 da2bu5liu5 ai2ke5si5 wai4 zei4"
).split()  # of the letters A to Z


def written_in_chinese(text: str) -> bool:
    return bool(_CHARACTER.search(text))


def words(text: str) -> list[str]:
    """What counts as a word: one character with the marks behind it, or what stands between
    characters ("27", "VITA")."""
    return _WORD.findall(text)


def readings(text: str) -> list[tuple[str, str]]:
    """The words, each with how it is said: "ni2", "er4shi2qi1,". A foreign word stays as it is
    written. Tones change with their neighbours as in running speech."""
    shown = words(text)
    before_year = [following.startswith("年") for following in shown[1:]] + [False]
    said = [_in_characters(word, year) for word, year in zip(shown, before_year, strict=True)]
    syllables = iter(_syllables("".join(said)))
    return [(word, _pronounced(form, syllables)) for word, form in zip(shown, said, strict=True)]


def _pronounced(form: str, syllables: Iterator[str]) -> str:
    return _CHARACTER.sub(lambda _: next(syllables), form)


def _syllables(text: str) -> list[str]:
    """One for each character of the text; empty for one that no dictionary has."""
    from pypinyin import Style, lazy_pinyin  # here: its dictionaries take a second to read

    found: list[str] = []
    for run in _RUN.findall(text):
        found += lazy_pinyin(
            run,
            style=Style.TONE3,
            errors=_unread,
            neutral_tone_with_five=True,
            tone_sandhi=True,
        )
    return [syllable if _SYLLABLE.fullmatch(syllable) else "" for syllable in found]


def _unread(characters: str) -> Any:
    """Empty for each (pypinyin takes a list too, though its types know only a string)."""
    return [""] * len(characters)


def _in_characters(word: str, year: bool) -> str:
    """Numbers and signs in characters, abbreviations in syllables, marks as simple pauses."""
    word = re.sub(r"(?<=\d):(?=\d)", "点", word).translate(_PAUSES)
    word = _LATIN.sub(lambda match: _spelled(match.group()), word)
    word = re.sub(
        r"(?<![a-z])" + _NUMBER.pattern, lambda m: number_characters(m.group(), year), word
    )
    for sign, name in _SIGNS.items():
        word = word.replace(sign, name)
    return word


def _spelled(letters: str) -> str:
    return "".join(_NAMES[ord(letter) - ord("a")] for letter in letters.lower())


def number_characters(number: str, year: bool = False) -> str:
    """A number written in digits, in characters: "-3.5%" is "负百分之三点五". Years, codes and
    telephone numbers go digit by digit."""
    sign = ("负" if number.startswith("-") else "") + ("百分之" if number.endswith("%") else "")
    whole, _, fraction = number.strip("-%").replace(",", "").partition(".")
    if year or len(whole) > 12 or (len(whole) > 1 and whole.startswith("0")):
        spoken = _by_digit(whole)
    else:
        spoken = _whole(int(whole)).removeprefix("零") or "零"
        spoken = spoken[1:] if spoken.startswith("一十") else spoken
    return sign + spoken + (f"点{_by_digit(fraction)}" if fraction else "")


def _by_digit(digits: str) -> str:
    return "".join(_DIGITS[int(digit)] for digit in digits)


def _whole(value: int) -> str:
    """With a leading zero where the highest place of four is empty: it is said inside numbers."""
    for size, name in ((10**8, "亿"), (10**4, "万")):
        if value >= size:
            head, rest = divmod(value, size)
            return _whole(head).removeprefix("零") + name + (_whole(rest) if rest else "")
    text, gap = "", False
    for unit, name in _UNITS:
        digit = value // unit % 10
        if digit:
            text += ("零" if gap else "") + _DIGITS[digit] + name
        gap = not digit
    return text
