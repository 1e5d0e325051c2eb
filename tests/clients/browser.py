"""A client's features in Chromium: its own bundle, a page of ours, an ephemeral key."""

from __future__ import annotations

import json
import shutil
import socket
import threading
import urllib.request
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.support.wait import WebDriverWait

from tests.clients.environments import Environment, NotInstallable
from tests.clients.picture import red_square

PAGE_SECONDS = 300
BUNDLE = Path("node_modules/@openai/agents-realtime/dist/bundle")


class QuietHandler(SimpleHTTPRequestHandler):
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {".mjs": "text/javascript"}

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: the results say what happened."""


def run_page(
    environment: Environment, told: dict[str, str], bound: socket.socket, source: Path
) -> list[dict[str, str]]:
    """The results of the page; it is served from the socket, whose origin the server allows."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        raise NotInstallable("Chromium and its driver are not installed")
    folder = environment.folder / "page"
    _lay_page(folder, environment, told, source)
    handler = partial(QuietHandler, directory=str(folder))
    server = ThreadingHTTPServer(bound.getsockname(), handler, bind_and_activate=False)
    server.socket.close()
    server.socket = bound
    server.server_activate()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        browser.get(f"http://127.0.0.1:{bound.getsockname()[1]}/browser.html")
        WebDriverWait(browser, PAGE_SECONDS).until(lambda page: page.title == "done")
        found: list[dict[str, str]] = browser.execute_script("return window.results")
        return found
    finally:
        browser.quit()
        server.shutdown()


def _lay_page(folder: Path, environment: Environment, told: dict[str, str], source: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name in ("browser.html", "features.mjs"):
        shutil.copy(source / name, folder)
    shutil.copytree(environment.folder / BUNDLE, folder / "bundle", dirs_exist_ok=True)
    shutil.copytree(told["ANTIPHON_SPEECH"], folder / "speech", dirs_exist_ok=True)
    plain, scripted = told["ANTIPHON_BASE_URL"], told["ANTIPHON_SCRIPTED_BASE_URL"]
    given = {
        "url": _websocket(plain),
        "scriptedUrl": _websocket(scripted),
        "key": ephemeral_key(plain, told["ANTIPHON_TEST_KEY"]),
        "scriptedKey": ephemeral_key(scripted, told["ANTIPHON_TEST_KEY"]),
        "redSquare": red_square(),
    }
    (folder / "given.json").write_text(json.dumps(given))


def ephemeral_key(base_url: str, key: str) -> str:
    """A short-lived key, made as the owner of a page makes it: with the server's own key."""
    request = urllib.request.Request(
        f"{base_url}/realtime/client_secrets",
        data=b'{"session": {"type": "realtime", "model": "gpt-realtime-2.1"}}',
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(json.load(answer)["value"])


def _websocket(base_url: str) -> str:
    return "ws" + base_url.removeprefix("http") + "/realtime"
