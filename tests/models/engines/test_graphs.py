"""tests: CUDA's graphs and streams with a stand-in for the device: slots, masks, order, release."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from models.engines.cuda_streams import CudaStreams
from models.engines.jobs import Priority
from models.engines.kv_cache import GraphedStep, KvCache, language_step
from models.engines.speech_batcher import SpeechBatcher, SpeechSlot
from models.vita.config import LanguageModelConfig, SpeechDecoderConfig
from models.vita.language_model import LanguageModel
from models.vita.speech_decoder import SpeechDecoder

WIDTH = 32
DENSE = LanguageModelConfig(
    vocabulary=50, width=WIDTH, layers=2, heads=4, key_value_heads=2, feed_forward=48
)
SPARSE = LanguageModelConfig(
    vocabulary=50, width=WIDTH, layers=2, heads=4, key_value_heads=2, feed_forward=48, experts=4,
    attention_bias=False,
)  # fmt: skip


class Device:
    """What torch.cuda is asked for, in the order of asking. A replay runs the captured work again
    on the same buffers and overwrites what it gave, as a graph does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log: list[str] = []
        self.capturing = False
        for name in ("CUDAGraph", "graph", "stream", "Stream", "current_stream", "synchronize"):
            monkeypatch.setattr(torch.cuda, name, getattr(self, name))
        run = GraphedStep._run

        def noted(step: GraphedStep) -> tuple[Tensor, ...]:
            if self.capturing:
                self.graphs[-1].work = lambda: run(step)
            self.log.append("run")
            return run(step)

        monkeypatch.setattr(GraphedStep, "_run", noted)
        capture = GraphedStep._capture

        def kept(step: GraphedStep) -> None:
            capture(step)
            self.graphs[-1].kept = step._made

        monkeypatch.setattr(GraphedStep, "_capture", kept)
        self.graphs: list[Any] = []

    def CUDAGraph(self) -> Any:
        return Graph(self)

    @contextmanager
    def graph(self, graph: Any, stream: Any, capture_error_mode: str) -> Iterator[None]:
        assert capture_error_mode == "thread_local"  # the other instance's thread is at work
        self.graphs.append(graph)
        self.capturing = True
        yield
        self.capturing = False

    def Stream(self, device: torch.device, priority: int) -> Any:
        return Stream(self, str(priority))

    @contextmanager
    def stream(self, stream: Any) -> Iterator[None]:
        self.log.append(f"into {stream.name}")
        yield

    def current_stream(self) -> Any:
        return Stream(self, "here")

    def synchronize(self, device: torch.device) -> None:
        self.log.append("device waits")


class Stream:
    def __init__(self, device: Device, name: str) -> None:
        self.device, self.name = device, name

    def synchronize(self) -> None:
        self.device.log.append(f"wait {self.name}")


class Graph:
    def __init__(self, device: Device) -> None:
        self.device = device
        self.work: Callable[[], tuple[Tensor, ...]] = tuple
        self.kept: tuple[Tensor, ...] = ()

    def replay(self) -> None:
        self.device.log.append("replay")
        for kept, made in zip(self.kept, self.work(), strict=True):
            kept.copy_(made)


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Device:
    return Device(monkeypatch)


@pytest.fixture(params=[DENSE, SPARSE])
def model(request: pytest.FixtureRequest) -> LanguageModel:
    torch.manual_seed(1)
    return LanguageModel(request.param).eval().requires_grad_(False)


def test_a_captured_step_equals_the_plain_one(model: LanguageModel, device: Device) -> None:
    plain, graphed = KvCache(model, 64), KvCache(model, 64)
    example = torch.zeros(1, 1, WIDTH)
    with torch.inference_mode():
        step = GraphedStep(language_step(model), graphed.buffers, example)
        step.prepare()
        assert device.log == ["run", "run", "wait here", "run"]  # warm, then captured once
        graphed._graphed = step
        vectors = torch.randn(30, WIDTH)
        for line in (plain, graphed):
            line.read(vectors[:20])
        for index in (20, 21, 22):
            for line in (plain, graphed):
                line.read(vectors[index : index + 1])
        for line in (plain, graphed):  # what stands behind the new end must not be seen
            line.rewind(8)
        for line in (plain, graphed):
            line.read(vectors[25:26])
        wanted, found = plain.logits(), graphed.logits()
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)
    assert device.log.count("run") == 3
    assert device.log.count("replay") == 4


class GraphedRoom(SpeechBatcher):
    _is_graphed = True


def test_captured_voices_equal_plain_ones(device: Device) -> None:
    """One to nine voices come and go: graphs for powers of two, and rows that sit out."""
    torch.manual_seed(2)
    config = SpeechDecoderConfig(
        width=WIDTH, layers=2, heads=4, feed_forward=64, codes=20, aligner=(1, 0)
    )
    decoder = SpeechDecoder(config).eval().requires_grad_(False)
    with torch.inference_mode():
        plain, graphed = SpeechBatcher(decoder, 12, 20), GraphedRoom(decoder, 12, 20)
        assert len(device.graphs) == len([1, 4, 8])  # before anybody speaks
        pairs = [(SpeechSlot(plain), SpeechSlot(graphed)) for _ in range(9)]
        for count in (1, 3, 9, 2, 5):
            speaking = pairs[-count:]  # others are somewhere in a chunk, or have not begun
            for number, pair in enumerate(speaking):
                text = torch.randn(4 + number % 5, WIDTH)
                for line in pair:
                    line.begin(text)
            for code in (config.start, 3, 9, 3):
                for line in (line for pair in speaking for line in pair):
                    line.expect(code)
                for one, other in speaking:
                    assert_alike(other.advance(code), one.advance(code))
    assert device.log.count("replay") == 5 * 4
    assert sorted(graphed._graphs) == [4, 8, 16]  # nine voices: more rows, other graphs


def assert_alike(found: tuple[Tensor, Tensor | None], wanted: tuple[Tensor, Tensor | None]) -> None:
    torch.testing.assert_close(found[0], wanted[0], atol=1e-5, rtol=0)
    assert found[1] is not None
    assert wanted[1] is not None
    keys = min(len(found[1]), len(wanted[1]))
    torch.testing.assert_close(found[1][:keys], wanted[1][:keys], atol=1e-5, rtol=0)
    assert float(found[1][keys:].abs().sum()) == 0


def test_a_line_that_is_dropped_is_gone_at_once() -> None:
    """Its memory is hundreds of megabytes at real size: no cycle may hold it."""
    model = LanguageModel(DENSE)
    line = KvCache(model, 64)
    line._graphed = GraphedStep(language_step(model), line.buffers, torch.zeros(1, 1, WIDTH))
    held = weakref.ref(line.buffers.layers[0][0])
    gc.disable()
    try:
        del line
        assert held() is None
    finally:
        gc.enable()


def test_urgent_work_has_the_better_stream(device: Device) -> None:
    cuda_streams = CudaStreams(torch.device("cuda"))
    assert device.log == ["device waits"]  # the weights are there before any stream reads them
    device.log.clear()
    for priority in Priority:
        with cuda_streams.device_stream(priority):
            device.log.append(priority.name)
            assert torch.is_inference_mode_enabled()
    assert device.log == [
        "into -1", "HEARING", "wait -1", "into -1", "FIRST", "wait -1",
        "into 0", "RUNNING", "wait 0",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="broken"), cuda_streams.device_stream(Priority.RUNNING):
        raise ValueError("broken")
    assert device.log[-1] == "wait 0"
