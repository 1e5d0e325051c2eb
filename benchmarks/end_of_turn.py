"""Has the speaker finished? nano and the core's own rule, beside Smart Turn, on the same cuts.

    python -m benchmarks.end_of_turn --data FOLDER [--peer UNPACKED_WHEEL]

Each order is cut twice: at its end, and in its longest gap, which is then filled with the gap's own
room tone. What was said before the gap is read by a recogniser; where that names a drink it is a
whole order by itself, and counted apart: nobody can tell from the sound that more is to come.

The peer decides once, 200 ms after the voice, as pipecat runs it; `--peer` names a folder into
which the wheel of pipecat-ai 1.14.0 (BSD-2-Clause, Daily) was unpacked, and its own files are run
as they are. nano is asked as the server asks it: at the pause, and every 64 ms after it while it is
not sure. `cpu` is what a judge computes from the pause to its decision; `cpu_whole` counts, for
nano, the hearing of the segment before the pause, too, which the server does while the user speaks.
"""

from __future__ import annotations

import asyncio
import importlib.util
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import process_time
from typing import Annotated, Any

import numpy as np
import onnxruntime
import orjson
import typer

from audio.frame import HEAR_RATE, Samples
from benchmarks.machine import header
from benchmarks.material import find_data, load, longest_gap
from benchmarks.percentiles import distribution, rate
from duplex.endpointing import (
    FLUSH_EVERY_S,
    Endpoint,
    Settings,
    is_sure,
    judge_pause,
    thresholds_for,
)
from duplex.listening import PADDING_S
from duplex.turns import FLUSH_UNTIL_S
from models import moonshine
from models.base import HEAR_CHUNK, Conversation, Instance
from models.engines.embedded import EmbeddedInstance
from models.engines.embedded import load as load_bundle
from models.order_slots import DRINKS
from server.call.voiced import bounds
from server.config import ServerSettings
from server.evaluation.manifest import LabelledRecording, read_manifest, read_sound

FIRST_ASKED_S = 0.096  # a pause is seen so long after the last voiced sample
PEER_ASKED_S = 0.2
TAIL_S = 0.8  # what follows the voice
_DRINK = re.compile("|".join((*DRINKS, "moka")))


@dataclass(frozen=True, slots=True)
class CutOrder:
    """The sound of an order as far as one cut, and the room after it. `is_end`: the order is over;
    `is_whole`: what was said could be the whole order."""

    name: str
    said: Samples
    tail: Samples
    is_end: bool
    is_whole: bool


@dataclass(slots=True)
class EndDecisions:
    """What one judge made of the cuts: seconds of silence until each end was taken, which pauses
    were taken for an end, and CPU seconds a decision."""

    waited: list[float] = field(default_factory=list)
    ends: list[bool] = field(default_factory=list)
    pauses: list[bool] = field(default_factory=list)
    whole_pauses: list[bool] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    cpu_whole: list[float] = field(default_factory=list)

    def add(self, cut: CutOrder, waited: float | None, cpu: float, cpu_whole: float) -> None:
        """`waited` None: the cut was not taken for an end."""
        self.cpu.append(cpu)
        self.cpu_whole.append(cpu_whole)
        if cut.is_end:
            self.ends.append(waited is not None)
            if waited is not None:
                self.waited.append(waited)
        else:
            kept = self.whole_pauses if cut.is_whole else self.pauses
            kept.append(waited is not None)

    def figures(self) -> dict[str, Any]:
        return {
            "ends_taken": rate(self.ends),
            "pauses_taken": rate(self.pauses),
            "whole_pauses_taken": rate(self.whole_pauses),
            "silence_before_end": distribution(self.waited),
            "cpu": distribution(self.cpu),
            "cpu_whole": distribution(self.cpu_whole),
        }


def cuts_of(recording: LabelledRecording, read: Callable[[Samples], str]) -> list[CutOrder]:
    """The cut at the order's end and, where it has a gap, the one in its longest gap."""
    sound = read_sound(recording, HEAR_RATE)
    voiced = bounds(sound, HEAR_RATE)
    if voiced is None:
        return []
    start, end = _sample(voiced.start - PADDING_S), _sample(voiced.end)
    tail = _filled(sound[end : end + _sample(TAIL_S)])
    cuts = [CutOrder(recording.name, sound[start:end], tail, True, True)]
    gap = longest_gap(load(recording))
    if gap is not None:
        first, last = _sample(gap.start), _sample(gap.end)
        said = sound[start:first]
        is_whole = _DRINK.search(read(said).lower()) is not None
        edge = _sample(0.01)
        tone = _filled(sound[first + edge : max(last - edge, first + edge + 1)])
        cuts.append(CutOrder(recording.name, said, tone, False, is_whole))
    return cuts


def _sample(seconds: float) -> int:
    return max(0, round(seconds * HEAR_RATE))


def _filled(tone: Samples) -> Samples:
    """A stretch of room tone of TAIL_S, there and back again so that its seams are smooth."""
    if not len(tone):
        return np.zeros(_sample(TAIL_S), np.float32)
    return np.resize(np.concatenate((tone, tone[::-1])), _sample(TAIL_S)).astype(np.float32)


async def ask_model(instance: Instance, cut: CutOrder) -> tuple[float | None, float, float]:
    """Seconds of silence after which the server would take the turn, None if it waits on through
    FLUSH_UNTIL_S; the CPU seconds since the pause, and since the segment's beginning."""
    thresholds, began = thresholds_for(Settings()), process_time()
    stream = await instance.open(Conversation())
    try:
        sound = np.concatenate((cut.said, cut.tail))
        heard, silence = 0, FIRST_ASKED_S
        while len(cut.said) - heard >= HEAR_CHUNK:
            await stream.hear(sound[heard : heard + HEAR_CHUNK])
            heard += HEAR_CHUNK
        paused = process_time()
        while silence <= FLUSH_UNTIL_S:
            until = len(cut.said) + _sample(silence)
            while until - heard > HEAR_CHUNK:
                await stream.hear(sound[heard : heard + HEAR_CHUNK])
                heard += HEAR_CHUNK
            verdict = await stream.hear(sound[heard:until], last=True)
            heard = until
            ruling = judge_pause(verdict, silence, thresholds)
            next_silence = silence + FLUSH_EVERY_S
            takes = verdict.query >= thresholds.query
            if takes and (is_sure(verdict, thresholds) or ruling.due <= next_silence):
                due = max(silence, ruling.due)
                if judge_pause(verdict, due, thresholds).outcome is Endpoint.COMMIT:
                    return due, process_time() - paused, process_time() - began
            silence = next_silence
        return None, process_time() - paused, process_time() - began
    finally:
        await stream.close()


class Peer:
    """Smart Turn v3.2 out of the files of pipecat's wheel, unpacked in `folder`."""

    def __init__(self, folder: Path) -> None:
        place = folder / "pipecat" / "audio" / "turn" / "smart_turn"
        spec = importlib.util.spec_from_file_location(
            "whisper_features", place / "_whisper_features.py"
        )
        assert spec is not None and spec.loader is not None
        features = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(features)
        self._features = features.compute_whisper_log_mel_features
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        model = place / "data" / "smart-turn-v3.2-cpu.onnx"
        self._session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )

    def ask(self, cut: CutOrder) -> tuple[float | None, float, float]:
        """PEER_ASKED_S if it takes the cut for an end, and the CPU seconds of the decision."""
        began = process_time()
        longest = 8 * HEAR_RATE
        sound = np.concatenate((cut.said, cut.tail[: _sample(PEER_ASKED_S)]))[-longest:]
        padded = np.pad(sound, (longest - len(sound), 0))
        features = self._features(padded, do_normalize=True)[None]
        share = float(self._session.run(None, {"input_features": features})[0].ravel()[0])
        cpu = process_time() - began
        return (PEER_ASKED_S if share > 0.5 else None), cpu, cpu


async def compare(
    recordings: Sequence[LabelledRecording], model: Path, peer: Peer | None
) -> dict[str, Any]:
    """The figures of both on every cut."""
    recogniser = moonshine.load()
    instance = EmbeddedInstance(load_bundle(model), "a")
    await instance.warm_up()
    own, others = EndDecisions(), EndDecisions()
    try:
        for recording in recordings:
            for cut in cuts_of(recording, recogniser.transcribe):
                own.add(cut, *await ask_model(instance, cut))
                if peer is not None:
                    others.add(cut, *peer.ask(cut))
    finally:
        await instance.close()
    return {"antiphon": own.figures()} | ({} if peer is None else {"smart_turn": others.figures()})


def main(
    data: Annotated[Path | None, typer.Option(help="Folder of recordings.")] = None,
    split: Annotated[str, typer.Option(help="Which of them.")] = "dev",
    peer: Annotated[Path | None, typer.Option(help="pipecat-ai's wheel, unpacked.")] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many orders.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write JSON here.")] = None,
) -> None:
    """Compare on people's orders; prints JSON."""
    folder = find_data(data)
    if folder is None:
        raise typer.BadParameter("no recordings: give --data")
    found = read_manifest(folder / "MANIFEST.tsv")
    orders = [one for one in found if one.label == "query" and one.split == split][:limit]
    judged = Peer(peer) if peer is not None else None
    report = header() | {"split": split, "orders": len(orders)}
    report |= asyncio.run(compare(orders, ServerSettings().model, judged))
    text = orjson.dumps(report, option=orjson.OPT_INDENT_2)
    if out is not None:
        out.write_bytes(text + b"\n")
    typer.echo(text.decode())


if __name__ == "__main__":
    typer.run(main)
