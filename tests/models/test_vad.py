"""Silero through onnxruntime: right numbers, one memory a session, never on the event loop."""

import asyncio
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from models.base import InstanceFailed, Samples, VoiceActivityDetector
from models.vad import CONTEXT, WINDOW, SileroModel, find_weights

CLIPS = Path(__file__).parents[1] / "data" / "audio"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def model() -> Iterator[SileroModel]:
    model = SileroModel()
    yield model
    model.close()


def clip(name: str) -> Samples:
    samples, rate = soundfile.read(CLIPS / name, dtype="float32")
    assert rate == 16_000
    return np.asarray(samples)


def windows(samples: Samples) -> Samples:
    return samples[: len(samples) // WINDOW * WINDOW]


async def test_voice_is_heard_and_noise_is_not(model: SileroModel) -> None:
    detector: VoiceActivityDetector = model.detector()
    rest = np.random.default_rng(1).normal(0, 0.001, 16_000).astype(np.float32)
    quiet = await detector.detect(windows(rest))
    speech = await detector.detect(clip("question_en_capital.flac"))
    assert max(quiet) < 0.3
    assert np.mean(np.array(speech) > 0.5) > 0.5 and max(speech) > 0.9
    detector.reset()
    clap = await detector.detect(clip("clap.flac"))
    assert max(clap) < 0.5


async def test_equals_the_published_torch_model(model: SileroModel) -> None:
    torch = pytest.importorskip("torch")
    weights = find_weights().with_name("silero_vad.jit")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        published = torch.jit.load(weights)
    samples = windows(clip("question_en_capital.flac"))[: 40 * WINDOW]
    expected = [
        published(torch.from_numpy(samples[at : at + WINDOW].copy()), 16_000).item()
        for at in range(0, len(samples), WINDOW)
    ]
    np.testing.assert_allclose(await model.detector().detect(samples), expected, atol=1e-4)


async def test_chunks_of_any_length_give_the_same(model: SileroModel) -> None:
    samples = clip("question_en_capital.flac")[:20_000]
    lengths = np.random.default_rng(2).integers(0, 1500, 25)
    whole = await model.detector().detect(samples)
    detector, parts = model.detector(), list[float]()
    for chunk in np.split(samples, np.cumsum(lengths)):
        parts += await detector.detect(chunk)
    assert parts == list(whole) and len(parts) == len(samples) // WINDOW


async def test_sessions_do_not_disturb_each_other(model: SileroModel) -> None:
    sounds = [clip("question_en_capital.flac"), clip("story_en.flac"), clip("clap.flac")]
    alone = [await model.detector().detect(sound) for sound in sounds]
    together = await asyncio.gather(*(model.detector().detect(sound) for sound in sounds))
    assert [list(one) for one in together] == [list(one) for one in alone]


async def test_reset_forgets(model: SileroModel) -> None:
    detector, samples = model.detector(), clip("question_en_capital.flac")
    first = await detector.detect(samples[:8_000])
    detector.reset()
    assert await detector.detect(samples[:8_000]) == first
    assert await detector.detect(samples[:CONTEXT]) == ()


async def test_the_network_runs_off_the_event_loop(
    model: SileroModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[int] = []
    measure = model._measure

    def note(*given: object) -> list[float]:
        ran.append(threading.get_ident())
        return measure(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(model, "_measure", note)
    await model.detector().detect(np.zeros(WINDOW, dtype=np.float32))
    assert ran and threading.get_ident() not in ran


def test_torch_is_not_imported() -> None:
    code = "import sys; from models.vad import SileroModel; SileroModel().close(); "
    code += "sys.exit('torch' in sys.modules or 'silero_vad' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_missing_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.vad.find_spec", lambda name: None)
    with pytest.raises(InstanceFailed, match="silero-vad"):
        find_weights()
