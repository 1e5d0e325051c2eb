"""Chinese: stories and explanations of 20 s and more, going on, repeating, recalling."""

from __future__ import annotations

from random import Random

from models.training.skills.exchange import Dialogue, Exchange, Phrasings, pick
from models.training.skills.slower import SLOWER_CHINESE, slowed

STORIES = {
    "狐狸": "从前有一只小狐狸，住在森林的边上。每天晚上，它都来看农夫的母鸡。"
    "老狗看着它，什么也不说。有一天，狗掉进了河里，小狐狸把它救了上来。从那天起，农夫每天给狐狸一碗牛奶。"
    "狐狸再也没有吃过鸡。冬天的晚上，它和老狗睡在一起，很暖和。",
    "月亮": "有一个小男孩，以为月亮跟着他走。他走，月亮也走。他停下，月亮也停下。"
    "他告诉姐姐，可是姐姐说，月亮跟着的是她。两个人想知道谁是对的。一个往左跑，一个往右跑。"
    "晚上回到家里，两个人都说自己赢了。妈妈说，月亮很老了，它会跟着每一个人。",
    "风筝": "小安用一件旧衣服做了一个红风筝。风筝太重，飞不起来。她把尾巴做短，风筝掉了下来。"
    "她把尾巴做长，风筝又掉了下来。爷爷告诉她，要等风来。他们坐在山上，等了一个小时。"
    "风来了，风筝自己飞上了天，比山还高。小安一路笑着回家。",
    "面包": "小城里有一个做面包的人，晚上睡不着。每天晚上，他多做一个面包，放在门外的椅子上。"
    "早上，面包不见了。很多年以后，一个年轻的女人在他旁边开了一家店。她说，她小时候很饿，"
    "每天都在椅子上找到面包。现在晚上她来做面包，他可以好好睡觉了。",
}
EXPLANATIONS = {
    "天空为什么是蓝色的": "太阳的光看起来是白色的，其实里面有很多颜色。"
    "光来到空气里，会遇到很小的东西。蓝色的光最容易被打散，飞到天空的每一个地方。所以我们抬头看，到处都是蓝色。"
    "到了晚上，太阳很低，光要走很长的路。蓝色的光在路上没有了，我们看到的就是红色。",
    "雨是怎么来的": "太阳把大海和地面晒热，水就变成了水汽。热的空气往上走，把水汽也带了上去。"
    "高的地方很冷，水汽变成了很小的水滴。很多水滴在一起，就是云。"
    "水滴遇到水滴，会越来越大。最后它们太重了，就掉下来，这就是雨。"
    "雨水又回到河里和海里。",
    "飞机为什么会飞": "飞机会飞，是因为有翅膀和速度。"
    "发动机把飞机往前推，空气从翅膀的上面和下面流过。翅膀有一点斜，把空气往下推。空气也往上推翅膀，飞机就起来了。飞机越快，往上的力越大。"
    "要下来的时候，飞机就飞得慢一点，把翅膀变大一点。",
    "人为什么要睡觉": "关于睡觉，没有人什么都知道，可是有一些事情很清楚。睡觉的时候，身体会休息，"
    "也会修好坏了的地方。大脑会把白天学到的东西放好。小孩子在睡觉的时候长高。"
    "睡得太少的人，会忘记事情，也容易生气。所以每天晚上都要好好睡觉。",
}
STORY = Phrasings(
    ("给我讲个{t}的故事", "讲一个{t}的故事", "我想听{t}的故事", "请讲{t}的故事"),
    ("你能讲{t}的故事吗",),
)
ANY_STORY = Phrasings(
    ("给我讲个故事", "讲一个故事", "请讲个故事", "我想听故事", "讲故事"), ("你能讲个故事吗",)
)
EXPLAIN = Phrasings(("{t}", "请告诉我{t}", "你知道{t}吗"), ("请问{t}", "我想知道{t}"))
GO_ON = Phrasings(
    ("继续", "请继续", "接着说", "后来呢", "继续说", "接着讲", "往下说", "请接着讲", "然后呢"),
    ("请接着说",),
)
REPEAT = Phrasings(
    ("请再说一遍", "再说一遍", "再说一次", "你说什么", "请重复一遍", "可以再说一次吗",
     "麻烦再说一遍", "我没听清"), ("能再说一遍吗",),
)  # fmt: skip
WHAT_BEFORE = Phrasings(
    ("我刚才问了什么", "我问了什么", "我刚才说了什么", "你还记得我的问题吗", "我的问题是什么",
     "你知道我刚才问了什么吗", "我上一个问题是什么"),
    ("你记得我问了什么吗",),
)  # fmt: skip


def _opening(text: str) -> str:
    return text.partition("。")[0][:8]


def story(random: Random, held_out: bool = False) -> Exchange:
    topic = pick(random, tuple(STORIES))
    question = STORY.pick(random, held_out).format(t=topic)
    if random.random() < 0.35:
        topic, question = "狐狸", ANY_STORY.pick(random, held_out)
    return Exchange(question, STORIES[topic], "stories", _opening(STORIES[topic]))


def explanation(random: Random, held_out: bool = False) -> Exchange:
    topic = pick(random, tuple(EXPLANATIONS))
    text = EXPLANATIONS[topic]
    question = EXPLAIN.pick(random, held_out).format(t=topic)
    return Exchange(question, text, "explanations", _opening(text))


def narration(random: Random, held_out: bool = False) -> Exchange:
    return (story if random.random() < 0.5 else explanation)(random, held_out)


def resumed(random: Random, held_out: bool = False) -> Dialogue:
    """A narration that was cut after some sentences, and goes on when asked to."""
    told = narration(random)
    sentences = told.answer.rstrip("。").split("。")
    cut = random.randrange(1, len(sentences))
    words = "。".join(sentences[:cut]) + "。"
    if random.random() < 0.5:  # cut inside a sentence: that sentence is told again
        words += sentences[cut][: random.randrange(1, 6)]
    rest = "。".join(sentences[cut:]) + "。"
    first = Exchange(told.question, words, told.skill, cut=True)
    again = Exchange(GO_ON.pick(random, held_out), rest, "going on", _opening(rest))
    return Dialogue((first, again))


def repeated(random: Random, before: Exchange, held_out: bool = False) -> Dialogue:
    """Say the last answer once more."""
    again = Exchange(REPEAT.pick(random, held_out), before.answer, "repeating", before.key)
    return Dialogue((before, again))


def slower(random: Random, before: Exchange | None, held_out: bool = False) -> Dialogue:
    """Say the last answer once more and slowly; without one, promise to."""
    return slowed(SLOWER_CHINESE.pick(random, held_out), before, "好的，我说慢一点。")


def recalled(random: Random, before: Exchange, held_out: bool = False) -> Dialogue:
    """Say what the last question was."""
    question = WHAT_BEFORE.pick(random, held_out)
    asked = Exchange(question, f"你问我，{before.question}。", "recalling", before.question)
    return Dialogue((before, asked))
