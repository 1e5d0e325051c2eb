"""The page in headless Chromium, with a rehearsed conversation and a WAV as its microphone."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from tests.web.page import Page
from tests.web.stand_in import Stage, WireEvent, answer, rehearsed

pytestmark = pytest.mark.browser


def sound_sent(stage: Stage) -> np.ndarray[Any, Any]:
    """What the page has sent of the microphone, [n] at 24 kHz, -1..1."""
    parts = [base64.b64decode(event["audio"]) for event in stage.of_type(APPEND)]
    return np.frombuffer(b"".join(parts), "<i2") / 32768


APPEND = "input_audio_buffer.append"


def test_a_conversation_is_heard_shown_and_measured(
    chromium: Any, address: str, stage: Stage
) -> None:
    stage.scene = rehearsed()
    page = Page(chromium, address)
    page.press("#talk")
    page.until(lambda: len(page.texts(".turn.assistant")) == 2, 30)
    page.until(lambda: page.text("[data-part=turns]") == "2")

    assert page.texts(".turn.user .words") == [
        "How long does the moon take?",
        "And how far away is it?",
    ]
    assert page.text("del.unheard") == "days, always showing"
    assert page.text(".instance[data-role=generator] b") == "A"  # after two swaps
    shown = [row.split("\n")[1] for row in page.texts("[data-part=decisions] li")]
    assert shown == ["Interrupted the answer", "Noise, ignored", "Answered"]
    assert 100 < float(page.text("[data-part=median]")) < 1500

    [update] = stage.of_type("session.update")
    assert update["session"]["antiphon"]["events"] == [
        "decision",
        "verdict",
        "state",
        "swap",
        "times",
    ]
    heard = {event["response_id"]: event["audio_ms"] for event in stage.of_type(PLAYBACK)}
    assert 3000 < heard["resp_1"] < 6500
    loud = np.abs(sound_sent(stage)) > 0.1
    assert loud.mean() > 0.05  # the WAV came through
    assert page.severe() == []


PLAYBACK = "antiphon.playback"
COUNT_COLOR = """
    const canvas = document.getElementById('timeline');
    const probe = document.body.appendChild(document.createElement('i'));
    probe.style.color = `var(--${arguments_})`;
    const [r, g, b] = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
    const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    let count = 0;
    for (let i = 0; i < data.length; i += 4)
      if (data[i] === r && data[i + 1] === g && data[i + 2] === b) count++;
    return count;
"""


def painted(page: Page, color: str) -> int:
    """Pixels of the timeline in one of the style sheet's colours."""
    return int(page.run(COUNT_COLOR.replace("${arguments_}", color)))


def test_the_timeline_draws_both_voices_and_verdicts(
    chromium: Any, address: str, stage: Stage
) -> None:
    stage.scene = [entry for entry in rehearsed() if entry[0] < 4.5]
    page = Page(chromium, address)
    before = {color: painted(page, color) for color in ("user", "B", "query")}
    page.press("#talk")
    page.until(lambda: page.text("[data-part=turns]") == "1")
    for color, count in before.items():
        page.until(lambda color=color, count=count: painted(page, color) > count + 200)  # type: ignore[misc]


def test_an_interruption_silences_at_once(chromium: Any, address: str, stage: Stage) -> None:
    """All of a long answer was sent in one burst; the user takes the turn after a second of it."""
    burst = [(0.5, event) for _, event in answer(1, 0.5, 6.0, "A very long answer")]
    done = burst.pop()
    taken: WireEvent = {"type": "input_audio_buffer.speech_started", "item_id": "item_u"}
    stage.scene = [*burst, (1.5, taken), (4.0, done[1])]
    page = Page(chromium, address)
    page.press("#talk")
    page.until(lambda: len(sound_sent(stage)) > 4.0 * 24_000, 30)
    heard = [event["audio_ms"] for event in stage.of_type(PLAYBACK)]
    assert 500 < max(heard) < 1400


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ({"full": True}, "Every place is taken"),
        ({"key": "secret-key"}, "This server asks for a key"),
        ({"close_at": 0.3}, "The connection was lost"),
    ],
)
def test_what_goes_wrong_is_said(
    chromium: Any, address: str, stage: Stage, trouble: dict[str, Any], said: str
) -> None:
    for name, value in trouble.items():
        setattr(stage, name, value)
    page = Page(chromium, address)
    page.press("#talk")
    page.until(lambda: page.text("#failure-title") == said)
    page.until(lambda: page.text("[data-part=status]") == "Not connected")


def test_a_key_opens_the_door(chromium: Any, address: str, stage: Stage) -> None:
    stage.key = "secret-key"
    page = Page(chromium, address)
    page.press("#talk")
    page.until(lambda: page.part("#key").is_displayed())
    page.part("#key").send_keys("secret-key")
    page.press("#key-form button")
    page.until(lambda: page.text("[data-part=status]") == "Listening")


def test_a_refused_microphone_leaves_typing(chromium: Any, address: str, stage: Stage) -> None:
    page = Page(chromium, address, microphone="denied")
    page.press("#talk")
    page.until(lambda: page.text("#failure-title") == "The microphone is blocked")
    page.press("#type-instead")
    page.until(lambda: page.text("[data-part=status]") == "Ready for text")
    page.part("#text").send_keys("What time is it?\n")
    page.until(lambda: stage.of_type("response.create"))
    [created] = stage.of_type("conversation.item.create")
    assert created["item"]["content"] == [{"type": "input_text", "text": "What time is it?"}]


def test_the_keyboard_is_enough(chromium: Any, address: str) -> None:
    page = Page(chromium, address)
    reached: list[str] = []
    for _ in range(40):
        page.browser.switch_to.active_element.send_keys("\ue004")  # the tabulator
        reached.append(page.run("return document.activeElement.id"))
        if reached[-1] == "talk":
            break
    assert "timeline" in reached and reached[-1] == "talk"
    page.browser.switch_to.active_element.send_keys(" ")
    page.until(lambda: page.text("#talk-label") == "End")
    page.browser.switch_to.active_element.send_keys(" ")
    page.until(lambda: page.text("#talk-label") == "Start talking")


@pytest.mark.parametrize("width", [360, 390, 768, 1440])
def test_nothing_is_wider_than_the_screen(chromium: Any, address: str, width: int) -> None:
    page = Page(chromium, address)
    page.resize(width, 800)
    try:
        assert page.run("return document.documentElement.scrollWidth") <= width
        assert page.part("#talk").is_displayed()
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


RESAMPLE = """
    const [from, to, done] = arguments;
    import('/worklets/resampler.js').then(({ Resampler }) => {
      const wave = (rate) => (_, i) => Math.sin(2 * Math.PI * 440 * i / rate);
      const tone = Float32Array.from({ length: from }, wave(from));
      const whole = new Resampler(from, to).process(tone);
      const pieces = new Resampler(from, to);
      const joined = [];
      for (let at = 0; at < from; at += 128)
        joined.push(...pieces.process(tone.slice(at, at + 128)));
      const seam = Math.max(...whole.map((sample, i) => Math.abs(sample - joined[i])));
      const wrong = Math.max(...whole.slice(500, -500).map(
        (sample, i) => Math.abs(sample - wave(to)(null, i + 500))));
      done([seam, wrong, whole.length]);
    });
"""


@pytest.mark.parametrize(("device", "wire"), [(44_100, 24_000), (48_000, 24_000), (24_000, 44_100)])
def test_every_device_rate_is_resampled_without_seams(
    chromium: Any, address: str, device: int, wire: int
) -> None:
    page = Page(chromium, address)
    seam, wrong, count = page.browser.execute_async_script(RESAMPLE, device, wire)
    assert seam < 1e-6
    assert wrong < 1e-3
    assert abs(count - wire) < 50


def test_everything_one_can_press_has_a_name(chromium: Any, address: str) -> None:
    page = Page(chromium, address)
    found = page.browser.find_elements("css selector", "button, input, canvas, [role=meter]")
    controls = [one for one in found if one.is_displayed()]
    assert len(controls) > 8
    assert [one.get_attribute("outerHTML") for one in controls if not one.accessible_name] == []
