"""The page with the real server, real voice detection and scripted models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from websockets.sync.client import connect

pytest.importorskip("selenium", reason="selenium is not installed")

from models.base import Verdict
from models.vad import SileroDetector, SileroModel
from server.app import create_app
from server.config import ServerSettings
from server.service import Engine
from tests.engine_script import NOISE, QUERY, EngineScript, ScriptedAnswer, ScriptedSegment
from tests.scripted_engine import ScriptedInstance
from tests.web.conftest import served, start_browser
from tests.web.page import Page
from tests.web.stand_in import RATE

pytestmark = pytest.mark.browser
CLIPS = Path(__file__).resolve().parents[1] / "data" / "audio"
SAID = ((1.0, "question_en_capital"), (7.5, "backchannel_mhm"), (11.0, "question_en_colour"))
FIRST = "one two three four five six seven eight nine ten " * 6  # 18 seconds


def by_length(segment: ScriptedSegment) -> Verdict:
    """Long sounds are questions; a murmur is short."""
    return QUERY if segment.samples.size > 18_000 else NOISE


@pytest.fixture
def server() -> Iterator[str]:
    script = EngineScript(verdict=by_length, answers=[ScriptedAnswer(FIRST)])
    pair = (ScriptedInstance(script, name="a"), ScriptedInstance(script, name="b"))
    silero = SileroModel()
    settings = ServerSettings(port=0, sessions_per_pair=1)
    app = create_app(settings, Engine((pair,), lambda: SileroDetector(silero)))
    with served(app, settings) as address:
        yield address


@pytest.fixture(scope="module")
def talker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium whose microphone asks, murmurs into the answer, and asks again over it."""
    folder = tmp_path_factory.mktemp("talker")
    sound = np.zeros(30 * RATE, np.float32)
    for start, name in SAID:
        clip, rate = soundfile.read(CLIPS / f"{name}.flac", dtype="float32")
        clip = soxr.resample(clip, rate, RATE)
        sound[int(start * RATE) :][: len(clip)] += clip
    soundfile.write(folder / "said.wav", sound, RATE, subtype="PCM_16")
    browser = start_browser(folder / "profile", folder / "said.wav")
    yield browser
    browser.quit()


def test_asking_murmuring_and_asking_again(talker: Any, server: str) -> None:
    page = Page(talker, server)
    page.press("#talk")
    page.until(lambda: page.text("[data-part=turns]") == "2", 40)
    page.until(lambda: page.texts("del.unheard"))
    page.until(lambda: len(page.texts("[data-part=decisions] li")) >= 3)

    reasons = {row.split("\n")[1] for row in page.texts("[data-part=decisions] li")}
    assert "Answered" in reasons and "Noise, ignored" in reasons
    assert page.text(".instance[data-role=generator] b") == "A"  # after two swaps
    heard = page.texts(".turn.assistant .words")[0]
    assert heard.startswith("one two three")
    assert float(page.text("[data-part=median]")) > 50
    assert page.severe() == []


def test_a_full_server_says_so_until_a_place_is_free(talker: Any, server: str) -> None:
    page = Page(talker, server)
    with connect(server.replace("http", "ws") + "v1/realtime", proxy=None):
        page.press("#talk")
        page.until(lambda: page.text("#failure-title") == "Every place is taken")
    page.until(lambda: "ready" in page.run(READYZ))
    page.press("#again")
    page.until(lambda: page.text("[data-part=status]") == "Listening")


READYZ = "return fetch('readyz').then((answer) => answer.text())"
