"""`antiphon call --microphone` with a sound server of its own, whose devices are nobody's."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio.resample import resample
from models.vad import SileroDetector, SileroModel
from server.call.conversation import CallMachine
from server.call.microphone import SoundDevices
from server.call.script import CallScript
from server.call.timeline import FRAME, RATE
from tests.engine_script import QUERY, EngineScript, ScriptedAnswer
from tests.server.house import KEY, House

ROOT = Path(__file__).resolve().parents[2]
CLIPS = ROOT / "tests" / "data" / "audio"
ANSWER = ScriptedAnswer("This is the answer.", word_seconds=0.4)
NEEDED = ("pulseaudio", "pactl", "paplay", "parec")
PLUGINS = Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so")
DEADLINE = 60  # seconds; for a machine on which everything else runs as well


@dataclass(frozen=True, slots=True)
class SoundServer:
    """PulseAudio with two devices that play into nothing: what is played to the sink `mouth` is
    heard by the microphone, and what the loudspeaker plays stays in the sink `ear`."""

    environment: dict[str, str]

    async def run(self, *command: str) -> None:
        process = await asyncio.create_subprocess_exec(*command, env=self.environment)
        assert await process.wait() == 0, command


@pytest.fixture
def lacking() -> None:
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing or next(PLUGINS, None) is None:
        pytest.skip(f"needs pulseaudio, pulseaudio-utils and libasound2-plugins ({missing})")
    try:
        import_module("sounddevice")
    except (ImportError, OSError):
        pytest.skip("needs the extra microphone and libportaudio2")


def has_appeared(socket: Path) -> bool:
    return socket.exists()


@asynccontextmanager
async def sound_server(folder: Path) -> AsyncIterator[SoundServer]:
    socket = folder / "pulse.socket"
    (folder / ".asoundrc").write_text("pcm.!default pulse\nctl.!default pulse\n")
    environment = os.environ | {
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder),
        "PULSE_SERVER": f"unix:{socket}",
        "PULSE_SOURCE": "mouth.monitor",
        "PULSE_SINK": "ear",
        "COLUMNS": "200",
    }
    modules = (
        "module-null-sink sink_name=mouth",
        "module-null-sink sink_name=ear",
        f"module-native-protocol-unix auth-anonymous=1 socket={socket}",
    )
    process = await asyncio.create_subprocess_exec(
        *("pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"),
        *(f"--load={module}" for module in modules),
        env=environment,
        stderr=PIPE,
    )
    try:
        async with asyncio.timeout(DEADLINE):
            while not has_appeared(socket):
                assert process.returncode is None, "pulseaudio did not start"
                await asyncio.sleep(0.05)
        yield SoundServer(environment)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def line_with(process: asyncio.subprocess.Process, text: str) -> str:
    """The next line of the call that has this in it."""
    assert process.stderr is not None
    seen: list[str] = []
    async with asyncio.timeout(DEADLINE):
        while line := (await process.stderr.readline()).decode():
            seen.append(line)
            if text in line:
                return line
    raise AssertionError(f"{text!r} never came: {seen}")


@pytest.mark.usefixtures("lacking")
async def test_a_question_into_the_microphone_is_answered_by_the_loudspeaker(
    tmp_path: Path,
) -> None:
    clip, rate = soundfile.read(CLIPS / "question_en_capital.flac", dtype="float32")
    question = tmp_path / "question.wav"
    soundfile.write(question, resample(clip, rate, 48_000), 48_000)
    played, recorded = tmp_path / "ear.wav", tmp_path / "answer.wav"
    script = EngineScript(verdict=lambda _: QUERY, answers=lambda _: ANSWER)
    silero = SileroModel()
    async with (
        sound_server(tmp_path) as sound,
        House(script, lambda: SileroDetector(silero)) as house,
    ):
        ear = await asyncio.create_subprocess_exec(
            *("parec", "--device=ear.monitor", "--file-format=wav", str(played)),
            env=sound.environment,
        )
        call = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "server", "call", "--microphone", "--record", str(recorded)),
            *("--url", house.host, "--key", KEY),
            env=sound.environment,
            stderr=PIPE,
            cwd=ROOT,
        )
        await line_with(call, "Speak")
        await sound.run("paplay", "--device=mouth", str(question))
        assert ANSWER.text in await line_with(call, "assistant")
        await sound.run("paplay", "--device=mouth", str(question))
        await line_with(call, "assistant")
        call.send_signal(signal.SIGINT)
        await call.communicate()
        ear.terminate()
        await ear.wait()
    assert call.returncode == 0
    for path in (played, recorded):
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        assert (np.abs(samples[:, 0]) > 0.05).sum() > rate, path  # of two answers of 1.6 s


@pytest.fixture
def call() -> Iterator[CallMachine]:
    yield CallMachine(CallScript(length=float("inf")))


def test_pieces_of_the_microphone_join_however_late_they_are_fetched(call: CallMachine) -> None:
    link = SoundDevices()
    tone = np.sin(np.arange(RATE) * 0.05).astype(np.float32)[:, None]
    lateness = np.random.default_rng(3).uniform(0.0, 0.004, 100)
    for number in range(40):
        piece = tone[number * FRAME : (number + 1) * FRAME]
        link.callback(piece, np.zeros_like(piece), len(piece))
        link.exchange(call, number * FRAME / RATE + lateness[number])
        call.timeline.placed, kept = call.timeline.placed[-100:], call.timeline.placed
        assert kept
    heard = call.timeline.read(0, RATE)
    start = int(np.argmax(np.abs(heard) > 0.02)) - 1
    error = np.abs(heard[start : start + 30 * FRAME] - tone[: 30 * FRAME, 0])
    assert error.max() < 0.06


def test_hanging_up_ends_the_call(call: CallMachine) -> None:
    assert not call.done(1e6)
    call.hang_up()
    assert call.done(0.0)
