"""The page in headless Firefox: its fake microphone is a tone, its loudspeaker is nobody's."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import numpy as np
import pytest

from tests.web.firefox import Firefox, started
from tests.web.stand_in import Stage, answer

pytestmark = pytest.mark.browser

APPEND, PLAYBACK, CREATED = (
    "input_audio_buffer.append",
    "antiphon.playback",
    "conversation.item.create",
)
TAB, ENTER = "\ue004", "\ue007"


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    with started(tmp_path_factory.mktemp("firefox")) as browser:
        yield browser


STATUS, FOCUS = "[data-part=status]", "document.activeElement.id"
PAINTED = """
    (() => {
      const canvas = document.getElementById('timeline');
      const probe = document.body.appendChild(document.createElement('i'));
      probe.style.color = 'var(--%s)';
      const [r, g, b] = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
      const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
      let count = 0;
      for (let i = 0; i < data.length; i += 4)
        if (data[i] === r && data[i + 1] === g && data[i + 2] === b) count++;
      return count;
    })()
"""

LATENCY_READS = """
    window.latencyReads = 0;
    Object.defineProperty(AudioContext.prototype, 'outputLatency', {
      get() { window.latencyReads++; return 0; }
    });
    true;
"""


def painted(firefox: Firefox, color: str) -> int:
    """Pixels of the timeline in one of the style sheet's colours."""
    return int(firefox.run(PAINTED % color))


def heard(stage: Stage) -> int:
    """Milliseconds of the answer that the page says its user has heard."""
    return max((event["audio_ms"] for event in stage.of_type(PLAYBACK)), default=0)


def test_a_conversation_is_sent_played_and_drawn(
    firefox: Firefox, address: str, stage: Stage
) -> None:
    stage.replies = list(answer(1, 0.0, 2.0, "It is a tone that you hear."))
    firefox.open(address)
    firefox.run(LATENCY_READS)
    before = {color: painted(firefox, color) for color in ("user", "A")}
    firefox.press("#talk")
    firefox.until(lambda: firefox.text(STATUS) == "Listening")
    firefox.until(lambda: len(stage.of_type(APPEND)) > 25)
    parts = [base64.b64decode(event["audio"]) for event in stage.of_type(APPEND)]
    assert np.abs(np.frombuffer(b"".join(parts), "<i2")).max() > 300  # the tone came through

    firefox.press("#text")
    firefox.keys(f"What do I hear?{ENTER}")
    firefox.until(lambda: stage.of_type("response.create"))
    [created] = stage.of_type(CREATED)
    assert created["item"]["content"] == [{"type": "input_text", "text": "What do I hear?"}]
    firefox.until(lambda: "It is a tone that you hear." in firefox.text(".turn.assistant .words"))
    firefox.until(lambda: heard(stage) > 1900)
    for color, count in before.items():
        firefox.until(lambda color=color, count=count: painted(firefox, color) > count + 200)  # type: ignore[misc]
    firefox.press("#talk")
    firefox.until(lambda: firefox.text(STATUS) == "Not connected")
    assert firefox.run("window.latencyReads") == 0  # reading it may stop the browser for good
    assert firefox.complaints == []


def test_the_keyboard_is_enough(firefox: Firefox, address: str, stage: Stage) -> None:
    firefox.open(address)
    reached: list[str] = []
    while "text" not in reached and len(reached) < 60:
        firefox.keys(TAB)
        reached.append(firefox.run(FOCUS))
    assert {"timeline", "talk"} < set(reached) and reached[-1] == "text"
    firefox.keys(f"Hello{ENTER}")
    firefox.until(lambda: stage.of_type("response.create"))


def test_a_refused_microphone_leaves_typing(firefox: Firefox, address: str, stage: Stage) -> None:
    firefox.refuse_microphone(True)
    try:
        firefox.open(address)
        firefox.press("#talk")
        firefox.until(lambda: firefox.text("#failure-title") == "The microphone is blocked")
        firefox.press("#type-instead")
        firefox.until(lambda: firefox.text(STATUS) == "Ready for text")
    finally:
        firefox.refuse_microphone(False)


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_screen(firefox: Firefox, address: str, width: int) -> None:
    firefox.resize(width, 800)
    firefox.open(address)
    assert firefox.run("document.documentElement.scrollWidth") <= width
    assert firefox.run("document.getElementById('talk').getBoundingClientRect().bottom") <= 800
