"""How Chinese is read: syllables, tones, numbers, and which letters a character owns."""

import pytest

from models.vita.letters import LETTERS, spell
from models.vita.mandarin import number_characters


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("你好，有什么可以帮您？", "ni2hao3, you3shen2me5ke2yi3bang1nin2?"),
        ("27加15等于42。", "er4shi2qi1jia1shi2wu3deng3yu2si4shi2er4."),
        ("2026年", "er4ling2er4liu4nian2"),
        ("我是VITA！", "wo3shi4wei4ai4ti4ei1!"),
        ("女儿在银行，绿色。", "nv3er2zai4yin2hang2, lv4se4."),
        ("Antiphon 是我。", "antiphon shi4wo3."),
        ("9:30 — 好", "jiu3dian3san1shi2, hao3"),
        ("。…", ""),
    ],
)
def test_reads_characters_numbers_and_letters(text: str, letters: str) -> None:
    spelling = spell(text)
    assert spelling.letters == letters
    assert len(spelling.owner) == len(letters)
    assert all(0 <= index < len(LETTERS) for index in spelling.ids)


def test_a_character_is_a_word() -> None:
    spelling = spell("他说：“你好吗？”27 个", inside=True)
    assert spelling.words == ("他", "说：“", "你", "好", "吗？”", "27", "个")
    said: dict[int, str] = {}
    for letter, owner in zip(spelling.letters, spelling.owner, strict=True):
        said[owner] = said.get(owner, "") + letter
    assert said[0] == " ta1" and said[1] == "shuo1," and said[5] == " er4shi2qi1"
    assert list(said) == list(range(7))


@pytest.mark.parametrize(
    ("number", "characters"),
    [
        ("0", "零"),
        ("10", "十"),
        ("110", "一百一十"),
        ("1005", "一千零五"),
        ("10010", "一万零一十"),
        ("200,300", "二十万零三百"),
        ("100000000", "一亿"),
        ("-3.5%", "负百分之三点五"),
        ("007", "零零七"),
    ],
)
def test_numbers(number: str, characters: str) -> None:
    assert number_characters(number) == characters
