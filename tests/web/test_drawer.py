"""The developer's drawer: settings that are applied, code that runs, what can be copied."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from models.vad import SileroDetector, SileroModel
from server.app import create_app
from server.config import ServerSettings
from server.service import Engine
from tests.engine_script import EngineScript, ScriptedAnswer
from tests.scripted_engine import ScriptedInstance
from tests.web.conftest import served
from tests.web.page import Page
from tests.web.stand_in import Stage, answer

pytestmark = pytest.mark.browser
TOOL = [{"type": "function", "name": "get_time", "parameters": {"type": "object"}}]
ANSWER = "It is a rehearsed answer."
FORGET = "sessionStorage.clear()"


@pytest.fixture
def page(chromium: Any, address: str) -> Iterator[Page]:
    shown = Page(chromium, address)
    shown.browser.execute_cdp_cmd(
        "Browser.grantPermissions",
        {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite", "audioCapture"]},
    )
    yield shown
    shown.run(FORGET)


def write(page: Page, field: str, text: str) -> None:
    """Set a field as typing would, but faster."""
    page.run(f"document.getElementById('{field}').value = {json.dumps(text)}")


def updates(stage: Stage) -> list[dict[str, Any]]:
    return [event["session"] for event in stage.of_type("session.update")]


def clipboard(page: Page) -> str:
    script = "navigator.clipboard.readText().then(arguments[0], (e) => arguments[0](String(e)))"
    return str(page.browser.execute_async_script(script))


def test_what_is_applied_changes_the_running_session(page: Page, stage: Stage) -> None:
    page.press("#talk")
    page.until(lambda: page.text("[data-part=status]") == "Listening")
    page.press("#open-drawer")
    write(page, "instructions", "Be brief.")
    write(page, "functions", json.dumps(TOOL))
    write(page, "eagerness", "high")
    page.press("#apply")
    page.until(lambda: page.text("#applied") == "The server has taken it.")
    sent = updates(stage)[-1]
    assert (sent["instructions"], sent["tools"]) == ("Be brief.", TOOL)
    assert sent["audio"]["input"]["turn_detection"] == {"type": "semantic_vad", "eagerness": "high"}
    assert sent["antiphon"]["events"]  # what the page itself needs stays

    write(page, "instructions", "")
    write(page, "functions", "")
    page.run("document.getElementById('detection').value = 'server_vad'")
    page.press("#apply")
    page.until(lambda: len(updates(stage)) > 2)
    taken_back = updates(stage)[-1]
    assert (taken_back["instructions"], taken_back["tools"]) == ("", [])
    assert taken_back["audio"]["input"]["turn_detection"] == {"type": "server_vad"}
    log = page.until(lambda: page.texts("#log li"))
    assert any("session.updated" in line for line in log)
    assert not any("input_audio_buffer.append" in line for line in log)
    page.press("#clear-log")
    page.press("#close-drawer")


def test_what_is_applied_before_a_conversation_begins_it(page: Page, stage: Stage) -> None:
    page.press("#open-drawer")
    write(page, "instructions", "Be brief.")
    page.press("#apply")
    assert page.text("#applied") == "Will be used from the next conversation on."
    page.press("#close-drawer")
    page.press("#talk")
    page.until(lambda: updates(stage))
    assert updates(stage)[0]["instructions"] == "Be brief."


@pytest.mark.parametrize("wrong", ["[{", "{}"])
def test_functions_that_are_no_list_are_said_and_stop_nobody(
    page: Page, stage: Stage, wrong: str
) -> None:
    page.press("#open-drawer")
    write(page, "functions", wrong)
    page.press("#apply")
    assert page.text("#applied").startswith("The functions are no JSON list:")
    page.press("#close-drawer")
    page.press("#talk")
    page.until(lambda: page.text("[data-part=status]") == "Listening")
    page.until(lambda: updates(stage))
    assert "tools" not in updates(stage)[0]
    assert page.severe() == []


def test_the_conversation_is_copied(page: Page, stage: Stage) -> None:
    stage.replies = list(answer(1, 0.0, 0.6, ANSWER))
    page.press("#talk")
    page.until(lambda: page.text("[data-part=status]") == "Listening")
    page.part("#text").send_keys("What is it?\n")
    page.until(lambda: ANSWER in page.text(".turn.assistant .words"))
    page.press("#open-drawer")
    page.press("#copy-conversation")
    page.until(lambda: page.text("#copied") == "Copied.")
    assert ANSWER in clipboard(page)


def test_the_copied_code_runs(chromium: Any, page: Page) -> None:
    """With the settings that were applied, however they are quoted."""
    instance = [ScriptedInstance(EngineScript(answers=lambda _: ScriptedAnswer(ANSWER)))] * 2
    silero = SileroModel()
    settings = ServerSettings(port=0)
    app = create_app(
        settings, Engine(((instance[0], instance[1]),), lambda: SileroDetector(silero))
    )
    with served(app, settings) as server:
        real = Page(chromium, server)
        real.press("#open-drawer")
        write(real, "instructions", "Say ''' or \"it\" in one \\ line.\nThen stop. \U0001f600")
        real.press("#apply")
        real.press("#copy-code")
        real.until(lambda: real.text("#copied") == "Copied.")
        code = clipboard(real)
        assert code == real.text("#code") or "SESSION" in code
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
        real.run(FORGET)
    assert ran.stdout.decode().strip() == ANSWER, ran.stderr.decode()
