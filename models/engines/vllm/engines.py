"""A model's engines: how many, how large, where, and which is whose."""

from __future__ import annotations

import logging
import os
import tempfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import torch

from models.base import InstanceFailed
from models.engines.vllm.folder import prepare
from models.engines.vllm.frontend import ModelFrontend
from models.engines.vllm.host import EngineHost, EngineProcess
from models.engines.vllm.input_validator import InputValidator, check_model
from models.engines.vllm.launch import EngineSize, arguments, launch
from models.engines.vllm.preloading import WeightDaemon
from models.engines.vllm.topology import MEBIBYTE, Needs, Topology, is_dual, needs_of
from models.engines.vllm.visibility import only

logger = logging.getLogger(__name__)
CPU_STREAMS = 16  # full streams for which an engine on the CPU has a cache
FEATURES_GIB = 1  # of features that an engine keeps: 70 conversations of 1,000 vectors of VITA
CPU_BLOCK, GPU_BLOCK = 32, 16  # tokens of one block of the prefix cache
_starting = Lock()  # memory is measured at a start, and the environment says which GPU it is for


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What an operator may choose. `devices`: "cpu", or the GPUs on which engines take turns, as
    CUDA counts them. `memory`: share of each GPU for all its engines. `cache_mebibytes`: of each
    engine; None: what is left. `sequences` are computed in one step; beside them there is room for
    `listening` streams of a pair whose sessions wait for more sound."""

    topology: Topology = "auto"
    devices: tuple[str, ...] = ("cpu",)
    memory: float = 0.85
    cache_mebibytes: int | None = None
    sequences: int = 64
    listening: int = 8
    share_weights: bool = False

    @property
    def is_cpu(self) -> bool:
        return self.devices == ("cpu",)

    @property
    def number_bytes(self) -> int:
        return 4 if self.is_cpu else 2

    @property
    def dtype(self) -> str:
        return "float32" if self.is_cpu else "bfloat16"


class Engines:
    """All engines of one model, and what stands round them."""

    def __init__(self, frontend: ModelFrontend, options: EngineOptions, pairs: int) -> None:
        """Blocks until every engine is up. Raises CheckpointRefused before any is started."""
        check_model(frontend.language, is_cpu=options.is_cpu)
        self.frontend, self.options = frontend, options
        self.validator = InputValidator(
            frontend.capacity, frontend.language.vocabulary, frontend.language.width
        )
        self.licence = frontend.licence
        needs = needs_of(
            frontend.language, frontend.capacity, options.number_bytes,
            is_shared=options.share_weights and not options.is_cpu,
        )  # fmt: skip
        self.is_dual = is_dual(options.topology, needs, _memory_there(options), pairs)
        self._members: set[str] = set()
        self._scratch = tempfile.TemporaryDirectory(prefix="antiphon-vllm-")
        self._folder = prepare(
            frontend.files, frontend.language, frontend.states, Path(self._scratch.name)
        )
        self._daemons = dict[str, WeightDaemon]()
        self.hosts = self._made(pairs, needs)
        for host in self.hosts.values():
            host.start()

    def mine(self, name: str) -> EngineHost:
        """The engine of an instance: "0a" and "0b" are a pair."""
        return self.hosts[name if self.is_dual else name[:-1]]

    def living(self, name: str) -> tuple[EngineHost, EngineProcess]:
        """The engine for a new stream: while the instance's own is down, the other of its pair.
        Raises InstanceFailed where that is down too."""
        own = self.mine(name)
        pair = [host for key, host in self.hosts.items() if key.rstrip("ab") == name[:-1]]
        for host in sorted(pair, key=lambda host: host is not own):
            if host.is_up:
                return host, host.process
        raise InstanceFailed("the engines are being started again")

    def join(self, name: str) -> None:
        """An instance of this name will use the engines."""
        self._members.add(name)

    async def leave(self, name: str) -> None:
        """The last to leave closes them."""
        self._members.discard(name)
        if self._members:
            return
        for host in self.hosts.values():
            await host.close()
        for daemon in self._daemons.values():
            daemon.close()
        self._scratch.cleanup()

    def _made(self, pairs: int, needs: Needs) -> dict[str, EngineHost]:
        letters = "ab" if self.is_dual else ("",)
        names = [f"{pair}{letter}" for pair in range(pairs) for letter in letters]
        size, devices = self._size(len(names), needs), self.options.devices
        on = {name: devices[at % len(devices)] for at, name in enumerate(names)}
        return {
            name: EngineHost(
                name,
                partial(_start, self._arguments(size, device), device),
                dtype=self.options.dtype,
                parked=size.parked,
                kept_bytes=size.features_gib << 30,
            )
            for name, device in on.items()
        }

    def _arguments(self, size: EngineSize, device: str) -> dict[str, Any]:
        """What an engine on a device is told; with shared weights a daemon holds them there."""
        options, sockets = self.options, None
        if options.share_weights and not options.is_cpu:
            sockets = self._daemon(device).sockets
        block = CPU_BLOCK if options.is_cpu else GPU_BLOCK
        size = replace(size, weights_sockets=sockets)
        return arguments(self._folder, size, options.dtype, block)

    def _size(self, engines: int, needs: Needs) -> EngineSize:
        options = self.options
        size = EngineSize(
            tokens=self.validator.capacity + 1,
            sequences=options.sequences,
            parked=self._parked(),
            features_gib=0 if self.frontend.is_streamed else FEATURES_GIB,
            memory_share=options.memory * len(options.devices) / max(engines, len(options.devices)),
            eager=options.is_cpu,
        )
        if options.cache_mebibytes is not None:
            return replace(size, cache_bytes=options.cache_mebibytes * MEBIBYTE)
        return replace(size, cache_bytes=CPU_STREAMS * needs.stream) if options.is_cpu else size

    def _parked(self) -> int:
        """Sessions of one engine that wait for more sound: vLLM counts them as running."""
        if not self.frontend.is_streamed:
            return 0
        return -(-self.options.listening // 2) if self.is_dual else self.options.listening

    def _daemon(self, device: str) -> WeightDaemon:
        """One for each device: it holds the weights of all engines there."""
        if device not in self._daemons:
            sockets = self._folder / f"sockets-{device.replace(':', '-')}"
            sockets.mkdir(mode=0o700)
            self._daemons[device] = WeightDaemon(self._folder, self.options.dtype, sockets, device)
        return self._daemons[device]


def _start(given: dict[str, Any], device: str) -> Any:
    with _starting, only(device):
        return launch(given)


def _memory_there(options: EngineOptions) -> int:
    """Bytes that all engines together may take."""
    if options.is_cpu:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    total = sum(torch.cuda.get_device_properties(at).total_memory for at in options.devices)
    return round(options.memory * total)
