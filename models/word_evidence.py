"""What a transcript says about a segment's state: finished question, unfinished, not for us. Pure.

    evidence = evidence_of("How many planets are there?")   # query likelier, noise less likely
    verdict = weighed(verdict, evidence)

A speech model that has learned a list of questions takes others for talk. The form of a sentence
tells more: how a question or a request begins, and on which words no sentence ends. These are
plain rules for English, and a few for Chinese; a transcript that they say nothing about leaves the
verdict as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from models.base import Verdict

# How much likelier the words are in one state than in another, at most.
ASKS = 40.0
OPENS = 15.0  # an order of words that questions and requests share with talk
HANGS = 25.0
LEANS = 3.0  # ends on a word that seldom ends a sentence
NOBODY = 8.0  # words to somebody else
EMPTY = 20.0
# What is left of a query that may be whole after all: too little to be answered at once.
PERHAPS_WHOLE = 0.46
# A speech model is surer than it should be: its scores count with this exponent.
TEMPER = 0.5

_FILLERS = frozenset(
    "um uh er ah oh so well okay ok hi hey hello yes no right please and but now actually "
    "maybe thanks just then alright sorry excuse me".split()
)
_QUESTION_WORDS = frozenset("what who whom whose which when where why how what's who's".split())
_AUXILIARIES = frozenset(
    "is are am was were do does did can could will would shall should may might has have had "
    "isn't aren't don't doesn't didn't can't couldn't won't wouldn't shouldn't".split()
)
_SUBJECTS = frozenset(
    "i you he she it we they there this that these those the a an my your his her our their "
    "any some anyone anybody someone people".split()
)
_REQUESTS = frozenset(
    "tell explain describe show give list name play set start stop turn open close find search "
    "recommend suggest remind translate spell count read write make calculate compare define say "
    "summarize help repeat sing book order call send add remove create convert get bring".split()
)
_WISHES = re.compile(
    r"^(i'd like|i would like|i want|i need|i wonder|i was wondering|let's|let me know|can i|"
    r"may i|could i|i'm looking for|i have a question)\b"
)
_GREETINGS = re.compile(r"^(hello|hi|hey|good (morning|afternoon|evening))( there| again)?$")
_HANGING = frozenset(
    "the a an my your his our their and or but because if than whether i'm you're it's "
    "very really some every he she we they i is are was were am does did do "
    "plus minus times".split()
)
_NEVER_LAST = frozenset("the a an my your our their and or because than plus minus very".split())
_LEANING = frozenset(
    "of to from in on at with for about by into between that this when where how what which "
    "many much more could would should can will if".split()
)
_STRANDED = frozenset(  # "Where are you from?"
    {("where", "from"), ("what", "for"), ("what", "about"), ("who", "with"), ("who", "for")}
)
_PHRASE_ENDS = frozenset(  # "What is it made of?", "Who are you talking to?"
    tuple(pair.split())
    for pair in (
        "made of,afraid of,think of,kind of,sort of,proud of,talking about,talking to,talk to,"
        "listen to,listening to,belong to,look at,good at,looking for,waiting for,used for,"
        "stand for,ask for,live in,interested in,log in,come in,go on,turn on,going on,come from,"
        "like this,like that,do that,do this,is that,is this,about that,about this,not when,"
        "so much,very much,once more,any more,some more"
    ).split(",")
)
_TO_SOMEBODY = re.compile(
    r"^(mom|mum|mommy|mummy|dad|daddy|honey|darling|sweetheart|babe|dear|grandma|grandpa|guys|"
    r"kids|good (boy|girl))\b|^(come here|hold on|hang on|wait a|put your|don't touch|stop it|"
    r"sit down|get off|look at)\b|\b(on the phone|call you back|see you later)\b|"
    r"^(he|she|they) (said|told|asked|says|went)\b|\bi (already )?told (him|her|them)\b"
)
_WAIT = re.compile(r"^(hold on|hang on|wait a|stop it)\b")  # to somebody, or to the assistant
_NAME_FIRST = re.compile(
    r"^([A-Z][a-z]+),? (pass|give|get|come|stop|look|wait|don't|can you|did you)"
)
# Words of a sentence about others, and those with which somebody is spoken to.
_ABOUT_OTHERS = frozenset(
    "he she they we his her their its him them our us was were had came went said told asked "
    "took gave found began knew saw thought made left became stood felt looked seemed lay sat "
    "ran".split()
)
_ADDRESSING = frozenset(
    "i i'm i'd i've i'll me my you you're your please can could want need like help let's".split()
)
_FEWEST_TOLD = 5  # words
_CHINESE = re.compile(r"[\u3400-\u9fff]")
_CHINESE_ASKS = re.compile(
    "[吗呢？]|什么|怎么|怎样|为什么|多少|几[个点天岁]|谁|哪|是不是|能不能|可不可以|请|帮我|告诉我|给我|我想|我要"
)
_CHINESE_HANGS = re.compile("(的|和|把|在|是|因为|如果|我想|然后|但是|那个)$")


@dataclass(frozen=True, slots=True)
class WordEvidence:
    """How much likelier the words are in each state, beside 1.0 where they say nothing."""

    query: float = 1.0
    noise: float = 1.0
    unfinished: float = 1.0


def evidence_of(words: str) -> WordEvidence:
    """What a whole transcript says about its segment."""
    if not words.strip():
        return WordEvidence(noise=EMPTY)
    if _CHINESE.search(words):
        return _chinese(words.strip())
    plain = _plain(words)
    if _GREETINGS.match(plain):
        return WordEvidence(query=OPENS)
    if _TO_SOMEBODY.search(plain) or _calls_by_name(words.strip()):
        return WordEvidence(noise=NOBODY)
    told = plain.split()
    while told and told[0] in _FILLERS:
        told = told[1:]
    asks = _asks(told, words.rstrip().endswith("?"))
    if asks == 1 and _narrates(told):
        return WordEvidence(noise=NOBODY)
    hangs = _hangs(told)
    if hangs > 1 and asks > 1:
        return WordEvidence(query=asks / hangs, unfinished=asks)
    return WordEvidence(query=asks, unfinished=hangs)


def weighed(verdict: Verdict, evidence: WordEvidence, *, is_whole: bool = True) -> Verdict:
    """The verdict with the evidence of its words; its scores sum to one.

    Not `is_whole`: more is being said, so the words tell only whether it is meant for the
    assistant, and not whether it is finished.
    """
    if evidence == WordEvidence():
        return verdict
    for_us = evidence.query, evidence.unfinished
    if not is_whole:
        for_us = max(for_us), max(for_us)
    scores = {
        "query": verdict.query**TEMPER * for_us[0],
        "noise": verdict.noise**TEMPER * evidence.noise,
        "text": verdict.text**TEMPER,
        "unfinished": verdict.unfinished**TEMPER * for_us[1],
    }
    total = sum(scores.values())
    return replace(verdict, **{name: score / total for name, score in scores.items()})


def corrected(verdict: Verdict) -> Verdict:
    """The verdict of a speech model that was told the words, where their form says what it
    overlooks.

    Words to or about others are less likely meant for the assistant. And where no sentence ends on
    the last word, what was taken for a query is unfinished: a recogniser ends every transcript as
    a sentence, and puts a question mark behind "what is the capital of". What may be whole after
    all keeps so much of the query that it is answered once nothing follows.
    """
    words = verdict.words
    told = _plain(words).split()
    if _CHINESE.search(words) or not told:
        return verdict
    evidence = evidence_of(words)
    if evidence.noise > 1 and not _WAIT.match(" ".join(told)):
        return weighed(verdict, WordEvidence(noise=evidence.noise))
    is_of = told[-1] == "of" and tuple(told[-2:]) not in _PHRASE_ENDS
    if len(told) < 2 or not (is_of or told[-1] in _NEVER_LAST):
        return verdict
    kept = min(verdict.query, PERHAPS_WHOLE if is_of else 0.0)
    return replace(verdict, query=kept, unfinished=verdict.unfinished + verdict.query - kept)


def _plain(words: str) -> str:
    """Lower-case words with single spaces and without marks."""
    text = words.lower().replace("’", "'")
    return " ".join(re.sub(r"[^\w\s']", " ", text).split())


def _asks(told: list[str], has_mark: bool) -> float:
    """How much the words look like a question or a request; 1.0: not at all."""
    if len(told) < 2:
        return 1.0
    first, second = told[0], told[1]
    if first in _QUESTION_WORDS:
        is_inverted = has_mark or second in _AUXILIARIES or first.endswith("'s")
        return ASKS if is_inverted and len(told) > 2 else OPENS
    if first in _AUXILIARIES and second in _SUBJECTS:
        return ASKS if has_mark or second in ("you", "i") else OPENS
    if _WISHES.match(" ".join(told)):
        return OPENS
    if first in _REQUESTS:
        return ASKS if second in ("me", "us") else OPENS
    if has_mark and any(word in _QUESTION_WORDS | _AUXILIARIES for word in told[-6:]):
        return LEANS
    return 1.0


def _calls_by_name(words: str) -> bool:
    """ "Anna, did you lock the car?", and not "What did you say?"."""
    called = _NAME_FIRST.match(words)
    known = _FILLERS | _QUESTION_WORDS | _AUXILIARIES | _REQUESTS
    return called is not None and called[1].lower() not in known


def _narrates(told: list[str]) -> bool:
    """Is it a sentence about others, with nothing in it to somebody?"""
    is_long, spoken = len(told) >= _FEWEST_TOLD, frozenset(told)
    return is_long and bool(spoken & _ABOUT_OTHERS) and not spoken & _ADDRESSING


def _hangs(told: list[str]) -> float:
    """How little the words can be the end of what is being said; 1.0: nothing speaks against."""
    if not told:
        return 1.0
    last, first = told[-1], told[0]
    if last in _HANGING and len(told) > 1:
        return HANGS
    if (first, last) in _STRANDED and len(told) > 3:
        return 1.0
    if tuple(told[-2:]) in _PHRASE_ENDS:
        return 1.0
    if last in _LEANING:
        return HANGS / LEANS
    return 1.0


def _chinese(words: str) -> WordEvidence:
    if _CHINESE_HANGS.search(words.rstrip("，。、")):
        return WordEvidence(unfinished=HANGS / LEANS)
    return WordEvidence(query=OPENS) if _CHINESE_ASKS.search(words) else WordEvidence()
