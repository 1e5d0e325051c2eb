"""Asking for stories and explanations, interrupting them, and going on."""

from __future__ import annotations

from random import Random

from models.training.skills.exchange import Dialogue, Exchange, Phrasings, article, pick
from models.training.skills.explanations import EXPLANATIONS
from models.training.skills.stories import STORIES

STORY = Phrasings(
    ("tell me a story about {t}", "can you tell me the story of {t}", "a story about {t} please",
     "i want to hear a story about {t}"),
    ("please tell the story about {t}", "would you tell me a story about {t}"),
)  # fmt: skip
ANY_STORY = Phrasings(
    ("tell me a story", "can you tell me a story", "please tell me a story", "i want a story"),
    ("could you tell a story",),
)
EXPLAIN = Phrasings(
    ("explain {t}", "can you explain {t}", "tell me {t}", "please explain to me {t}",
     "do you know {t}"),
    ("i would like to know {t}", "could you explain {t}"),
)  # fmt: skip
GO_ON = Phrasings(
    ("go on", "please go on", "continue", "go on please", "what happened next", "carry on",
     "tell me more", "and then", "please carry on", "continue please", "go ahead", "keep on"),
    ("please continue", "keep going"),
)  # fmt: skip
REPEAT = Phrasings(
    ("repeat that", "say that again", "can you repeat that", "what did you say", "pardon",
     "please say that again", "once more please", "one more time", "can you say it again",
     "would you repeat that", "what was that", "repeat it please"),
    ("could you say that again", "please repeat it"),
)  # fmt: skip
WHAT_BEFORE = Phrasings(
    ("what did i ask before", "what was my last question", "what did i just ask",
     "what did i ask you", "do you remember my question", "can you remember my last question",
     "do you know what my question was", "what was it that i asked", "do you know what i asked you",
     "can you tell me what i just asked", "tell me my last question", "what did i say before"),
    ("do you remember what i asked",),
)  # fmt: skip
DIRECT = {
    "why the sky is blue": "why is the sky blue",
    "how rain is made": "how is rain made",
    "how a plane flies": "how does a plane fly",
    "how bread is made": "how is bread made",
    "why we have seasons": "why do we have seasons",
    "how the heart works": "how does the heart work",
    "what a computer does": "what does a computer do",
    "how bees make honey": "how do bees make honey",
    "why we sleep": "why do we sleep",
    "how a rainbow appears": "how does a rainbow appear",
    "what money is for": "what is money for",
    "how the moon changes": "how does the moon change",
}


def _opening(text: str) -> str:
    return " ".join(text.lower().split()[:5])


def story(random: Random, held_out: bool = False) -> Exchange:
    if random.random() < 0.15:
        text = STORIES["fox"]
        return Exchange(ANY_STORY.pick(random, held_out), text, "stories", _opening(text))
    topic = pick(random, tuple(STORIES))
    name = random.choice((f"the {topic}", article(topic)))
    question = STORY.pick(random, held_out).format(t=name)
    return Exchange(question, STORIES[topic], "stories", _opening(STORIES[topic]))


def explanation(random: Random, held_out: bool = False) -> Exchange:
    topic = pick(random, tuple(EXPLANATIONS))
    question = EXPLAIN.pick(random, held_out).format(t=topic)
    if random.random() < 0.6 and not held_out:
        question = DIRECT[topic]
    text = EXPLANATIONS[topic]
    return Exchange(question, text, "explanations", _opening(text))


def narration(random: Random, held_out: bool = False) -> Exchange:
    return (story if random.random() < 0.5 else explanation)(random, held_out)


def resumed(random: Random, held_out: bool = False) -> Dialogue:
    """A narration that was cut after some sentences, and goes on when asked to."""
    told = narration(random)
    sentences = told.answer.split(". ")
    cut = random.randrange(1, len(sentences))
    words = ". ".join(sentences[:cut]) + "."
    if random.random() < 0.5:  # cut inside a sentence: that sentence is told again
        words += " " + " ".join(sentences[cut].split()[: random.randrange(1, 6)])
    rest = ". ".join(sentences[cut:])
    first = Exchange(told.question, words, told.skill, cut=True)
    again = Exchange(GO_ON.pick(random, held_out), rest, "going on", _opening(rest))
    return Dialogue((first, again))


def repeated(random: Random, before: Exchange, held_out: bool = False) -> Dialogue:
    """Say the last answer once more."""
    again = Exchange(REPEAT.pick(random, held_out), before.answer, "repeating", before.key)
    return Dialogue((before, again))


def recalled(random: Random, before: Exchange, held_out: bool = False) -> Dialogue:
    """Say what the last question was."""
    answer = f"You asked me, {before.question}."
    asked = Exchange(WHAT_BEFORE.pick(random, held_out), answer, "recalling", before.question)
    return Dialogue((before, asked))
