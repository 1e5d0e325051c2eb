"""The camera switch of the page in Chromium, whose camera shows a drawn picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import soxr

pytest.importorskip("selenium", reason="selenium is not installed")

from models.base import UserImage
from models.vad import SileroDetector, SileroModel
from server.app import create_app
from server.config import ServerSettings
from server.realtime.images import KEPT_IMAGES
from server.service import Engine
from tests.engine_script import QUERY, EngineScript, ScriptedAnswer, ScriptedMemory
from tests.scripted_engine import ScriptedInstance
from tests.web.conftest import served, start_browser
from tests.web.page import Page
from tests.web.stand_in import RATE

pytestmark = pytest.mark.browser
CLIPS = Path(__file__).resolve().parents[1] / "data" / "audio"
COLOURS = {"red": (215, 30, 35), "green": (35, 150, 60), "blue": (35, 75, 210)}
SPOKEN_AT = 12.0  # seconds after the microphone is open; the camera is on by then


def write_film(path: Path, pixels: npt.NDArray[np.uint8]) -> None:
    """One picture as a film of a single frame, in YUV 4:2:0 without compression."""
    red, green, blue = np.moveaxis(pixels.astype(np.float64), 2, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    planes = [
        16 + luma * 219 / 255,
        (128 + (blue - luma) / 1.772 * 224 / 255)[::2, ::2],
        (128 + (red - luma) / 1.402 * 224 / 255)[::2, ::2],
    ]
    height, width = luma.shape
    head = f"YUV4MPEG2 W{width} H{height} F5:1 Ip A1:1 C420jpeg\nFRAME\n".encode()
    body = b"".join(plane.round().clip(0, 255).astype(np.uint8).tobytes() for plane in planes)
    path.write_bytes(head + body)


def square(colour: str) -> npt.NDArray[np.uint8]:
    pixels = np.full((240, 320, 3), 235, np.uint8)
    pixels[50:190, 90:230] = COLOURS[colour]
    return pixels


def what_is_seen(memory: ScriptedMemory) -> ScriptedAnswer:
    """Names the colour of the middle of the newest picture, and says how many there are."""
    pictures = [item.pixels for item in memory.items if isinstance(item, UserImage)]
    if not pictures:
        return ScriptedAnswer("I see nothing")
    height, width = pictures[-1].shape[:2]
    middle = pictures[-1][height // 2, width // 2].astype(int)
    distance = {name: np.abs(middle - paint).sum() for name, paint in COLOURS.items()}
    return ScriptedAnswer(f"I see {min(distance, key=distance.__getitem__)} {len(pictures)}")


@pytest.fixture
def pair() -> tuple[ScriptedInstance, ScriptedInstance]:
    script = EngineScript(verdict=lambda _: QUERY, answers=what_is_seen)
    return ScriptedInstance(script, name="a"), ScriptedInstance(script, name="b")


@pytest.fixture
def server(pair: tuple[ScriptedInstance, ScriptedInstance]) -> Iterator[str]:
    silero = SileroModel()
    settings = ServerSettings(port=0, sessions_per_pair=1)
    app = create_app(settings, Engine((pair,), lambda: SileroDetector(silero)))
    with served(app, settings) as address:
        yield address


@pytest.fixture(scope="module")
def onlooker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium that looks at a blue square and asks something after a while."""
    folder = tmp_path_factory.mktemp("onlooker")
    write_film(folder / "film.y4m", square("blue"))
    sound = np.zeros(25 * RATE, np.float32)
    clip, rate = soundfile.read(CLIPS / "question_en_colour.flac", dtype="float32")
    clip = soxr.resample(clip, rate, RATE)
    sound[int(SPOKEN_AT * RATE) :][: len(clip)] += clip
    soundfile.write(folder / "said.wav", sound, RATE, subtype="PCM_16")
    browser = start_browser(folder / "profile", folder / "said.wav", folder / "film.y4m")
    yield browser
    browser.quit()


def frames_known(pair: tuple[ScriptedInstance, ScriptedInstance]) -> list[UserImage]:
    items = [item for one in pair for stream in one.streams for item in stream.memory.items]
    return [item for item in items if isinstance(item, UserImage)]


def test_what_the_camera_shows_is_asked_about_by_hand_and_by_voice(
    onlooker: Any, server: str, pair: tuple[ScriptedInstance, ScriptedInstance]
) -> None:
    page = Page(onlooker, server)
    page.allow("camera", "granted")
    page.run(COUNT_FRAMES)
    page.press("#talk")
    page.until(lambda: page.part("#camera").is_enabled())
    page.press("#camera")
    page.until(lambda: page.part("#camera").get_attribute("aria-pressed") == "true")
    page.until(lambda: page.run(SHOWN))
    page.until(lambda: len(page.run("return window.framesSent")) >= 4)
    page.part("#text").send_keys("What do you see?\n")
    page.until(lambda: page.texts(".turn.assistant .words"), 30)
    page.until(lambda: len(page.texts(".turn.assistant .words")) >= 2, 40)  # the voice
    moments = page.run("return window.framesSent")
    page.press("#camera")
    page.until(lambda: not page.part("#preview").is_displayed())
    between = np.diff(moments) / 1000
    assert 0.5 <= np.median(between) <= 1.0  # one or two a second
    last = len(page.run("return window.framesSent"))
    page.until(lambda: page.run(f"return performance.now() > {moments[-1]} + 4000"))
    assert len(page.run("return window.framesSent")) == last  # off is off

    for said in page.texts(".turn.assistant .words"):
        assert said.startswith("I see blue")
    frames = frames_known(pair)
    assert frames and all(frame.is_frame for frame in frames)
    assert max(max(frame.pixels.shape[:2]) for frame in frames) <= 448
    # The warm-up's and the session's: none was opened anew.
    assert len(pair[0].streams) == len(pair[1].streams) == 2
    assert len(frames) <= 4 * KEPT_IMAGES
    assert page.severe() == []


COUNT_FRAMES = """
    window.framesSent = [];
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (data) {
      if (String(data).includes('input_image')) window.framesSent.push(performance.now());
      return send.call(this, data);
    };
"""
SHOWN = "return document.getElementById('preview').videoWidth > 0"


def test_a_refused_camera_is_said_and_the_talk_goes_on(onlooker: Any, server: str) -> None:
    page = Page(onlooker, server)
    page.allow("camera", "denied")
    page.press("#talk")
    page.until(lambda: page.part("#camera").is_enabled())
    page.press("#camera")
    page.until(
        lambda: any("camera cannot be used" in text for text in page.texts(".turn.remark .words"))
    )
    assert page.part("#camera").get_attribute("aria-pressed") == "false"
    assert page.text("[data-part=status]") == "Listening"
