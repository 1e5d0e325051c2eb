"""Every skill of the recipe, in one place each, and dialogues drawn from them.

A new skill is a function that makes its text, in a module of this package (or of `mandarin`), and
one entry here: its language, its shares and, where the common rule does not fit, its own judge.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from models.training.skills import (
    coffee,
    everyday,
    functions,
    geography,
    narration,
    negatives,
    numbers,
    offers,
    open_ended,
    saying,
    slower,
    talk,
)
from models.training.skills.dressing import dressed
from models.training.skills.exchange import Dialogue, Exchange
from models.training.skills.mandarin import coffee as zh_coffee
from models.training.skills.mandarin import everyday as zh_everyday
from models.training.skills.mandarin import geography as zh_geography
from models.training.skills.mandarin import narration as zh_narration
from models.training.skills.mandarin import negatives as zh_negatives
from models.training.skills.mandarin import numbers as zh_numbers
from models.training.skills.mandarin import open_ended as zh_open_ended
from models.training.skills.mandarin import talk as zh_talk
from models.training.skills.skill import DialogueMaker, DialogueSkill, Language, Skill

EN, ZH = Language.ENGLISH, Language.CHINESE
CHINESE = 0.3  # share of dialogues in Chinese


def _behind(make: Callable[[Random, Exchange, bool], Dialogue]) -> DialogueMaker:
    """A maker that always has an exchange before it."""

    def made(random: Random, before: Exchange | None, held_out: bool) -> Dialogue:
        assert before is not None
        return make(random, before, held_out)

    return made


_PLACES = {"capitals": 14, "continents": 7}
_TOLD = {"stories": 5, "explanations": 6}
_OPEN = {"open ended": 16}
SKILLS = (
    Skill("sums", numbers.arithmetic, 21, EN, {"sums": 18}),
    Skill("counting", numbers.counting, 6, EN, {"counting": 4}),
    Skill("digits", numbers.lone_number, 4, EN, {"digits": 6}, takes_filler=False),
    Skill("geography", geography.geography, 18, EN, _PLACES),
    Skill("coffee", coffee.order, 14, EN, {"coffee": 12}, is_short=False, takes_filler=False),
    Skill("animals", everyday.animals, 5, EN, {"animals": 5}),
    Skill("colours", everyday.colours, 3, EN, {"colours": 4}),
    Skill("opposites", everyday.opposites, 5, EN, {"opposites": 5}),
    Skill("spelling", everyday.spelling, 3, EN, {"spelling": 4}),
    Skill("calendar", everyday.calendar, 4, EN, {"calendar": 5}),
    Skill("units", everyday.units, 4, EN, {"units": 5}),
    Skill("identity", talk.identity, 4, EN, {"identity": 6}),
    Skill("small talk", talk.small_talk, 12, EN, {"small talk": 10}, takes_filler=False),
    Skill("stopping", talk.stop, 6, EN, {"stopping": 10}, is_short=False, takes_filler=False),
    Skill("outside", talk.outside, 5, EN, {"outside": 6}),
    Skill("open ended", open_ended.open_ended, 16, EN, _OPEN, is_aid=True, takes_filler=False),
    Skill("saying", saying.saying, 12, EN, {"saying": 4}, is_aid=True, takes_filler=False),
    Skill("narration", narration.narration, 7, EN, _TOLD, is_short=False),
    Skill("sums", zh_numbers.arithmetic, 16, ZH, {"sums": 18}),
    Skill("counting", zh_numbers.counting, 7, ZH, {"counting": 4}),
    Skill("digits", zh_numbers.lone_number, 3, ZH, {"digits": 6}, takes_filler=False),
    Skill("geography", zh_geography.geography, 14, ZH, _PLACES),
    Skill("coffee", zh_coffee.order, 18, ZH, {"coffee": 12}, takes_filler=False),
    Skill("animals", zh_everyday.animals, 4, ZH, {"animals": 5}),
    Skill("colours", zh_everyday.colours, 4, ZH, {"colours": 4}),
    Skill("opposites", zh_everyday.opposites, 6, ZH, {"opposites": 5}),
    Skill("calendar", zh_everyday.calendar, 7, ZH, {"calendar": 5}),
    Skill("identity", zh_talk.identity, 4, ZH, {"identity": 6}),
    Skill("small talk", zh_talk.small_talk, 5, ZH, {"small talk": 7}, takes_filler=False),
    Skill("stopping", zh_talk.stop, 6, ZH, {"stopping": 10}, is_short=False, takes_filler=False),
    Skill("outside", zh_talk.outside, 5, ZH, {"outside": 6}),
    Skill("open ended", zh_open_ended.open_ended, 10, ZH, _OPEN, is_aid=True, takes_filler=False),
    Skill("saying", saying.saying_chinese, 14, ZH, {"saying": 4}, is_aid=True, takes_filler=False),
    Skill("narration", zh_narration.narration, 7, ZH, _TOLD, is_short=False),
)
SINGLE = {EN: 76, ZH: 78}  # the share of single questions, beside the weights of these dialogues
DIALOGUES = (
    DialogueSkill("follow up", lambda r, _, h: geography.follow_up(r, h), 7, EN, {}),
    DialogueSkill("going on", lambda r, _, h: narration.resumed(r, h), 9, EN, {"going on": 14}),
    DialogueSkill("repeating", _behind(narration.repeated), 8, EN, {"repeating": 9}, before=1.0),
    DialogueSkill("recalling", _behind(narration.recalled), 10, EN, {"recalling": 9}, before=1.0),
    DialogueSkill("functions", lambda r, _, h: functions.functions(r, h), 10, EN, {"functions": 9}),
    DialogueSkill("slower", slower.slower, 4, EN, {"slower": 5}, before=0.85),
    DialogueSkill("offers", lambda r, _, h: offers.offer(r, h), 3, EN, {"offers": 3}),
    DialogueSkill("follow up", lambda r, _, h: zh_geography.follow_up(r, h), 7, ZH, {}),
    DialogueSkill("going on", lambda r, _, h: zh_narration.resumed(r, h), 10, ZH, {"going on": 14}),
    DialogueSkill("repeating", _behind(zh_narration.repeated), 9, ZH, {"repeating": 9}, before=1.0),
    DialogueSkill("recalling", _behind(zh_narration.recalled), 9, ZH, {"recalling": 9}, before=1.0),
    DialogueSkill("slower", zh_narration.slower, 6, ZH, {"slower": 5}, before=0.85),
    DialogueSkill("offers", lambda r, _, h: offers.offer(r, h, chinese=True), 3, ZH, {"offers": 3}),
)  # fmt: skip
AIDS = frozenset(kind for skill in SKILLS if skill.is_aid for kind in skill.spoken)
_FILLED = {skill.language: set[str]() for skill in SKILLS}
for _skill in SKILLS:
    if _skill.takes_filler:
        _FILLED[_skill.language] |= set(_skill.spoken)


def spoken_share(kind: str, language: Language) -> float:
    """The share of a kind of exchange among spoken conversations of its language."""
    for skill in (*SKILLS, *DIALOGUES):
        if skill.language is language and kind in skill.spoken:
            return skill.spoken[kind]
    return 1.0


def judge(exchange: Exchange, answer: str, call: tuple[str, str] | None = None) -> bool:
    """Whether an answer is right by the rule of the skill that the exchange belongs to."""
    for skill in (*SKILLS, *DIALOGUES):
        if exchange.skill in skill.spoken:
            return skill.is_right(exchange, answer, call)
    raise ValueError(f"no skill makes {exchange.skill!r}")


def not_meant(random: Random, chinese: float = CHINESE) -> str:
    """Words that are no query, that share of them in Chinese."""
    if random.random() < chinese:
        return zh_negatives.not_meant(random)
    return negatives.not_meant(random)


def exchange(
    random: Random,
    held_out: bool = False,
    names: tuple[str, ...] = (),
    language: Language = EN,
) -> Exchange:
    """One question of any skill of a language, or of the skills named; `held_out`: in wordings
    that are kept back for evaluation."""
    chosen = [
        skill
        for skill in SKILLS
        if skill.language is language
        and (skill.name in names if names else not (held_out and skill.is_aid))
    ]
    skill = random.choices(chosen, [each.weight for each in chosen])[0]
    made = skill.make(random, held_out)
    fits = made.skill in _FILLED[language]
    return dressed(random, made) if fits and not held_out else made


def drill(random: Random, chinese: float = CHINESE) -> Dialogue:
    """Several number questions in a row, for sums are learned by doing very many of them. Chinese
    ones are drawn more often than that share: their tokens are pieces of numbers, not digits."""
    language = ZH if random.random() < 2 * chinese else EN
    makers = {skill.name: skill.make for skill in SKILLS if skill.language is language}
    names = random.choices(("sums", "counting"), (5, 1), k=random.randrange(2, 7))
    return Dialogue(tuple(makers[name](random, False) for name in names))


def dialogue(
    random: Random, held_out: bool = False, most: int = 3, chinese: float = CHINESE
) -> Dialogue:
    """One to `most` exchanges; those of the last one are held out if asked for.

    `chinese` is the share of dialogues in Chinese.
    """
    language = ZH if random.random() < chinese else EN
    kinds = [kind for kind in DIALOGUES if kind.language is language]
    weights = [SINGLE[language], *(kind.weight for kind in kinds)]
    kind = random.choices([None, *kinds], weights)[0]
    if kind is None:
        return _questions(random, held_out, most, language)
    before = None
    if kind.before and random.random() < kind.before:
        short = tuple(each.name for each in SKILLS if each.language is language and each.is_short)
        before = exchange(random, names=short, language=language)
    return kind.make(random, before, held_out)


def _questions(random: Random, held_out: bool, most: int, language: Language) -> Dialogue:
    """Single questions; functions are declared beside some English ones and are no help there."""
    count = 1 if held_out else random.choice((1, 1, 1, 1, 1, 1, 2, most))
    declared = language is EN and random.random() < 0.15
    tools = functions.functions(random).tools if declared else ()
    asked = tuple(exchange(random, held_out, language=language) for _ in range(count))
    return Dialogue(asked, tools)
