"""The page with the real server, real voice detection and scripted models."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile
import soxr
from websockets.sync.client import connect

pytest.importorskip("selenium", reason="selenium is not installed")

from models.base import Verdict
from models.vad import SileroDetector, SileroModel
from server.app import create_app
from server.config import ResumeSettings, ServerSettings
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
    settings = ServerSettings(port=0, sessions_per_pair=1, resume=ResumeSettings(store="memory"))
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


def test_a_lost_connection_comes_back_and_the_conversation_goes_on(
    talker: Any, server: str
) -> None:
    with Breakable(server) as line:
        page = Page(talker, line.address)
        page.press("#talk")
        page.until(lambda: page.texts(".turn.assistant .words"), 40)
        line.cut()
        page.until(lambda: "the conversation goes on" in page.text("body"))
        page.until(lambda: page.text("[data-part=status]") != "Connecting again")
        assert "The server says" not in page.text("body")
        assert "The connection ended here" not in page.text("body")
        page.press("#talk")


class Breakable:
    """A TCP line to a server that can be cut."""

    def __init__(self, server: str) -> None:
        where = urlsplit(server)
        assert where.hostname is not None and where.port is not None
        self._server = (where.hostname, where.port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Breakable:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self.cut()
        for thread in self._threads:
            thread.join()
        self._listening.close()
        for each in self._sockets:
            each.close()

    def cut(self) -> None:
        for each in list(self._sockets):  # what is opened from now on stays
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(self._server)
                self._sockets += [near, far]
                for one, other in ((near, far), (far, near)):
                    thread = threading.Thread(target=self._copy, args=(one, other))
                    self._threads.append(thread)
                    thread.start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)


WATCHED = """
window.told = [];
window.sockets = [];
const Plain = window.WebSocket;
window.WebSocket = class extends Plain {
  constructor(...given) {
    super(...given);
    window.sockets.push(this);
    this.addEventListener("message", ({ data }) => window.told.push(JSON.parse(data).type));
  }
};
"""


@pytest.fixture
def watched(talker: Any) -> Iterator[Any]:
    """The talker, whose page shows its sockets and what they are told."""
    script = talker.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCHED})
    yield talker
    talker.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)


def test_a_question_that_a_lost_connection_cut_is_said_again(watched: Any, server: str) -> None:
    with Breakable(server) as line:
        page = Page(watched, line.address)
        page.press("#talk")
        page.until(lambda: page.run("return told.includes('input_audio_buffer.speech_started')"))
        line.cut()
        page.until(lambda: page.run("return sockets.length") >= 2)
        page.until(lambda: page.text(".turn.assistant .words"), 40)
        before = page.run("return told.indexOf('response.created')")
        assert page.run("return told.lastIndexOf('session.created')") < before  # on the new one
        assert len(page.texts(".turn.user")) == 1
        page.press("#talk")
