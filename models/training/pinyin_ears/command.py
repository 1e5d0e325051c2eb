"""The recipe of the speller of Chinese, one command a step: speak, people, hear, learn,
mean, pack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console

from models.moonshine import load as load_recogniser
from models.training.corpus import VoiceShares
from models.training.options import NANO, STAGES, Minutes, Rate, Seed, Threads

RUNS = Path("runs/pinyin")
Folder = Annotated[Path, typer.Option(help="Where clips, frames and weights are kept.")]

application = typer.Typer(help=__doc__, no_args_is_help=True)


@application.command()
def speak(
    name: Annotated[str, typer.Argument(help="Of the folder of clips.")],
    minutes: Minutes = 14,
    english: Annotated[bool, typer.Option(help="What is no Chinese.")] = False,
    neural: Annotated[float, typer.Option(help="Share of Kokoro's voices.")] = 0.0,
    distilled: Annotated[float, typer.Option(help="Share of hibari among the others.")] = 0.0,
    held_out: Annotated[bool, typer.Option(help="Reserved voices.")] = False,
    seed: Seed = 0,
    folder: Folder = RUNS,
) -> None:
    """Speak random texts for so many minutes of wall-clock time."""
    from models.training.pinyin_ears.speaking import write_clips

    voices = VoiceShares(neural=neural, distilled=distilled)
    target = folder / "clips" / name
    spoken = write_clips(target, not english, voices, minutes, seed, held_out)
    Console().log(f"{target}: {spoken:.0f} minutes of speech")


@application.command()
def people(
    manifest: Annotated[Path, typer.Argument(help="Of recordings.")],
    name: Annotated[str, typer.Option(help="Of the folder of clips.")] = "people",
    folder: Folder = RUNS,
) -> None:
    """Take recordings of English whose words the recogniser is sure of."""
    from models.training.pinyin_ears.speaking import write_recorded

    target = folder / "clips" / name
    spoken = write_recorded(target, manifest, load_recogniser())
    Console().log(f"{target}: {spoken:.0f} minutes of speech")


@application.command()
def hear(
    names: Annotated[list[str], typer.Argument(help="Folders of clips.")],
    target: Annotated[str, typer.Option(help="Name of the shard.")] = "taught",
    times: Annotated[int, typer.Option(help="Surroundings of each clip; 0: as it is.")] = 4,
    manifest: Annotated[Path | None, typer.Option(help="Of recorded noises.")] = None,
    seed: Seed = 0,
    folder: Folder = RUNS,
) -> None:
    """Give the clips to the recogniser's encoder and keep its frames."""
    from models.training.pinyin_ears.frames import write_frames
    from models.training.pinyin_ears.varying import Surroundings

    surroundings = Surroundings(seed, manifest) if times else None
    clips = [folder / "clips" / name for name in names]
    minutes = write_frames(clips, folder / target, load_recogniser(), surroundings, times)
    Console().log(f"{folder / target}: {minutes:.0f} minutes of frames")


@application.command()
def learn(
    shards: Annotated[list[str], typer.Argument(help="Shards to learn from.")],
    held_out: Annotated[str, typer.Option(help="Shard to be judged on.")] = "held-out",
    start: Annotated[Path | None, typer.Option(help="Weights to go on from.")] = None,
    minutes: Minutes = 15,
    rate: Rate = 1.2e-3,
    threads: Threads = 1,
    seed: Seed = 0,
    folder: Folder = RUNS,
    target: Annotated[str, typer.Option(help="Name of the weights.")] = "pinyin",
) -> None:
    """Learn to spell from the frames."""
    from models.training.pinyin_ears.frames import Shard
    from models.training.pinyin_ears.learning import Lesson, load, places_of
    from models.training.pinyin_ears.learning import learn as run
    from models.training.pinyin_ears.network import SpellingNetwork

    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    taught = places_of([Shard.read(folder / name) for name in shards])
    judged = places_of([Shard.read(folder / held_out)])
    network = SpellingNetwork() if start is None else load(start).train()
    found = run(network, taught, judged, folder / target, Lesson(minutes, rate, seed))
    Console().log(f"{len(taught)} clips; {found}")


@application.command()
def mean(
    runs: Annotated[list[Path], typer.Argument(help="Weights of runs with one beginning.")],
    held_out: Annotated[str, typer.Option(help="Shard to be judged on.")] = "held-out",
    folder: Folder = RUNS,
) -> None:
    """Write the mean of several runs' weights."""
    from models.training.pinyin_ears.frames import Shard
    from models.training.pinyin_ears.learning import WEIGHTS, mean_of, places_of, save, wrong

    network = mean_of(runs)
    save(network, folder / WEIGHTS)
    Console().log(wrong(network, places_of([Shard.read(folder / held_out)])))


@application.command()
def pack(folder: Folder = RUNS, stages: Path = STAGES, target: Path = NANO) -> None:
    """Write what the server reads: the speller, and the adapter's way to read its letters."""
    from models.training.pinyin_ears.learning import WEIGHTS, load
    from models.training.pinyin_ears.packing import pack as write
    from models.training.pinyin_ears.packing import tower_in

    write(load(folder / WEIGHTS), tower_in(stages, target), target)
