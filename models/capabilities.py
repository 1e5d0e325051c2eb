"""What an instance may say of itself: what its model can do, how much of a text it reads, whether
it is up, and what it depends on outside of this server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from models.base import Instance, Item, Tool

FRAMES_READ = 4  # frames of a video in a row that a model is given, where it asks for no more


@runtime_checkable
class Restarting(Protocol):
    """An instance that may be down for a while: its process died, or its worker is made anew."""

    @property
    def is_up(self) -> bool:
        """Can streams be opened on it now?"""
        ...


def is_up(instance: Instance) -> bool:
    """Whether streams can be opened on it now; an instance that cannot be down always is up."""
    return instance.is_up if isinstance(instance, Restarting) else True


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model can do, so that the wire refuses before what it would fail on. `context`: tokens
    of one conversation, 0 if unknown; `longest_sound`: seconds of one stretch of sound that it can
    read, 0.0 if unknown; `languages`: those it was made for (ISO 639), none if unknown.
    `is_streamed`: sound is encoded once, as it comes; else every verdict encodes the whole segment
    anew, and must not be asked for as often. `writes_first`: at a pause the words are transcribed
    before the verdict, which takes long. `frames`: how many of a video in a row it is given."""

    pictures: bool = True
    tools: bool = True
    context: int = 0
    longest_sound: float = 0.0
    languages: tuple[str, ...] = ()
    is_streamed: bool = True
    writes_first: bool = False
    frames: int = FRAMES_READ


@runtime_checkable
class Describing(Protocol):
    """An instance that says what its model can do."""

    @property
    def capabilities(self) -> Capabilities: ...


def capabilities_of(instance: Instance) -> Capabilities:
    """An instance that says nothing is taken to do everything."""
    if isinstance(instance, Describing):
        return instance.capabilities
    return Capabilities(context=instance.capacity())


@runtime_checkable
class Measuring(Protocol):
    """An instance that says how much of a text, and how many functions, it reads, so that nothing
    is left out without a word. It is asked from any thread, and answers at once."""

    def fitted(self, item: Item) -> Item:
        """What is read of an item: the same object where that is all of it, else one with the
        beginning of its text. Sound and pictures are not measured."""
        ...

    def num_fitting(self, tools: Sequence[Tool]) -> int:
        """How many of these functions, from the first on, a conversation has room for."""
        ...


@runtime_checkable
class Dependent(Protocol):
    """An instance, or a part of one, that cannot work without something outside of this server."""

    @property
    def trouble(self) -> str | None:
        """Why it cannot work at the moment, safe to show; None: it can, as far as is known."""
        ...

    def watch(self, observe: Callable[[str], None]) -> None:
        """Tell `observe`, from now on, how each request to the outside went, in a word."""
        ...


def trouble_of(part: object) -> str | None:
    """Why a part cannot work at the moment; None for one that depends on nothing outside."""
    return part.trouble if isinstance(part, Dependent) else None
