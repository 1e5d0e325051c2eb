"""Function calls for the time, a timer and a lamp: only when the session declares them."""

from __future__ import annotations

import json
from random import Random

from models.training.skills.exchange import Dialogue, Exchange, Phrasings, ToolCall, pick
from models.training.skills.numbers import spell

TIME_NAMES = ("get_time", "get_current_time", "current_time", "time", "clock", "what_time")
TIMER_NAMES = ("set_timer", "start_timer", "timer", "create_timer", "new_timer")
LAMP_NAMES = ("set_lamp", "switch_lamp", "lamp", "set_light", "control_light", "turn_lamp")
OTHER = ("get_weather(city)", "send_mail(to, text)", "play_music(title)", "search(query)",
         "open_door(name)", "call_person(name)")  # fmt: skip

TIME = Phrasings(
    ("what time is it", "tell me the time", "can you tell me the time", "what is the time",
     "do you know what time it is", "how late is it", "what's the time now"),
    ("could you tell me what time it is", "what is the time right now"),
)  # fmt: skip
TIMER = Phrasings(
    ("set a timer for {n} {u}", "start a timer for {n} {u}", "set a {n} {u} timer",
     "remind me in {n} {u}", "timer for {n} {u}", "please set a timer for {n} {u}",
     "can you start a timer for {n} {u}", "i want a timer for {n} {u}", "count {n} {u} for me"),
    ("can you set a timer for {n} {u}", "i need a timer for {n} {u}"),
)  # fmt: skip
LAMP_ON = Phrasings(
    ("turn on the lamp", "switch the lamp on", "turn the light on", "switch on the light",
     "lamp on", "please turn on the light"),
    ("can you turn on the lamp", "light on please"),
)  # fmt: skip
LAMP_OFF = Phrasings(
    ("turn off the lamp", "switch the lamp off", "turn the light off", "switch off the light",
     "lamp off", "please turn off the light"),
    ("can you turn off the lamp", "light off please"),
)  # fmt: skip
NO_TIME = "I am sorry, I have no clock here."
NO_TIMER = "I am sorry, I cannot set a timer here."
NO_LAMP = "I am sorry, I cannot reach a lamp here."


def clock_words(hour: int, minute: int) -> str:
    """A time of day as it is said: "fourteen oh five", "nine o'clock"."""
    if minute == 0:
        return f"{spell(hour)} o'clock"
    return f"{spell(hour)} {'oh ' if minute < 10 else ''}{spell(minute)}"


def _time(random: Random, held_out: bool, declared: bool) -> tuple[Exchange, str]:
    name = pick(random, TIME_NAMES)
    hour, minute = random.randrange(24), random.randrange(60)
    clock = f"{hour:02d}:{minute:02d}"
    result = pick(
        random, (clock, json.dumps({"time": clock}), f"{clock}:{random.randrange(60):02d}")
    )
    question = TIME.pick(random, held_out)
    if not declared:
        return Exchange(question, NO_TIME, "functions"), ""
    report = f"It is {clock_words(hour, minute)}."
    call = ToolCall(name, "{}")
    return Exchange(question, "", "functions", call=call, result=result, report=report), f"{name}()"


def _timer(random: Random, held_out: bool, declared: bool) -> tuple[Exchange, str]:
    name, count = (
        pick(random, TIMER_NAMES),
        random.choice((1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 45)),
    )
    unit = pick(random, ("minute", "minute", "second", "hour"))
    parameter = pick(random, ("minutes", "seconds", "duration", "amount, unit"))
    plural = unit if count == 1 else unit + "s"
    phrasing = TIMER.pick(random, held_out)
    shown = unit if "{u} timer" in phrasing else plural
    question = phrasing.format(n=spell(count), u=shown)
    if not declared:
        return Exchange(question, NO_TIMER, "functions"), ""
    seconds = count * {"second": 1, "minute": 60, "hour": 3600}[unit]
    choices: dict[str, dict[str, object]] = {
        "minutes": {"minutes": seconds // 60 if seconds % 60 == 0 else round(seconds / 60, 2)},
        "seconds": {"seconds": seconds},
        "duration": {"duration": f"{count} {plural}"},
        "amount, unit": {"amount": count, "unit": plural},
    }
    call = ToolCall(name, json.dumps(choices[parameter]))
    report = f"The timer is set for {spell(count)} {plural}."
    result = pick(random, ("ok", "done", '{"status": "ok"}', '{"ok": true}'))
    exchange = Exchange(question, "", "functions", call=call, result=result, report=report)
    return exchange, f"{name}({parameter})"


def _lamp(random: Random, held_out: bool, declared: bool) -> tuple[Exchange, str]:
    name, on = pick(random, LAMP_NAMES), random.random() < 0.5
    question = (LAMP_ON if on else LAMP_OFF).pick(random, held_out)
    if not declared:
        return Exchange(question, NO_LAMP, "functions"), ""
    parameter = pick(random, ("on", "state", "power"))
    value: object = on if parameter == "on" else ("on" if on else "off")
    call = ToolCall(name, json.dumps({parameter: value}))
    report = f"The lamp is {'on' if on else 'off'}."
    result = pick(random, ("ok", "done", '{"status": "ok"}', '{"ok": true}'))
    exchange = Exchange(question, "", "functions", call=call, result=result, report=report)
    return exchange, f"{name}({parameter})"


def functions(random: Random, held_out: bool = False) -> Dialogue:
    """A wish that one declared function can fulfil, or that none can."""
    declared = random.random() < 0.7
    kind = pick(random, (_time, _timer, _lamp))
    exchange, signature = kind(random, held_out, declared)
    tools = random.sample(OTHER, random.randrange(3))
    for other in (_time, _timer, _lamp):
        if other is not kind and random.random() < 0.4:
            tools.append(other(random, False, True)[1])
    if declared:
        tools.append(signature)
    random.shuffle(tools)
    return Dialogue((exchange,), tuple(tools))
