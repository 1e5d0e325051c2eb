"""Traces on disk: written beside the conversation, and what cannot be written is told."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from duplex.events import VoiceMeasured
from duplex.trace import Record, read_trace
from server.tracing import TraceFile, fault_of

WINDOW = Record(1.0, "event", VoiceMeasured(0.0, 0.032, 0.5))


def test_all_records_are_in_the_file_in_order(tmp_path: Path) -> None:
    lost: list[None] = []
    with ThreadPoolExecutor(1) as disk:
        path = tmp_path / "new" / "a.jsonl"
        trace = TraceFile(path, disk, words=True, on_lost=lambda: lost.append(None))
        for number in range(1000):
            trace.record(Record(float(number), "event", VoiceMeasured(0.0, 0.032, 0.5)))
        trace.close()
    times = [record.now for record in read_trace(path) if record.direction == "event"]
    assert times == [float(number) for number in range(1000)] and not lost


def test_a_disk_that_refuses_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    lost: list[None] = []
    with ThreadPoolExecutor(1) as disk:
        path = tmp_path / "file" / "a.jsonl"
        trace = TraceFile(path, disk, words=True, on_lost=lambda: lost.append(None))
        trace.record(WINDOW)
        trace.close()
    assert len(lost) == 1
    assert "a.jsonl is lost" in caplog.text


def test_a_disk_that_hangs_costs_a_bounded_memory(tmp_path: Path) -> None:
    lost: list[None] = []
    free = Event()
    with ThreadPoolExecutor(1) as disk:
        disk.submit(free.wait)
        trace = TraceFile(tmp_path / "a.jsonl", disk, words=True, on_lost=lambda: lost.append(None))
        for _ in range(10):
            trace.close()
        assert not lost
        for _ in range(100):
            trace.close()
        assert len(lost) == 46
        free.set()


def test_nobody_else_may_read_a_trace(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.jsonl"
    with ThreadPoolExecutor(1) as disk:
        trace = TraceFile(path, disk, words=True, on_lost=lambda: None)
        trace.record(WINDOW)
        trace.close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_folder_for_traces_is_tried_out(tmp_path: Path) -> None:
    assert fault_of(tmp_path / "new") == ""
    (tmp_path / "file").write_text("")
    fault = fault_of(tmp_path / "file" / "traces")
    assert fault.startswith("trace_directory: ") and "\n" not in fault
