"""What a scene is, read from a small file, and the trials built from it."""

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
    broken_off,
    cropped,
    in_room,
    load,
    longest_gap,
    spoken,
    stretched,
    voices,
)
from models.training.voices import Voice
from server.call.script import CallScript, ClientBehaviour, Cue, Echo, Stall
from server.call.timeline import TimelineClip, load_clip
from server.call.voiced import Span

SCENES = Path(__file__).parent / "scenes"
_COMMITTED = Path(__file__).resolve().parent.parent / "tests" / "data" / "audio"
_SENTENCES = Path(__file__).parent / "sentences.toml"


@dataclass(frozen=True, slots=True)
class SceneSound:
    """One sound of a scene. Lists are drawn from, in turn, trial by trial.

    `clips`: names in tests/data/audio; `labels` (and `tags`): recordings of a manifest; `texts`:
    a list in sentences.toml, synthesised. `at`, or `after` (a range of seconds after the first
    audible sample of the answer), places it. `level`: dBFS of its loud part; `pauses`: lengths to
    which its longest gap is stretched (of synthesised speech: of a pause where the text has a
    bar); `seconds`: cut to this. `person`: who says the texts; within a trial the same name is the
    same voice, and another name another voice.
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
    person: str = ""


@dataclass(frozen=True, slots=True)
class BenchmarkScene:
    """A scene as its file describes it. `score` names the rule, `trials` the default number.

    `typed`: a list in sentences.toml with which the call begins, in writing: where the first
    question is not what is tested, no trial is lost to one that was misheard. `linger`: see
    Script. Each of `sessions` (settings of the session) is played with the same sounds.
    """

    name: str
    about: str
    score: str
    trials: int
    sounds: tuple[SceneSound, ...]
    typed: str = ""
    length: float | None = None
    linger: float | None = None
    patience: float = 5.0
    settle: float = 1.0
    echo_gain: tuple[float, ...] = ()
    echo_delay: tuple[float, float] = (0.05, 0.4)
    stall: Stall | None = None
    behaviour: tuple[str, ...] = ("plain",)
    sessions: tuple[dict[str, Any], ...] = ({},)


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One call of a scene. `pause`: seconds of the first sound's clip; `group`: what it is
    reported under besides the whole (a pause's length, a session's setting)."""

    scene: str
    number: int
    script: CallScript
    score: str
    pause: Span | None = None
    group: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def question(self) -> str:
        """What the call begins with; the same question gets the same answer."""
        return self.script.typed or self.script.cues[0].clip.name

    def alone(self, limit: float) -> CallScript:
        """The question with nothing on top of its answer, hung up on after `limit` seconds."""
        cues = () if self.script.typed else self.script.cues[:1]
        return replace(self.script, cues=cues, length=None, linger=None, limit=limit)


def read_scene(path: Path) -> BenchmarkScene:
    """Raises ValueError naming the file and what is wrong in it."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        sounds = tuple(SceneSound(**_frozen(sound)) for sound in data.pop("sound", []))
        stall = Stall(**data.pop("stall")) if "stall" in data else None
        sessions = tuple(data.pop("sessions", [{}]))
        return BenchmarkScene(
            name=path.stem, sounds=sounds, stall=stall, sessions=sessions, **_frozen(data)
        )
    except (tomllib.TOMLDecodeError, TypeError, KeyError) as error:
        raise ValueError(f"{path.name}: {error}") from error


def read_scenes(folder: Path = SCENES) -> list[BenchmarkScene]:
    """All scenes of a folder, by name."""
    return [read_scene(path) for path in sorted(folder.glob("*.toml"))]


def sentences(name: str) -> list[str]:
    """One of the lists of what people say."""
    lists = tomllib.loads(_SENTENCES.read_text(encoding="utf-8"))
    return [str(text) for text in lists[name]]


def build(
    scene: BenchmarkScene, material: Material, *, seed: int = 0, limit: int | None = None
) -> list[Trial]:
    """The scene's trials, the same for the same seed. Raises MissingMaterial."""
    random = Random(f"{scene.name} {seed}")
    count = scene.trials if limit is None else min(limit, scene.trials)
    choices = [_clips(sound, material, Random(f"{seed} {sound.role}")) for sound in scene.sounds]
    typed = sentences(scene.typed) if scene.typed else []
    random.shuffle(typed)
    trials: list[Trial] = []
    people = sorted({sound.person for sound in scene.sounds if sound.person})
    casting = Random(f"{scene.name} {seed} {people}")
    drawn: list[TimelineClip] = []
    for number in range(count):
        if number % len(scene.sessions) == 0:
            cast = _cast(people, casting)
            drawn = [
                _clip(clips, sound, cast)
                for clips, sound in zip(choices, scene.sounds, strict=True)
            ]
        trials.append(_trial(scene, number, drawn, _turn(tuple(typed), number), material, random))
    return trials


def _trial(
    scene: BenchmarkScene,
    number: int,
    drawn: list[TimelineClip],
    typed: str | None,
    material: Material,
    random: Random,
) -> Trial:
    cues, pause, group = [], None, ""
    for sound, raw in zip(scene.sounds, drawn, strict=True):
        clip = _treated(raw, sound, number, material)
        if sound.pauses:
            wanted = sound.pauses[number % len(sound.pauses)]
            clip, pause = _paused(clip, wanted)
            group = f"{wanted} s"
        after = None if sound.after is None else random.uniform(*sound.after)
        cues.append(Cue(clip, sound.at, after, sound.role, sound.answer))
    manner = _turn(scene.behaviour, number) or "plain"
    session = _turn(scene.sessions, number) or {}
    script = CallScript(
        cues=tuple(cues),
        typed=typed,
        length=scene.length,
        linger=scene.linger,
        patience=scene.patience,
        settle=scene.settle,
        echo=_echo(scene, number, random),
        stall=scene.stall,
        behaviour=_behaviour(manner, session.get("session", {})),
    )
    group = group or str(session.get("name", "")) or (manner if len(scene.behaviour) > 1 else "")
    return Trial(scene.name, number, script, scene.score, pause, group)


def _cast(people: list[str], random: Random) -> dict[str, Voice]:
    """A voice for each person of a trial. Raises MissingMaterial."""
    known = voices()
    if len(known) < len(people):
        raise MissingMaterial(f"{len(people)} voices are wanted: install espeak-ng and flite")
    return dict(zip(people, random.sample(known, len(people)), strict=True))


def _clip(
    drawn: Iterator[TimelineClip | str], sound: SceneSound, cast: dict[str, Voice]
) -> TimelineClip:
    """What is drawn for a sound; a text as its person says it."""
    found = next(drawn)
    return spoken(found, cast[sound.person]) if isinstance(found, str) else found


def _clips(sound: SceneSound, material: Material, random: Random) -> Iterator[TimelineClip | str]:
    """Clips for a sound without end, or a person's texts, in an order of their own."""
    if sound.person:
        texts = sentences(sound.texts)
        random.shuffle(texts)
        return itertools.cycle(texts)
    if sound.texts:
        pairs = list(itertools.product(sentences(sound.texts), voices(timed=bool(sound.pauses))))
        if not pairs:
            raise MissingMaterial("no synthesiser: install espeak-ng or flite")
        random.shuffle(pairs)
        return (spoken(text, voice) for text, voice in itertools.cycle(pairs))
    committed = [load_clip(_COMMITTED / f"{name}.flac") for name in sound.clips]
    if not sound.labels:
        return itertools.cycle(committed)
    found = material.recordings(sound.labels, sound.tags, sound.longest)
    random.shuffle(found)
    recorded = (load(recording) for recording in itertools.cycle(found))
    if sound.pauses:
        return (clip for clip in recorded if longest_gap(clip) is not None)
    if not committed:
        return recorded
    return itertools.chain.from_iterable(zip(itertools.cycle(committed), recorded, strict=False))


def _treated(
    clip: TimelineClip, sound: SceneSound, number: int, material: Material
) -> TimelineClip:
    if sound.seconds is not None:
        clip = cropped(clip, sound.seconds)
    response = material.room() if sound.room else None
    if response is not None:
        clip = in_room(clip, response)
    level = _turn(sound.level, number)
    return clip if level is None else replace(clip, samples=at_level(clip.samples, level))


def _paused(clip: TimelineClip, wanted: float) -> tuple[TimelineClip, Span]:
    """The clip with its longest gap stretched, or broken off where its text has a bar."""
    if clip.breaks:
        return broken_off(clip, clip.breaks[0], wanted)
    gap = longest_gap(clip)
    assert gap is not None  # others are not drawn
    return stretched(clip, gap, wanted)


def _echo(scene: BenchmarkScene, number: int, random: Random) -> Echo | None:
    gain = _turn(scene.echo_gain, number)
    return None if gain is None else Echo(gain, random.uniform(*scene.echo_delay))


def _behaviour(name: str, session: dict[str, Any]) -> ClientBehaviour:
    return ClientBehaviour(
        truncates=name == "truncates",
        acknowledges=name == "acknowledges",
        explains=True,
        session=session,
    )


def _turn(values: tuple[Any, ...], number: int) -> Any:
    return values[number % len(values)] if values else None


def _frozen(data: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
