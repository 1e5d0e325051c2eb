"""Chinese words that are not meant for the assistant: statements, side talk, backchannels."""

from __future__ import annotations

from random import Random

from models.training.skills.exchange import pick
from models.training.skills.mandarin import coffee, everyday, geography, narration, numbers

BACKCHANNELS = (
    "嗯", "对", "好的", "哦", "是吗", "真的", "当然", "没错", "好", "是的", "啊", "对对对",
    "知道了", "原来是这样", "嗯嗯", "不是",
)  # fmt: skip
_NAMES = ("妈妈", "爸爸", "小明", "小红", "老王", "老师", "小李", "姐姐", "张先生", "奶奶")
_WISHES = (
    "你去哪里了", "饭做好了吗", "把门关上", "你看见我的钥匙了吗", "过来一下", "你吃饭了吗",
    "今天怎么这么晚", "把盐给我", "谁打来的电话", "你要喝水吗", "我们走吧", "你在笑什么",
    "帮我拿一下那个", "你什么时候回来", "作业写完了吗",
)  # fmt: skip
_ASKS = (
    "你能不能",
    "帮我",
    "请你",
    "你有没有",
    "别忘了",
    "我们要不要",
    "你为什么不",
    "快去",
    "你先",
)
_DEEDS = (
    "把{t}拿来", "把{t}放好", "去找{w}", "给{w}打电话", "买{t}", "洗{t}", "问问{w}", "等{w}回来",
    "把{t}给{w}", "告诉{w}我们晚一点到", "看看{t}", "修一下{t}", "跟{w}一起去", "带上{t}",
)  # fmt: skip
_THINGS = (
    "钥匙",
    "箱子",
    "大衣",
    "窗户",
    "面包",
    "那封信",
    "车",
    "盘子",
    "手机",
    "椅子",
    "眼镜",
    "雨伞",
)
_PERSONS = ("孩子们", "你弟弟", "奶奶", "他", "她", "邻居", "司机", "老板", "他们", "你妈妈")
_SUBJECTS = ("他", "她", "我们", "那个人", "我的朋友", "孩子们", "老师", "爷爷", "他们", "我")
_DOINGS = (
    "去了市场", "看了很久", "没有说话", "买了一本书", "坐在火车上", "回家很晚", "想起了以前的事",
    "在河边走路", "打开了窗户", "做了一个梦", "不知道该怎么办", "在等车", "忘了带伞", "听见了声音",
)  # fmt: skip
_TIMES = ("昨天", "早上", "那一天", "去年", "下雨的时候", "后来", "两年前", "天黑以前", "")


def narrative(random: Random) -> str:
    """A made-up sentence, as in a book read aloud."""
    first = f"{pick(random, _TIMES)}{pick(random, _SUBJECTS)}{pick(random, _DOINGS)}"
    if random.random() < 0.4:
        first += f"，{pick(random, _SUBJECTS)}{pick(random, _DOINGS)}"
    return first


def request(random: Random) -> str:
    """What people in a room ask of each other."""
    deed = pick(random, _DEEDS).format(t=pick(random, _THINGS), w=pick(random, _PERSONS))
    return pick(random, _ASKS) + deed


def side_talk(random: Random) -> str:
    """Talk that names somebody else, even with a question that the assistant could answer."""
    if random.random() < 0.3:
        return request(random)
    said = request(random) if random.random() < 0.5 else pick(random, _WISHES)
    if random.random() < 0.35:
        maker = pick(random, (geography.geography, everyday.animals, numbers.arithmetic))
        said = maker(random).question
    name = pick(random, _NAMES)
    return f"{name}，{said}" if random.random() < 0.75 else f"{said}，{name}"


def _told(random: Random) -> str:
    texts = (*narration.STORIES.values(), *narration.EXPLANATIONS.values())
    return pick(random, pick(random, texts).rstrip("。").split("。"))


def _fact(random: Random) -> str:
    maker = pick(random, (geography.geography, everyday.animals, everyday.colours,
                          everyday.opposites, numbers.arithmetic, coffee.order))  # fmt: skip
    return maker(random).answer


def not_meant(random: Random) -> str:
    """Words, of any length, that are no query."""
    if random.random() < 0.16:
        return pick(random, BACKCHANNELS)
    return pick(random, (_fact, narrative, narrative, side_talk, side_talk, _told))(random)
