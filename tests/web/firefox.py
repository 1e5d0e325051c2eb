"""Firefox by its own WebDriver BiDi (no driver needed), with a loudspeaker that nobody hears."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from websockets.sync.client import connect
from websockets.sync.connection import Connection

Found = TypeVar("Found")

BROWSERS = ("firefox-esr", "firefox")
PREFERENCES: dict[str, bool | int | str] = {
    "media.navigator.streams.fake": True,  # a tone as microphone, a moving picture as camera
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    "privacy.webrtc.hideGlobalIndicator": True,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "extensions.update.enabled": False,
    "app.normandy.enabled": False,
}
_REPLY_WITHIN = 15.0  # seconds
_START_WITHIN = 30.0


class Firefox:
    """One tab. Raises RuntimeError with the browser's own words where it refuses a command."""

    def __init__(self, line: Connection) -> None:
        self._line = line
        self._numbers = itertools.count(1)
        self.complaints: list[str] = []
        self.command("session.new", capabilities={})
        self.command("session.subscribe", events=["log.entryAdded"])
        self.tab = self._first_tab()

    def command(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and wait for its result."""
        number = next(self._numbers)
        self._line.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._line.recv(timeout=_REPLY_WITHIN))
            if message.get("method") == "log.entryAdded":
                self._note(message["params"])
            if message.get("id") != number:
                continue
            if message["type"] == "error":
                raise RuntimeError(f"{message['error']}: {message['message']}")
            result: dict[str, Any] = message["result"]
            return result

    def _note(self, entry: dict[str, Any]) -> None:
        if entry["level"] == "error":
            self.complaints.append(str(entry["text"]))

    def _first_tab(self, **scope: Any) -> str:
        return str(self.command("browsingContext.getTree", **scope)["contexts"][0]["context"])

    # ------------------------------------------------------------------------------- the page

    def open(self, address: str) -> None:
        self.command("browsingContext.navigate", context=self.tab, url=address, wait="complete")

    def resize(self, width: int, height: int) -> None:
        size = {"width": width, "height": height}
        self.command("browsingContext.setViewport", context=self.tab, viewport=size)

    def run(self, script: str, tab: str = "") -> Any:
        """What an expression is worth: a string, a number, a truth, or a list of these."""
        result = self.command(
            "script.evaluate",
            expression=script,
            target={"context": tab or self.tab},
            awaitPromise=True,
        )
        if result["type"] == "exception":
            raise RuntimeError(result["exceptionDetails"]["text"])
        return _plain(result["result"])

    def text(self, selector: str) -> str:
        return "".join(self.texts(selector)[:1])

    def texts(self, selector: str) -> list[str]:
        found = (
            f"Array.from(document.querySelectorAll({json.dumps(selector)}), one => one.innerText)"
        )
        return [str(one) for one in self.run(found)]

    def until(self, what: Callable[[], Found], seconds: float = 20.0) -> Found:
        """Waits for something to be true and gives it."""
        end = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < end, f"not within {seconds} s; {self.complaints}"
            time.sleep(0.05)
        return found

    # ------------------------------------------------------------------------------- the user

    def press(self, selector: str) -> None:
        """Click in the middle of something."""
        box = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
        x, y = self.run(f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])({box})")
        moves = [
            {"type": "pointerMove", "x": round(x), "y": round(y)},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        self._act({"type": "pointer", "id": "mouse", "actions": moves})

    def keys(self, text: str) -> None:
        """Press keys one after the other; WebDriver's code points stand for those with names."""
        kinds = ("keyDown", "keyUp")
        presses = [{"type": kind, "value": letter} for letter in text for kind in kinds]
        self._act({"type": "key", "id": "keyboard", "actions": presses})

    def _act(self, source: dict[str, Any]) -> None:
        self.command("input.performActions", context=self.tab, actions=[source])

    def refuse_microphone(self, refused: bool) -> None:
        """What the user answers when the browser asks, as a preference of the whole browser."""
        answers = {
            "setIntPref('permissions.default.microphone'": "2" if refused else "0",
            "setBoolPref('media.navigator.permission.disabled'": "false" if refused else "true",
        }
        window = self._first_tab(**{"moz:scope": "chrome"})
        for preference, answer in answers.items():
            self.run(f"Services.prefs.{preference}, {answer})", window)


def _plain(value: dict[str, Any]) -> Any:
    if value["type"] == "array":
        return [_plain(one) for one in value["value"]]
    return value.get("value")


@contextmanager
def started(folder: Path) -> Iterator[Firefox]:
    """Headless Firefox with a profile in this empty folder. Skips where it cannot be had."""
    binary = next(filter(None, map(shutil.which, BROWSERS)), None)
    if binary is None:
        pytest.skip("needs Firefox")
    lines = [f"user_pref({json.dumps(n)}, {json.dumps(v)});\n" for n, v in PREFERENCES.items()]
    (folder / "user.js").write_text("".join(lines))
    with ExitStack() as stack:
        sound = stack.enter_context(_loudspeaker(folder / "sound"))
        command = [binary, "--headless", "--no-remote", "--profile", str(folder)]
        command += ["--remote-debugging-port", "0", "--remote-allow-system-access", "about:blank"]
        environment = os.environ | {"HOME": str(folder), "PULSE_SERVER": sound}
        process = stack.enter_context(_running(command, environment))
        whereabouts = folder / "WebDriverBiDiServer.json"
        _wait_for(whereabouts, process)
        found = json.loads(whereabouts.read_text())
        address = f"ws://{found['ws_host']}:{found['ws_port']}/session"
        firefox = Firefox(
            stack.enter_context(connect(address, max_size=None, proxy=None, ping_interval=None))
        )
        yield firefox
        firefox.command("browser.close")


@contextmanager
def _loudspeaker(folder: Path) -> Iterator[str]:
    """A sound server without a device: Firefox's clock of sound does not run without one."""
    binary = shutil.which("pulseaudio")
    if binary is None:
        pytest.skip("needs pulseaudio, which gives Firefox a loudspeaker on a machine without one")
    folder.mkdir()
    socket = folder / "socket"
    loaded = ("module-null-sink", f"module-native-protocol-unix socket={socket} auth-anonymous=1")
    command = [binary, "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1"]
    command += [part for module in loaded for part in ("-L", module)]
    environment = os.environ | {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
    with _running(command, environment) as process:
        _wait_for(socket, process)
        yield f"unix:{socket}"


@contextmanager
def _running(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    """Until a process has made this file. It fails where the process ends first, or takes long."""
    end = time.monotonic() + _START_WITHIN
    while not path.exists():
        assert process.poll() is None, f"{process.args!r} ended with {process.returncode}"
        assert time.monotonic() < end, f"{process.args!r} did not start"
        time.sleep(0.02)
