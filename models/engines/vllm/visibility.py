"""Which GPUs the processes of an engine see."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

VISIBLE: Final = "CUDA_VISIBLE_DEVICES"


def visible_name(device: str, visible: str | None) -> str:
    """What CUDA_VISIBLE_DEVICES has to say so that a process sees `device` ("cuda:1") alone.

    `visible` is what it says here: torch counts the devices of that list, which may be numbers or
    UUIDs. Raises ValueError for a device that is not in the list.
    """
    number = int(device.removeprefix("cuda:"))
    if not visible:
        return str(number)
    names = [name.strip() for name in visible.split(",")]
    if number >= len(names):
        raise ValueError(f"{device} is none of the {len(names)} devices of {VISIBLE}={visible}")
    return names[number]


def environment_of(device: str) -> dict[str, str]:
    """The variable for a process that uses `device`; nothing for the CPU."""
    if not device.startswith("cuda:"):
        return {}
    return {VISIBLE: visible_name(device, os.environ.get(VISIBLE))}


@contextmanager
def only(device: str) -> Iterator[None]:
    """Processes that are started meanwhile see this GPU alone."""
    wanted = environment_of(device)
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
