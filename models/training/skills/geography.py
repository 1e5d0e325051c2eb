"""Countries, their capitals and continents, with follow-up questions."""

from __future__ import annotations

from random import Random

from models.training.skills.exchange import Dialogue, Exchange, Phrasings, sentence

_EUROPE = (
    "France Paris,Germany Berlin,Italy Rome,Spain Madrid,Portugal Lisbon,Austria Vienna,"
    "Switzerland Bern,Belgium Brussels,the Netherlands Amsterdam,Denmark Copenhagen,"
    "Sweden Stockholm,Norway Oslo,Finland Helsinki,Iceland Reykjavik,Ireland Dublin,"
    "Poland Warsaw,Hungary Budapest,Romania Bucharest,Bulgaria Sofia,Greece Athens,"
    "Croatia Zagreb,Serbia Belgrade,Ukraine Kyiv,Russia Moscow,Estonia Tallinn,Latvia Riga,"
    "Lithuania Vilnius,Slovakia Bratislava,Slovenia Ljubljana,England London,Albania Tirana"
)
_ASIA = (
    "China Beijing,Japan Tokyo,India New Delhi,Thailand Bangkok,Vietnam Hanoi,Nepal Kathmandu,"
    "Indonesia Jakarta,Malaysia Kuala Lumpur,Pakistan Islamabad,Mongolia Ulaanbaatar,"
    "Iran Tehran,Iraq Baghdad,Turkey Ankara,Jordan Amman,Lebanon Beirut,Syria Damascus,"
    "Saudi Arabia Riyadh,South Korea Seoul,the Philippines Manila,Bangladesh Dhaka,"
    "Afghanistan Kabul,Qatar Doha"
)
_AFRICA = (
    "Egypt Cairo,Morocco Rabat,Algeria Algiers,Tunisia Tunis,Libya Tripoli,Kenya Nairobi,"
    "Ghana Accra,Nigeria Abuja,Senegal Dakar,Ethiopia Addis Ababa,Uganda Kampala,"
    "Rwanda Kigali,Zambia Lusaka,Angola Luanda,Sudan Khartoum,Mali Bamako"
)
_NORTH = (
    "Canada Ottawa,Mexico Mexico City,Cuba Havana,Jamaica Kingston,Panama Panama City,"
    "the United States Washington,Guatemala Guatemala City,Haiti Port au Prince"
)
_SOUTH = (
    "Brazil Brasilia,Argentina Buenos Aires,Chile Santiago,Peru Lima,Colombia Bogota,"
    "Venezuela Caracas,Ecuador Quito,Uruguay Montevideo,Paraguay Asuncion,Bolivia La Paz"
)
_OCEANIA = "Australia Canberra,New Zealand Wellington,Fiji Suva"

_TWO_WORD_COUNTRIES = ("Saudi", "South", "New", "the")


def _split(entry: str) -> tuple[str, str]:
    words = entry.split(" ")
    if words[:2] == ["the", "United"]:
        cut = 3
    else:
        cut = 2 if words[0] in _TWO_WORD_COUNTRIES else 1
    return " ".join(words[:cut]), " ".join(words[cut:])


def _table() -> dict[str, tuple[str, str]]:
    continents = {
        "Europe": _EUROPE, "Asia": _ASIA, "Africa": _AFRICA,
        "North America": _NORTH, "South America": _SOUTH, "Oceania": _OCEANIA,
    }  # fmt: skip
    table: dict[str, tuple[str, str]] = {}
    for continent, entries in continents.items():
        for entry in entries.split(","):
            country, capital = _split(entry)
            table[country] = (capital, continent)
    return table


COUNTRIES = _table()  # country -> capital, continent

CAPITAL = Phrasings(
    ("what is the capital of {c}", "which city is the capital of {c}", "tell me the capital of {c}",
     "do you know the capital of {c}", "what's the capital of {c}", "the capital of {c} please",
     "can you tell me the capital of {c}", "name the capital of {c}", "{c} has which capital",
     "what city is the capital of {c}"),
    ("could you name the capital of {c}", "i want to know the capital of {c}"),
)  # fmt: skip
CONTINENT = Phrasings(
    ("which continent is {c} in", "on which continent is {c}", "what continent is {c} on",
     "where is {c}", "in which part of the world is {c}", "to which continent does {c} belong",
     "do you know where {c} is", "what continent does {c} belong to"),
    ("tell me which continent {c} is on", "{c} is on which continent"),
)  # fmt: skip
COUNTRY = Phrasings(
    ("which country has the capital {k}", "{k} is the capital of which country",
     "what country is {k} the capital of", "which country is {k} in", "in which country is {k}",
     "to which country does {k} belong", "what country does {k} belong to",
     "do you know which country {k} is in"),
    ("do you know which country {k} belongs to",),
)  # fmt: skip
FOLLOW = Phrasings(
    ("and of {c}", "and the capital of {c}", "what about {c}", "and {c}", "how about {c}",
     "and for {c}", "and how about {c}", "what about that of {c}"),
    ("and what about {c}", "and that of {c}"),
)  # fmt: skip


def _name(random: Random) -> str:
    return random.choice(tuple(COUNTRIES))


def capital(random: Random, held_out: bool = False, phrasing: Phrasings = CAPITAL) -> Exchange:
    country = _name(random)
    city = COUNTRIES[country][0]
    question = phrasing.pick(random, held_out).format(c=country)
    answer = f"The capital of {country} is {city}."
    return Exchange(question, answer, "capitals", f"is {city.lower()}")


def continent(random: Random, held_out: bool = False, phrasing: Phrasings = CONTINENT) -> Exchange:
    country = _name(random)
    place = COUNTRIES[country][1]
    question = phrasing.pick(random, held_out).format(c=country)
    answer = sentence(f"{country} is in {place}.")
    return Exchange(question, answer, "continents")


def country_of(random: Random, held_out: bool = False) -> Exchange:
    country = _name(random)
    city = COUNTRIES[country][0]
    question = COUNTRY.pick(random, held_out).format(k=city)
    answer = f"{city} is the capital of {country}."
    return Exchange(question, answer, "capitals", f"of {country.lower()}")


def geography(random: Random, held_out: bool = False) -> Exchange:
    """A capital, a continent or the country of a capital."""
    kind = random.random()
    if kind < 0.55:
        return capital(random, held_out)
    return (continent if kind < 0.8 else country_of)(random, held_out)


def follow_up(random: Random, held_out: bool = False) -> Dialogue:
    """A question, then one that only makes sense after it."""
    ask = capital if random.random() < 0.7 else continent
    return Dialogue((ask(random), ask(random, held_out, FOLLOW)))
