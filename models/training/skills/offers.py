"""Offers: the assistant has asked, and one word is the answer. Elsewhere that word is no query."""

from __future__ import annotations

from random import Random

from models.training.skills.exchange import Dialogue, Exchange, Phrasings, pick
from models.training.skills.mandarin import narration as chinese_narration
from models.training.skills.stories import STORIES

YES = Phrasings(
    ("yes", "yes please", "yeah", "okay", "sure", "oh yes", "please do", "of course", "yes yes",
     "yes sure", "yes i would", "yes tell me one", "oh of course", "fine"),
    ("yes of course", "all right"),
)  # fmt: skip
NO = Phrasings(
    ("no", "no thank you", "no thanks", "not now", "oh no", "no i don't", "please don't"),
    ("no please don't",),
)
YES_CHINESE = Phrasings(
    ("好", "好的", "要", "好啊", "可以", "是的", "当然", "当然可以", "太好了"), ("当然好",)
)
NO_CHINESE = Phrasings(("不要", "不用", "不用谢谢", "现在不要"), ("不想听",))
_SAD = ("i am sad", "i feel bad today", "i am not happy today")
_SAD_CHINESE = ("我很难过", "我不高兴")


def offer(random: Random, held_out: bool = False, chinese: bool = False) -> Dialogue:
    """A sad person is offered a story, and takes it or not."""
    story = chinese_narration.STORIES["狐狸"] if chinese else STORIES["fox"]
    sad, asked, yes, no, well = (
        (_SAD_CHINESE, "对不起。要我讲个故事吗？", YES_CHINESE, NO_CHINESE, "好的。")
        if chinese
        else (_SAD, "I am sorry to hear that. Shall I tell you a story?", YES, NO, "All right.")
    )
    first = Exchange(pick(random, sad), asked, "small talk")
    if random.random() < 0.6:
        key = story[:8] if chinese else " ".join(story.lower().split()[:5])
        return Dialogue((first, Exchange(yes.pick(random, held_out), story, "offers", key)))
    return Dialogue((first, Exchange(no.pick(random, held_out), well, "offers")))
