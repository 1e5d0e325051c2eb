"""Chinese: countries, their capitals and continents, with follow-up questions."""

from __future__ import annotations

from random import Random

from models.training.skills.exchange import Dialogue, Exchange, Phrasings, pick

_TABLE = {
    "欧洲": "法国 巴黎,德国 柏林,意大利 罗马,西班牙 马德里,英国 伦敦,俄罗斯 莫斯科,希腊 雅典,"
    "瑞典 斯德哥尔摩,挪威 奥斯陆,芬兰 赫尔辛基,波兰 华沙,葡萄牙 里斯本,荷兰 阿姆斯特丹,"
    "奥地利 维也纳,瑞士 伯尔尼,丹麦 哥本哈根,爱尔兰 都柏林,匈牙利 布达佩斯",
    "亚洲": "日本 东京,中国 北京,印度 新德里,泰国 曼谷,越南 河内,韩国 首尔,土耳其 安卡拉,"
    "伊朗 德黑兰,蒙古 乌兰巴托,马来西亚 吉隆坡",
    "非洲": "埃及 开罗,摩洛哥 拉巴特,肯尼亚 内罗毕",
    "北美洲": "加拿大 渥太华,美国 华盛顿,古巴 哈瓦那",
    "南美洲": "巴西 巴西利亚,阿根廷 布宜诺斯艾利斯,秘鲁 利马,智利 圣地亚哥",
    "大洋洲": "澳大利亚 堪培拉,新西兰 惠灵顿",
}
COUNTRIES: dict[str, tuple[str, str]] = {  # country -> capital, continent
    country: (capital, continent)
    for continent, entries in _TABLE.items()
    for country, capital in (entry.split() for entry in entries.split(","))
}

CAPITAL = Phrasings(
    ("{c}的首都是哪里", "{c}的首都是什么", "{c}的首都在哪里", "请告诉我{c}的首都",
     "你知道{c}的首都吗", "哪个城市是{c}的首都"),
    ("请问{c}的首都是哪里", "我想知道{c}的首都"),
)  # fmt: skip
CONTINENT = Phrasings(
    ("{c}在哪个洲", "{c}在哪里", "{c}属于哪个洲", "你知道{c}在哪个洲吗", "{c}是哪个洲的"),
    ("请问{c}在哪个洲", "{c}是哪个洲的国家"),
)  # fmt: skip
COUNTRY = Phrasings(
    ("{k}是哪个国家的首都", "{k}在哪个国家", "{k}是哪里的首都", "{k}属于哪个国家",
     "你知道{k}在哪个国家吗"), ("请问{k}是哪个国家的首都",)
)  # fmt: skip
FOLLOW = Phrasings(
    ("{c}呢", "那{c}呢", "那么{c}呢", "{c}怎么样", "{c}又是什么"), ("那{c}的呢", "{c}又怎么样呢")
)


def capital(random: Random, held_out: bool = False, phrasing: Phrasings = CAPITAL) -> Exchange:
    country = pick(random, tuple(COUNTRIES))
    city = COUNTRIES[country][0]
    question = phrasing.pick(random, held_out).format(c=country)
    return Exchange(question, f"{country}的首都是{city}。", "capitals", f"是{city}")


def continent(random: Random, held_out: bool = False, phrasing: Phrasings = CONTINENT) -> Exchange:
    country = pick(random, tuple(COUNTRIES))
    question = phrasing.pick(random, held_out).format(c=country)
    return Exchange(question, f"{country}在{COUNTRIES[country][1]}。", "continents")


def country_of(random: Random, held_out: bool = False) -> Exchange:
    country = pick(random, tuple(COUNTRIES))
    city = COUNTRIES[country][0]
    question = COUNTRY.pick(random, held_out).format(k=city)
    return Exchange(question, f"{city}是{country}的首都。", "capitals", f"是{country}的")


def geography(random: Random, held_out: bool = False) -> Exchange:
    """A capital, a continent or the country of a capital."""
    kind = random.random()
    if kind < 0.6:
        return capital(random, held_out)
    return (continent if kind < 0.82 else country_of)(random, held_out)


def follow_up(random: Random, held_out: bool = False) -> Dialogue:
    """A question, then one that only makes sense after it."""
    ask = capital if random.random() < 0.7 else continent
    return Dialogue((ask(random), ask(random, held_out, FOLLOW)))
