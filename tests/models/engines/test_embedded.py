"""tests: what only embedded instances promise: shared weights, priority, honest refusals."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from models.base import (
    HEAR_CHUNK,
    AnswerOptions,
    AnswerPart,
    Conversation,
    InstanceFailed,
    Samples,
    UserText,
    Verdict,
)
from models.engines import answering, memory
from models.engines import bundle as bundles
from models.engines.bundle import BadBundle, Bundle
from models.engines.embedded import EmbeddedInstance, load
from models.engines.jobs import Priority
from models.engines.resident import STREAMS
from models.training.export import Parts

pytestmark = pytest.mark.timeout(300)  # the first of all exports a model

NANO = Path(__file__).parents[3] / "models" / "nano"
LONG = AnswerOptions(max_tokens=100, seed=1, temperature=1.0)


@pytest.fixture
async def instance(bundle: Bundle) -> AsyncIterator[EmbeddedInstance]:
    made = EmbeddedInstance(bundle, "one")
    yield made
    await made.close()


def noise(seconds: float) -> Samples:
    random = np.random.default_rng(3)
    return (0.1 * random.standard_normal(round(seconds * 16_000))).astype(np.float32)


async def test_two_instances_read_the_weights_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    session = onnxruntime.InferenceSession

    def counted(*args: object, **options: object) -> object:
        made.append(session(*args, **options))
        return made[-1]

    monkeypatch.setattr(onnxruntime, "InferenceSession", counted)
    bundle = load(folder)
    instances = [EmbeddedInstance(bundle, name) for name in "ab"]
    for instance in instances:
        await instance.warm_up()
    assert len(made) == 6  # listening, language, vision, and three of speech
    for instance in instances:
        await instance.close()


_GROWTH = """
import asyncio, gc, sys
from pathlib import Path
from models.engines.embedded import EmbeddedInstance, load

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

async def main():
    bundle = load(Path(sys.argv[1]))
    first = EmbeddedInstance(bundle, "first")
    await first.warm_up()
    before = resident()
    second = EmbeddedInstance(bundle, "second")
    await second.warm_up()
    gc.collect()
    weights = sum(file.stat().st_size for file in Path(sys.argv[1]).glob("*.onnx"))
    print((resident() - before) / weights)

asyncio.run(main())
"""


@pytest.mark.skipif(not (NANO / bundles.LANGUAGE).exists(), reason="models/nano has no weights")
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_a_second_instance_adds_little_memory() -> None:
    command = [sys.executable, "-c", _GROWTH, str(NANO)]
    given_back = {**os.environ, "MALLOC_TRIM_THRESHOLD_": "65536"}  # what was freed does not count
    run = subprocess.run(
        command,
        capture_output=True,
        encoding="utf-8",
        check=True,
        cwd=NANO.parents[1],
        env=given_back,
    )
    assert float(run.stdout) < 0.10


async def test_hearing_goes_before_a_running_answer(
    bundle: Bundle, instance: EmbeddedInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two sessions of opposite roles on one instance: hearing waits for no answer, and hears what
    it would have heard alone."""
    log: list[str] = []
    step, hear = answering.Answer.step, memory.PromptMemory.hear

    def noted_step(self: answering.Answer) -> object:
        log.append("step")
        time.sleep(0.002)  # a step of a model that is not tiny: no two fit between two lines here
        return step(self)

    def noted_hear(self: memory.PromptMemory, samples: Samples) -> Verdict:
        log.append("hear")
        return hear(self, samples)

    alone = EmbeddedInstance(bundle, "alone")
    sound = noise(1.6)
    expected = await (await alone.open(Conversation())).hear(sound)
    await alone.close()
    monkeypatch.setattr(answering.Answer, "step", noted_step)
    monkeypatch.setattr(memory.PromptMemory, "hear", noted_hear)

    speaking = await instance.open(Conversation((UserText("hello"),)))
    hearing = await instance.open(Conversation())
    async with aclosing(speaking.answer(LONG)) as parts:
        await anext(parts)
        listening = asyncio.create_task(every(parts))
        for start in range(0, sound.size, HEAR_CHUNK):
            for _ in range(3):  # let the answer go on
                await instance.worker.run(lambda: None, Priority.RUNNING)
            chunk = sound[start : start + HEAR_CHUNK]
            asked = len(log)
            verdict = await hearing.hear(chunk)
            assert log.index("hear", asked) - asked <= 3
        assert verdict == expected
        listening.cancel()
        await asyncio.wait({listening})
    assert log.count("step") > 10


async def every(parts: AsyncIterator[AnswerPart]) -> int:
    """Take what is made as fast as it is made: how much it is."""
    return len([part async for part in parts])


async def test_streams_are_bounded(instance: EmbeddedInstance) -> None:
    streams = [await instance.open(Conversation()) for _ in range(STREAMS)]
    with pytest.raises(InstanceFailed, match="taken"):
        await instance.open(Conversation())
    await streams[0].close()
    await (await instance.open(Conversation())).close()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", "{}", "model"),
        ("config.json", None, "config.json: No such file"),
        ("language.onnx", "rubbish", "language.onnx"),
        ("tokenizer.json", None, "tokenizer.json: No such file"),
    ],
)
def test_a_bad_folder_is_named(
    folder: Path, tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    for file in folder.iterdir():
        if file.name != name:
            (tmp_path / file.name).symlink_to(file)
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(BadBundle, match=message):
        load(tmp_path)


def test_config_survives_its_own_file(parts: Parts) -> None:
    assert bundles.BundleConfig.from_json(parts.config.to_json()) == parts.config


@pytest.mark.parametrize(
    "file", ["tokenizer.json", "config.json", "embeddings.npy", "language.onnx"]
)
def test_a_broken_file_is_named(tmp_path: Path, file: str) -> None:
    folder = Path(shutil.copytree("models/nano", tmp_path / "model"))
    (folder / file).write_bytes(b"\xff\xfe{")
    with pytest.raises(BadBundle, match=re.escape(file)):
        load(folder)
