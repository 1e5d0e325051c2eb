"""How many codes the speech decoder makes when voices step together, and when each steps by itself:
`python -m benchmarks.voices`."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Annotated, Any

import orjson
import torch
import typer
from rich.console import Console

from benchmarks.machine import header
from models.engines.speech_batcher import SpeechBatcher, SpeechSlot
from models.vita.blocks import initialise
from models.vita.config import SpeechDecoderConfig
from models.vita.speech_decoder import SpeechDecoder
from models.vita.tensor_files import CheckpointRefused

TEXT = 40  # vectors of a spoken chunk: a clause
CODE = 1


def decoders(device: str) -> dict[str, SpeechDecoder]:
    """nano's own, where its weights are there, and one of VITA-1.5's size with random weights."""
    found = {"VITA-1.5's size": _random(device)}
    try:
        found["nano"] = _nano(device)
    except (CheckpointRefused, FileNotFoundError) as error:
        Console(stderr=True).print(f"without nano: {error}")
    return found


def _nano(device: str) -> SpeechDecoder:
    from models.engines.nano_torch import TorchNano
    from models.engines.pytorch import load

    model = load(Path("models/nano"), device)
    assert isinstance(model, TorchNano) and model.networks.speech is not None
    return model.networks.speech


def _random(device: str) -> SpeechDecoder:
    dtype = torch.bfloat16 if device.startswith("cuda") else torch.float32
    torch.manual_seed(1)
    decoder = SpeechDecoder(SpeechDecoderConfig()).eval().requires_grad_(False)
    initialise(decoder)
    return decoder.to(device, dtype)


def rate(rooms: list[SpeechBatcher], codes: int) -> float:
    """Codes per second of all voices, one voice in each of `rooms`, which may be the same."""
    lines = [SpeechSlot(room) for room in rooms]
    like = rooms[0].decoder.norm.weight
    for line in lines:
        line.begin(torch.randn(TEXT, line.decoder.config.width).to(like))
    began = perf_counter()
    for _ in range(codes):
        for line in lines:
            line.expect(CODE)
        for line in lines:
            line.advance(CODE)
    return codes * len(lines) / (perf_counter() - began)


@torch.inference_mode()
def measure(decoder: SpeechDecoder, voices: int, codes: int, rounds: int) -> dict[str, Any]:
    """Turn by turn, so that a busy machine is busy for both."""
    shared = SpeechBatcher(decoder, TEXT, codes)
    own = [SpeechBatcher(decoder, TEXT, codes) for _ in range(voices)]
    kinds = {"together": [shared] * voices, "singly": own}
    for rooms in kinds.values():
        rate(rooms, 4)  # first touches
    found: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, rooms in kinds.items():
            found[name].append(rate(rooms, codes))
    return {"voices": voices} | {name: median(rates) for name, rates in found.items()}


def command(
    voices: Annotated[str, typer.Option(help="With commas.")] = "1,2,4,8",
    codes: Annotated[int, typer.Option(min=1, help="Of each voice.")] = 100,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    output: Annotated[Path | None, typer.Option(help="Write JSON here.")] = None,
) -> None:
    """Codes per second, medians of the rounds."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_num_threads(1)
    found: dict[str, Any] = header(device=device)
    counts = [int(count) for count in voices.split(",")]
    for name, decoder in decoders(device).items():
        found[name] = [measure(decoder, count, codes, rounds) for count in counts]
        Console().print(name, found[name])
    if output is not None:
        output.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))


if __name__ == "__main__":
    typer.run(command)
