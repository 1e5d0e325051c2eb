"""The page as its user sees it: what it says and what one can press."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

Found = TypeVar("Found")


class Page:
    """`microphone`: what the user answers when the browser asks for it."""

    def __init__(self, browser: Any, address: str, *, microphone: str = "granted") -> None:
        self.browser = browser
        self.allow("microphone", microphone)
        browser.get("about:blank")  # what the page before still does is not this page's
        browser.get_log("browser")
        browser.get(address)

    def allow(self, device: str, setting: str) -> None:
        """Answer the browser's question for a device: "granted" or "denied"."""
        permission = {"permission": {"name": device}, "setting": setting}
        self.browser.execute_cdp_cmd("Browser.setPermission", permission)

    def resize(self, width: int, height: int) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def part(self, selector: str) -> Any:
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def press(self, selector: str) -> None:
        self.part(selector).click()

    def text(self, selector: str) -> str:
        return str(self.part(selector).text)

    def texts(self, selector: str) -> list[str]:
        return [str(one.text) for one in self.browser.find_elements(By.CSS_SELECTOR, selector)]

    def run(self, script: str) -> Any:
        return self.browser.execute_script(script)

    def until(self, what: Callable[[], Found], seconds: float = 20.0) -> Found:
        """Waits for something to be true and gives it."""
        return WebDriverWait(self.browser, seconds, 0.05).until(lambda _: what())

    def severe(self) -> list[str]:
        """What the browser's console complains about."""
        log = self.browser.get_log("browser")
        return [str(entry["message"]) for entry in log if entry["level"] == "SEVERE"]
