"""Exchanges that only the larger language model learns: functions with arguments of several types,
handing over to somebody else, greetings, and what no assistant can know."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random

from models.training.skills.exchange import Dialogue, Exchange, ToolCall, pick
from models.training.skills.numbers import spell
from models.training.skills.talk import CANNOT

_NAMES = ("anna", "peter", "maria", "john", "lisa", "david", "sarah", "tom", "emma", "kate")
_CITIES = ("london", "paris", "berlin", "madrid", "tokyo", "rome", "vienna", "oslo", "lisbon")
_THINGS = ("milk", "bread", "a red chair", "two lamps", "the blue book", "coffee", "apples", "tea")
_TITLES = ("yesterday", "blue moon", "the river song", "winter days", "dancing queen", "morning")
_ROOMS = ("kitchen", "bedroom", "bathroom", "hall", "garage", "office", "living room")
_COLOURS = ("red", "green", "blue", "white", "yellow")
_TIMES = (("seven o'clock", "07:00"), ("half past eight", "08:30"), ("noon", "12:00"),
          ("nine in the evening", "21:00"), ("six thirty", "06:30"))  # fmt: skip
_DAYS = ("today", "tomorrow", "on monday", "on friday", "next week")


@dataclass(frozen=True, slots=True)
class _Wish:
    """Ways to say it, with slots in braces; the function's names; its arguments and their types
    (a type in slots: an enum); what is said when it is done."""

    ways: tuple[str, ...]
    names: tuple[str, ...]
    arguments: tuple[tuple[str, str, str], ...]  # argument's name, type as shown, slot
    done: str
    answers: bool = False  # the result itself is to be put into words


_SWITCH = "on|off"
_WISHES: tuple[_Wish, ...] = (
    _Wish(("what is the weather in {city}", "how is the weather in {city} {day}",
           "will it rain in {city} {day}", "tell me the weather for {city}"),
          ("get_weather", "weather", "weather_report"),
          (("city", "string", "city"),), "In {City} it is {result}.", True),
    _Wish(("play {title}", "please play the song {title}", "i want to hear {title}",
           "put on {title}"),
          ("play_music", "play_song", "music"), (("title", "string", "title"),),
          "Playing {title}."),
    _Wish(("call {name}", "please call {name}", "phone {name} for me", "can you ring {name}"),
          ("call_person", "phone", "make_call"), (("name", "string", "name"),), "Calling {Name}."),
    _Wish(("send {name} a message that i am late", "tell {name} that i am late",
           "write to {name} that i am late"),
          ("send_message", "send_mail", "write_message"),
          (("to", "string", "name"), ("text", "string", "=I am late"),),
          "I have told {Name}."),
    _Wish(("set the volume to {n}", "volume {n} please", "make the volume {n} percent"),
          ("set_volume", "volume"), (("level", "integer", "n"),), "The volume is {n}."),
    _Wish(("turn {switch} the {room} light", "switch the light in the {room} {switch}",
           "{room} light {switch} please", "can you turn the {room} lamp {switch}"),
          ("set_light", "light", "switch_light"),
          (("room", "string", "room"), ("on", "boolean", "switch"),),
          "The light in the {room} is {switch}."),
    _Wish(("make the light in the {room} {colour}", "i want {colour} light in the {room}",
           "turn the {room} light {colour}"),
          ("set_colour", "light_color", "lamp_colour"),
          (("room", "string", "room"), ("colour", "|".join(_COLOURS), "colour"),),
          "The light in the {room} is {colour}."),
    _Wish(("set the heating to {n} degrees", "make it {n} degrees in here",
           "set the temperature to {n}"),
          ("set_temperature", "heating", "thermostat"), (("degrees", "number", "n"),),
          "The heating is set to {n} degrees."),
    _Wish(("wake me at {clock}", "set an alarm for {clock}", "alarm at {clock} please"),
          ("set_alarm", "alarm", "wake_up"), (("time", "string", "clock"),),
          "The alarm is set for {clock}."),
    _Wish(("book a table for {n} {day}", "i need a table for {n} people {day}",
           "reserve a table for {n} {day}"),
          ("book_table", "reserve", "reserve_table"),
          (("people", "integer", "n"), ("day", "string", "day"),),
          "A table for {n} is booked {day}."),
    _Wish(("put {thing} and {other} on my list", "add {thing} and {other} to the shopping list",
           "i need to buy {thing} and {other}"),
          ("add_items", "shopping_list", "add_to_list"),
          (("items", "list of string", "thing+other"),), "I have put them on the list."),
    _Wish(("order {thing}", "please order {thing} for me", "buy {thing}"),
          ("order", "place_order", "buy_item"), (("item", "string", "thing"),),
          "I have ordered {thing}."),
    _Wish(("where is my order {code}", "check order number {code}", "what about order {code}"),
          ("order_status", "track_order", "find_order"), (("number", "integer", "code"),),
          "Your order is {result}.", True),
    _Wish(("search for {thing}", "look up {thing}", "find {thing} on the web"),
          ("search", "web_search", "look_up"), (("query", "string", "thing"),),
          "I found {result}.", True),
    _Wish(("what is the price of {thing}", "how much is {thing}", "what do i pay for {thing}"),
          ("get_price", "price", "price_of"), (("item", "string", "thing"),),
          "It costs {result}.", True),
    _Wish(("open the {room} door", "unlock the door of the {room}", "{room} door open please"),
          ("open_door", "door", "unlock"), (("room", "string", "room"),),
          "The {room} door is open."),
    _Wish(("start the timer and repeat it {n} times", "repeat that timer {n} times"),
          ("repeat_timer", "timer"), (("times", "integer", "n"), ("loud", "boolean", "=true"),),
          "It will ring {n} times."),
)  # fmt: skip
_RESULTS = {
    "In {City} it is {result}.": ("sunny", "cloudy", "rainy and cold", "warm", "windy"),
    "Your order is {result}.": ("on its way", "delayed", "packed", "delivered"),
    "I found {result}.": ("three shops", "two pages", "one answer", "nothing"),
    "It costs {result}.": ("five dollars", "ten euros", "two dollars", "twenty euros"),
}
_OKAY = ("ok", "done", '{"status": "ok"}', '{"ok": true}', "true")

_DESKS: dict[str, tuple[str, ...]] = {
    "billing": ("i have a question about my bill", "my invoice is wrong", "i was charged twice",
                "i want to talk about a payment"),
    "support": ("my device does not work", "i need technical help", "the app is broken",
                "i need support please"),
    "sales": ("i want to buy a new plan", "i would like to speak with sales",
              "what do your products cost me"),
    "human": ("i want to speak with a person", "give me a real person please",
              "can i talk to somebody", "connect me to a human", "let me speak to an agent"),
    "manager": ("i want to speak to the manager", "get me your boss"),
    "returns": ("i want to return my order", "i want to send this back", "how do i get a refund"),
    "booking": ("i want to change my booking", "i would like to book a room"),
    "doctor": ("i need to talk to a doctor", "i feel ill and need help"),
}  # fmt: skip
_GREETINGS = (
    "hello", "hi", "hey", "good morning", "good afternoon", "good evening", "hello there",
    "hi nano", "hey there", "hello nano", "hello assistant", "hi can you hear me", "say hello",
    "say hello to me", "greet me", "hello can you help me", "hello how can you help me",
)  # fmt: skip
_UNKNOWABLE = (
    "what is the weather {day}", "what's the weather like", "is it raining outside",
    "will it be sunny {day}", "do i need an umbrella {day}", "how warm is it outside",
    "what is the temperature right now", "what is in the news", "tell me the news",
    "what happened in {city} today", "who won the game last night", "who won the match yesterday",
    "what is the score of the game", "what is the stock price of apple", "how is the traffic",
    "is the shop still open", "when does my train leave", "when does the next bus come",
    "where is my phone", "where did i put my keys", "what is {name} doing now",
    "what is my name", "how old am i", "where do i live",
    "what is my phone number", "do i have any messages", "read my mail", "what is on my calendar",
    "what am i wearing", "what is the date today", "what day is it today", "what month is it",
    "call {name}", "send a message to {name}", "play some music", "book a table for {day}",
    "order a pizza", "turn up the volume", "what is the price of gold today",
    "how much money do i have", "who is at the door", "will i win the lottery",
)  # fmt: skip


def _slots(random: Random) -> dict[str, str]:
    clock, digits = pick(random, _TIMES)
    thing, other = random.sample(_THINGS, 2)
    name, city = pick(random, _NAMES), pick(random, _CITIES)
    count, code = random.randrange(2, 60), random.randrange(100, 10_000)
    return {
        "name": name, "Name": name.capitalize(), "city": city, "City": city.capitalize(),
        "thing": thing, "other": other, "title": pick(random, _TITLES), "code": str(code),
        "room": pick(random, _ROOMS), "colour": pick(random, _COLOURS), "clock": clock,
        "digits": digits, "day": pick(random, _DAYS), "n": spell(count), "count": str(count),
        "switch": random.choice(("on", "off")),
    }  # fmt: skip


def _value(slots: dict[str, str], kind: str, slot: str) -> object:
    if slot.startswith("="):
        return True if kind == "boolean" else slot[1:]
    if "+" in slot:
        return [slots[name] for name in slot.split("+")]
    if kind == "boolean":
        return slots[slot] == "on"
    if kind in ("integer", "number"):
        return int(slots["count" if slot == "n" else slot])
    return slots["digits" if slot == "clock" else slot]


def _signature(wish: _Wish, name: str) -> str:
    return f"{name}({', '.join(f'{n}: {kind}' for n, kind, _ in wish.arguments)})"


def typed_function(random: Random) -> Dialogue:
    """A wish that one of the declared functions fulfils, or none."""
    wish = pick(random, _WISHES)
    slots, name = _slots(random), pick(random, wish.names)
    question = pick(random, wish.ways).format(**slots)
    tools = [
        _signature(other, pick(random, other.names))
        for other in random.sample(_WISHES, random.randrange(4))
        if other is not wish
    ] + [f"transfer_to_{desk}()" for desk in random.sample(tuple(_DESKS), random.randrange(2))]
    if random.random() < 0.12:
        return Dialogue((Exchange(question, CANNOT, "functions"),), tuple(tools))
    tools.append(_signature(wish, name))
    random.shuffle(tools)
    arguments = {at: _value(slots, kind, slot) for at, kind, slot in wish.arguments}
    found = pick(random, _RESULTS[wish.done] if wish.answers else _OKAY)
    result = json.dumps({"result": found}) if wish.answers and random.random() < 0.5 else found
    report = wish.done.format(**slots, result=found)
    call = ToolCall(name, json.dumps(arguments))
    exchange = Exchange(question, "", "functions", call=call, result=result, report=report)
    return Dialogue((exchange,), tuple(tools))


def transfer(random: Random) -> Dialogue:
    """The user is handed over by the one function `transfer_to_...` that fits."""
    desk = pick(random, tuple(_DESKS))
    others = [d for d in random.sample(tuple(_DESKS), random.randrange(1, 4)) if d != desk]
    with_reason = random.random() < 0.3
    signature = "(reason: string)" if with_reason else "()"
    tools = [f"transfer_to_{name}{signature}" for name in (desk, *others)]
    random.shuffle(tools)
    question = pick(random, _DESKS[desk])
    arguments = json.dumps({"reason": question}) if with_reason else "{}"
    report = f"I am connecting you to {'a person' if desk == 'human' else desk}."
    exchange = Exchange(
        question, "", "functions", call=ToolCall(f"transfer_to_{desk}", arguments),
        result=pick(random, _OKAY), report=report,
    )  # fmt: skip
    return Dialogue((exchange,), tuple(tools))


def greeting(random: Random) -> Dialogue:
    """A greeting is returned, with an offer to help."""
    return Dialogue((Exchange(pick(random, _GREETINGS), "Hello. How can I help you?", "greeting"),))


def unknowable(random: Random) -> Dialogue:
    """What no assistant can know or do without a function for it."""
    question = pick(random, _UNKNOWABLE).format(**_slots(random))
    return Dialogue((Exchange(question, CANNOT, "outside", "cannot answer"),))
