"""A stand-in server on a free port, and Chromium with a WAV file as its microphone."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import soundfile
import uvicorn
from fastapi import FastAPI

from server.config import ServerSettings
from server.serve import new_server
from tests.web.stand_in import RATE, Stage, create_stand_in, microphone_sound

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--window-size=1280,900",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",
)


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def address(stage: Stage) -> Iterator[str]:
    """Where the stand-in serves the page."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(
            create_stand_in(stage), ws="websockets-sansio", log_level="error", lifespan="off"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        server.should_exit = server.force_exit = True  # the page is still connected
        thread.join(10)


@contextmanager
def served(app: FastAPI, settings: ServerSettings) -> Iterator[str]:
    """The real server in a thread of its own: where it is."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        running = new_server(app, settings)
        thread = threading.Thread(target=running.run, args=([listener],), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        running.should_exit = running.force_exit = True
        thread.join(10)


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("microphone") / "speech.wav"
    soundfile.write(path, microphone_sound(), RATE, subtype="PCM_16")
    return path


def start_browser(profile: Path, speech: Path, film: Path | None = None) -> Any:
    """Headless Chromium that says `speech` once; its camera shows `film` (Y4M), again and again.
    Skips where there is no browser."""
    selenium = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    binary = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("needs Chromium and chromedriver")
    options = selenium.ChromeOptions()
    options.binary_location = binary
    for flag in FLAGS:
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={profile}")
    options.add_argument(f"--use-file-for-fake-audio-capture={speech}%noloop")
    if film is not None:
        options.add_argument(f"--use-file-for-fake-video-capture={film}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return selenium.Chrome(options=options, service=selenium.ChromeService(driver))


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory, speech: Path) -> Iterator[Any]:
    browser = start_browser(tmp_path_factory.mktemp("profile"), speech)
    yield browser
    browser.quit()
