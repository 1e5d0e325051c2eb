"""The measuring room: what a scene is, read from a small file, and the trials built from it."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.material import (
    Material,
    MissingMaterial,
    at_level,
    cropped,
    in_room,
    load,
    longest_gap,
    spoken,
    stretched,
    voices,
)
from server.call.script import Cue, Echo, Manners, Script, Stall
from server.call.timeline import Clip, load_clip
from server.call.voiced import Span

SCENES = Path(__file__).parent / "scenes"
_COMMITTED = Path(__file__).resolve().parent.parent / "tests" / "data" / "audio"
_SENTENCES = Path(__file__).parent / "sentences.toml"


@dataclass(frozen=True, slots=True)
class Sound:
    """One sound of a scene. Lists are drawn from, in turn, trial by trial.

    `clips`: names in tests/data/audio; `labels` (and `tags`): recordings of a manifest; `texts`:
    a list in sentences.toml, synthesised. `at`, or `after` (a range of seconds after the first
    audible sample of the answer), places it. `level`: dBFS of its loud part; `pauses`: lengths to
    which its longest gap is stretched; `seconds`: cut to this.
    """

    role: str
    clips: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    texts: str = ""
    at: float | None = None
    after: tuple[float, float] | None = None
    answer: bool = False
    level: tuple[float, ...] = ()
    pauses: tuple[float, ...] = ()
    seconds: float | None = None
    longest: float = float("inf")
    room: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """A scene as its file describes it. `score` names the rule, `trials` the default number."""

    name: str
    about: str
    score: str
    trials: int
    sounds: tuple[Sound, ...]
    length: float | None = None
    patience: float = 5.0
    settle: float = 1.0
    echo_gain: tuple[float, ...] = ()
    echo_delay: tuple[float, float] = (0.05, 0.4)
    stall: Stall | None = None
    manners: tuple[str, ...] = ("plain",)
    sessions: tuple[dict[str, Any], ...] = ({},)


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One call of a scene. `pause`: seconds of the first sound's clip; `group`: what it is
    reported under besides the whole (a pause's length, a session's setting)."""

    scene: str
    number: int
    script: Script
    score: str
    pause: Span | None = None
    group: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def read_scene(path: Path) -> Scene:
    """Raises ValueError naming the file and what is wrong in it."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        sounds = tuple(Sound(**_frozen(sound)) for sound in data.pop("sound"))
        stall = Stall(**data.pop("stall")) if "stall" in data else None
        sessions = tuple(data.pop("sessions", [{}]))
        return Scene(name=path.stem, sounds=sounds, stall=stall, sessions=sessions, **_frozen(data))
    except (tomllib.TOMLDecodeError, TypeError, KeyError) as error:
        raise ValueError(f"{path.name}: {error}") from error


def read_scenes(folder: Path = SCENES) -> list[Scene]:
    """All scenes of a folder, by name."""
    return [read_scene(path) for path in sorted(folder.glob("*.toml"))]


def sentences(name: str) -> list[str]:
    """One of the lists of what people say."""
    lists = tomllib.loads(_SENTENCES.read_text(encoding="utf-8"))
    return [str(text) for text in lists[name]]


def build(
    scene: Scene, material: Material, *, seed: int = 0, limit: int | None = None
) -> list[Trial]:
    """The scene's trials, the same for the same seed. Raises MissingMaterial."""
    random = Random(f"{scene.name} {seed}")
    count = scene.trials if limit is None else min(limit, scene.trials)
    choices = [_clips(sound, material, Random(f"{seed} {sound.role}")) for sound in scene.sounds]
    return [_trial(scene, number, choices, material, random) for number in range(count)]


def _trial(
    scene: Scene,
    number: int,
    choices: list[Iterator[Clip]],
    material: Material,
    random: Random,
) -> Trial:
    cues, pause, group = [], None, ""
    for sound, clips in zip(scene.sounds, choices, strict=True):
        clip = _treated(next(clips), sound, number, material)
        if sound.pauses:
            clip, pause, group = _paused(clip, clips, sound, number)
        after = None if sound.after is None else random.uniform(*sound.after)
        cues.append(Cue(clip, sound.at, after, sound.role, sound.answer))
    manner = _turn(scene.manners, number) or "plain"
    session = _turn(scene.sessions, number) or {}
    script = Script(
        cues=tuple(cues),
        length=scene.length,
        patience=scene.patience,
        settle=scene.settle,
        echo=_echo(scene, number, random),
        stall=scene.stall,
        manners=_manners(manner, session.get("session", {})),
    )
    group = group or str(session.get("name", "")) or (manner if len(scene.manners) > 1 else "")
    return Trial(scene.name, number, script, scene.score, pause, group)


def _clips(sound: Sound, material: Material, random: Random) -> Iterator[Clip]:
    """Clips for a sound without end, in an order of their own."""
    if sound.clips:
        return (load_clip(_COMMITTED / f"{name}.flac") for name in itertools.cycle(sound.clips))
    if sound.texts:
        pairs = list(itertools.product(sentences(sound.texts), voices()))
        if not pairs:
            raise MissingMaterial("no synthesiser: install espeak-ng or flite")
        random.shuffle(pairs)
        return (spoken(text, voice) for text, voice in itertools.cycle(pairs))
    found = material.recordings(sound.labels, sound.tags, sound.longest)
    random.shuffle(found)
    return (load(recording) for recording in itertools.cycle(found))


def _treated(clip: Clip, sound: Sound, number: int, material: Material) -> Clip:
    if sound.seconds is not None:
        clip = cropped(clip, sound.seconds)
    response = material.room() if sound.room else None
    if response is not None:
        clip = in_room(clip, response)
    level = _turn(sound.level, number)
    return clip if level is None else replace(clip, samples=at_level(clip.samples, level))


def _paused(clip: Clip, more: Iterator[Clip], sound: Sound, number: int) -> tuple[Clip, Span, str]:
    """The next clip that has a gap, with that gap stretched."""
    for _ in range(1000):
        gap = longest_gap(clip)
        if gap is not None:
            wanted = sound.pauses[number % len(sound.pauses)]
            clip, pause = stretched(clip, gap, wanted)
            return clip, pause, f"{wanted} s"
        clip = next(more)
    raise MissingMaterial("no clip with a gap to stretch")


def _echo(scene: Scene, number: int, random: Random) -> Echo | None:
    gain = _turn(scene.echo_gain, number)
    return None if gain is None else Echo(gain, random.uniform(*scene.echo_delay))


def _manners(name: str, session: dict[str, Any]) -> Manners:
    return Manners(
        truncates=name == "truncates",
        acknowledges=name == "acknowledges",
        explains=True,
        session=session,
    )


def _turn(values: tuple[Any, ...], number: int) -> Any:
    return values[number % len(values)] if values else None


def _frozen(data: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
