"""tests: CUDA's graphs and streams with a stand-in for the device: slots, masks, order, release."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.gpu_measures import memory
from models.base import SPARE_STREAMS, AnswerOptions, Conversation, InstanceFailed, OutOfRoom
from models.engines import kv_cache, speech_batcher, vita_model
from models.engines.bundle import BadBundle
from models.engines.cuda_streams import CudaStreams
from models.engines.jobs import Priority
from models.engines.kv_cache import KvCache, KvSlot, KvSlots, windows
from models.engines.pytorch import PytorchInstance, load
from models.engines.speech_batcher import SpeechBatcher, SpeechSlot
from models.engines.vita_model import VitaWeights
from models.vita.adapter import AudioTower
from models.vita.config import LanguageModelConfig, SpeechDecoderConfig
from models.vita.language_model import LanguageModel
from models.vita.speech_decoder import SpeechDecoder
from tests.models.engines.cuda_stand_in import Device

WIDTH = 32
DENSE = LanguageModelConfig(
    vocabulary=50, width=WIDTH, layers=2, heads=4, key_value_heads=2, feed_forward=48
)
SPARSE = LanguageModelConfig(
    vocabulary=50, width=WIDTH, layers=2, heads=4, key_value_heads=2, feed_forward=48, experts=4,
    attention_bias=False,
)  # fmt: skip


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Device:
    return Device(monkeypatch)


@pytest.fixture(params=[DENSE, SPARSE])
def model(request: pytest.FixtureRequest) -> LanguageModel:
    torch.manual_seed(1)
    return LanguageModel(request.param).eval().requires_grad_(False)


def slot_of(model: LanguageModel, capacity: int = 64) -> KvSlot:
    return KvSlot(model, capacity)


def test_a_captured_step_equals_the_plain_one(model: LanguageModel, device: Device) -> None:
    with torch.inference_mode():
        slot = slot_of(model)
        plain = KvCache(model, slot_of(model))
        slot.capture(model)
        assert device.log == ["run", "run", "wait here", "run"]  # warm, then captured once
        graphed = KvCache(model, slot)
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
        torch.testing.assert_close(graphed.logits(), plain.logits(), atol=1e-5, rtol=0)
        ids = [3, 7, 1]
        torch.testing.assert_close(graphed.scores(ids), plain.logits()[ids], atol=1e-5, rtol=0)
    assert device.log.count("run") == 3
    assert device.log.count("replay") == 4


def test_a_step_attends_to_little_more_than_is_there(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows of 8, 16, 32, 40 tokens: the shortest that holds the new token is replayed."""
    monkeypatch.setattr(kv_cache, "SHORTEST_WINDOW", 8)
    assert windows(40) == [8, 16, 32, 40]
    assert windows(8) == [8]
    model = LanguageModel(DENSE).eval().requires_grad_(False)
    with torch.inference_mode():
        slot = slot_of(model, 40)
        slot.capture(model)
        plain, graphed = KvCache(model, slot_of(model, 40)), KvCache(model, slot)
        for length in range(1, 41):
            vector, graph = torch.randn(1, WIDTH), slot.graph(length)
            assert graph is not None
            assert graph._buffers.capacity == next(w for w in (8, 16, 32, 40) if w >= length)
            for line in (plain, graphed):
                line.read(vector)
            torch.testing.assert_close(graphed.logits(), plain.logits(), atol=1e-5, rtol=0)
        with pytest.raises(OutOfRoom):
            graphed.read(torch.randn(1, WIDTH))


def test_caches_are_lent_and_come_back(device: Device, caplog: pytest.LogCaptureFixture) -> None:
    model = LanguageModel(DENSE).eval().requires_grad_(False)
    with torch.inference_mode():
        slots = KvSlots(model, 16, count=2)
        captured = len(device.graphs)
        first, second = slots.lend(), slots.lend()
        assert first.buffers is not second.buffers
        third = slots.lend()  # more streams than were prepared for: slower, and said
        assert "all 2 captured caches are lent" in caplog.text
        memory = first.buffers
        first.read(torch.randn(3, WIDTH))
        del first
        again = slots.lend()
        assert again.buffers is memory and again.length == 0
        for line in (again, second, third):
            line.read(torch.randn(1, WIDTH))
    assert len(device.graphs) == captured == 2  # none while streams come and go
    assert device.log.count("replay") == 2


def test_captured_voices_equal_plain_ones(
    device: Device, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One to nine voices come and go: graphs for powers of two, and rows that sit out."""
    torch.manual_seed(2)
    config = SpeechDecoderConfig(
        width=WIDTH, layers=2, heads=4, feed_forward=64, codes=20, aligner=(1, 0)
    )
    decoder = SpeechDecoder(config).eval().requires_grad_(False)
    with torch.inference_mode():
        with monkeypatch.context() as no_graphs:
            no_graphs.setattr(speech_batcher, "uses_graphs", lambda _: False)
            plain = SpeechBatcher(decoder, 12, 20)
        graphed = SpeechBatcher(decoder, 12, 20)
        assert sorted(graphed._graphs) == [1, 4, 8]  # before anybody speaks
        captured = len(device.graphs)
        pairs = [(SpeechSlot(plain), SpeechSlot(graphed)) for _ in range(9)]
        for count in (1, 3, 8, 9, 2, 5):
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
    assert device.log.count("replay") == 3 * 4  # the ninth voice ends that
    assert "more than 8 voices" in caplog.text
    assert len(device.graphs) == captured


def assert_alike(found: tuple[Tensor, Tensor | None], wanted: tuple[Tensor, Tensor | None]) -> None:
    torch.testing.assert_close(found[0], wanted[0], atol=1e-5, rtol=0)
    assert found[1] is not None
    assert wanted[1] is not None
    keys = min(len(found[1]), len(wanted[1]))
    torch.testing.assert_close(found[1][:keys], wanted[1][:keys], atol=1e-5, rtol=0)
    assert float(found[1][keys:].abs().sum()) == 0


def test_a_cache_that_is_dropped_is_gone_at_once(device: Device) -> None:
    """Its memory is hundreds of megabytes at real size: no cycle may hold it."""
    model = LanguageModel(DENSE)
    slot = slot_of(model)
    with torch.inference_mode():
        slot.capture(model)
    line = KvCache(model, slot)
    slot.lend(line)
    held = weakref.ref(line.buffers.layers[0][0])
    gc.disable()
    try:
        for graph in device.graphs:  # the stand-in's own cycle
            graph.work = tuple
        device.graphs.clear()
        del line
        assert slot.is_free
        del slot
        assert held() is None
    finally:
        gc.enable()


@pytest.fixture
def tiny(released: Path) -> VitaWeights:
    weights = load(released, "cpu", capacity=256, slots=2)
    assert isinstance(weights, VitaWeights)
    return weights


async def test_two_instances_never_capture_at_once(
    tiny: VitaWeights, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each capture leaves the other thread time to begin one too: it must not, even where both
    instances warm up and open streams at the same time."""
    device = Device(monkeypatch, is_inviting=True)
    pair = [PytorchInstance(tiny, name) for name in "ab"]
    await asyncio.gather(*(instance.warm_up() for instance in pair))
    captured = len(device.graphs)
    assert captured > 2 * 2
    assert device.overlaps == 0
    assert len(device.pools) == 2 == len({id(graph.pool) for graph in device.graphs})
    for _ in range(2):
        streams = await asyncio.gather(*(each.open(Conversation()) for each in pair))
        for stream in streams:
            await stream.hear(np.zeros(6_000, np.float32), last=True)
            async for _ in stream.answer(AnswerOptions(max_tokens=2)):
                continue
            await stream.close()
    assert len(device.graphs) == captured  # nothing is captured while answers run
    assert "replay" in device.log
    for instance in pair:
        await instance.close()


async def test_an_instance_that_is_made_anew_captures_anew(
    tiny: VitaWeights, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its new thread has caches and graphs of its own, in a pool of its own."""
    instance = PytorchInstance(tiny)
    await instance.warm_up()
    first = len(device.graphs)

    trial, failures = instance._try_out, [SystemError("still")]
    passed, loop = asyncio.Event(), asyncio.get_running_loop()

    def broken() -> None:
        raise SystemError("as a driver does")

    def tried() -> None:
        if failures:
            raise failures.pop()
        trial()
        loop.call_soon_threadsafe(passed.set)

    monkeypatch.setattr(instance.worker, "_trial", tried)
    with pytest.raises(InstanceFailed):
        await instance.run(broken, Priority.RUNNING)
    async with asyncio.timeout(20):
        await passed.wait()
        while not instance.is_up:  # noqa: ASYNC110 (its trial has passed: only a word is left)
            await asyncio.sleep(0)
    assert len(device.graphs) == 2 * first
    stream = await instance.open(Conversation())
    await stream.hear(np.zeros(6_000, np.float32), last=True)
    assert len(device.pools) == 2
    await instance.close()


async def test_an_instance_takes_the_memory_that_inspect_calculates(
    released: Path, device: Device
) -> None:
    """The trial's own measure, over the caches and voices that a GPU would prepare; on the CPU
    numbers have twice the bytes."""
    weights = load(released, "cpu", capacity=2_048, slots=SPARE_STREAMS + 3)
    assert isinstance(weights, VitaWeights)
    pair = PytorchInstance(weights, "a"), PytorchInstance(weights, "b")
    found = await memory(weights, pair)
    assert found["conversations"] == 3
    wanted = 2 * found["calculated"]["caches_of_an_instance"]
    for which in ("first", "second"):
        assert found[f"{which}_instance_adds"] == pytest.approx(wanted, rel=0.05)
    for instance in pair:
        await instance.close()


async def test_every_length_of_a_segment_is_seen_at_warm_up(
    tiny: VitaWeights, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = set[int]()
    encode = AudioTower.forward

    def noted(tower: AudioTower, features: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        lengths.add(features.shape[1])
        return encode(tower, features, counts)

    monkeypatch.setattr(AudioTower, "forward", noted)
    monkeypatch.setattr(vita_model, "LONGEST", 200)
    instance = PytorchInstance(tiny)
    await instance.warm_up()
    assert lengths == {64, 128, 192, 256}
    stream = await instance.open(Conversation())
    for _ in range(8):
        await stream.hear(np.zeros(4_000, np.float32), last=True)
    assert lengths == {64, 128, 192, 256}
    await instance.close()


def planned() -> bool:
    """Is cuDNN's attention on?"""
    return bool(torch.backends.cuda.cudnn_sdp_enabled())  # type: ignore[no-untyped-call]


def test_a_process_that_serves_on_a_gpu_is_prepared_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No plans of cuDNN for every new length, and a thread that has waited for the device gets
    Python back soon; nothing changes for the CPU."""
    before = planned(), sys.getswitchinterval()
    try:
        for device, changed in (("cpu", False), ("cuda", True)):
            with pytest.raises(BadBundle, match=r"config\.json"):
                load(tmp_path, device)
            now = planned(), sys.getswitchinterval()
            assert now == ((False, pytest.approx(0.0005)) if changed else before)
    finally:
        torch.backends.cuda.enable_cudnn_sdp(before[0])
        sys.setswitchinterval(before[1])


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
