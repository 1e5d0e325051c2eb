"""Nothing on the page that axe, the accessibility checker, objects to."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from tests.web.page import Page
from tests.web.stand_in import Stage, rehearsed

pytestmark = pytest.mark.browser
AXE = (files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")
RUN = """
    const done = arguments[0];
    axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => done(
        violations.map(({ id, nodes }) => `${id}: ${nodes.map((n) => n.target).join(', ')}`)));
"""


def objections(page: Page) -> list[str]:
    page.browser.execute_script(AXE)
    found: list[str] = page.browser.execute_async_script(RUN)
    return found


@pytest.mark.parametrize("width", [390, 1024, 1440])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_before_a_conversation(
    chromium: Any, address: str, width: int, theme: str
) -> None:
    page = Page(chromium, address)
    page.resize(width, 900)
    try:
        page.run(f"document.documentElement.dataset.theme = '{theme}'")
        page.until(lambda: page.texts("#skills button"))
        assert objections(page) == []
        page.press("#open-drawer")
        assert objections(page) == []
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_page_in_a_conversation(chromium: Any, address: str, stage: Stage) -> None:
    stage.scene = rehearsed()
    page = Page(chromium, address)
    page.press("#talk")
    page.until(lambda: page.text("[data-part=turns]") == "1", 30)
    assert objections(page) == []


def test_a_refusal(chromium: Any, address: str, stage: Stage) -> None:
    stage.key = "secret-key"
    page = Page(chromium, address)
    page.press("#talk")
    page.until(lambda: page.part("#key").is_displayed())
    assert objections(page) == []
