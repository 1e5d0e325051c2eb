"""What one stream of a cascade knows at one moment: the conversation, and the open turn. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from models.base import (
    HEAR_CHUNK,
    AssistantText,
    FunctionCall,
    FunctionOutput,
    Instructions,
    Item,
    Samples,
    Tool,
    UserImage,
    UserSound,
    UserText,
    Verdict,
)
from models.engines.cascade.transcription import SegmentTranscript

IMAGE_TOKENS = 300  # of one image; a guess
_TURN_TOKENS = 4  # what a chat template puts round a turn
_LETTERS_A_TOKEN = 4
_FIRST_CHINESE, _LAST_CHINESE = "\u3007", "\u9fff"
_CHUNK_TOKENS = 1  # that the words of 160 ms of speech take at most, on the average


@dataclass(frozen=True, slots=True, eq=False)
class OpenSegment:
    """A segment that is being heard.

    chunks      its samples, at 16 kHz, as they came
    size        how many these are
    verdict     of what was judged last
    transcript  of what was heard
    """

    chunks: tuple[Samples, ...] = ()
    size: int = 0
    verdict: Verdict | None = None
    transcript: SegmentTranscript = field(default_factory=SegmentTranscript)

    @property
    def samples(self) -> Samples:
        return np.concatenate([np.zeros(0, np.float32), *self.chunks])


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """A value: a step makes a new one, so a mark is a reference.

    items      what was said and shown, in order
    tokens     that these take in a request, estimated
    turn       a number that names the user's open turn; a new one once an answer has begun
    is_open    the user has said or shown something that is not answered yet
    segment    None between segments
    """

    items: tuple[Item, ...] = ()
    tokens: int = 0
    turn: int = 1
    is_open: bool = False
    segment: OpenSegment | None = None

    def with_item(self, item: Item) -> Past:
        return replace(self, items=(*self.items, item), tokens=self.tokens + tokens_of(item))

    @property
    def all_tokens(self) -> int:
        """Of the items and of the segment, whose words are not known yet."""
        size = 0 if self.segment is None else self.segment.size
        return self.tokens + -(-size // HEAR_CHUNK) * _CHUNK_TOKENS


def is_users(item: Item) -> bool:
    """Does it belong to a turn of the user?"""
    return isinstance(item, UserText | UserSound | UserImage | FunctionOutput)


def tokens_of(item: Item) -> int:
    """How many tokens an item takes in a request, estimated."""
    match item:
        case UserImage():
            return IMAGE_TOKENS
        case UserSound(words=words):
            return _TURN_TOKENS + text_tokens(words)
        case UserText(text) | AssistantText(text) | Instructions(text):
            return _TURN_TOKENS + text_tokens(text)
        case FunctionCall(name, arguments):
            return _TURN_TOKENS + text_tokens(name) + text_tokens(arguments)
        case FunctionOutput(output=output):
            return _TURN_TOKENS + text_tokens(output)


def fitted(item: Item, room: int) -> Item:
    """The item itself where its text takes at most `room` tokens, estimated; else one with the
    beginning of its text."""
    match item:
        case UserText(text) | AssistantText(text) | Instructions(text) if text_tokens(text) > room:
            return replace(item, text=beginning(text, room))
        case FunctionOutput(output=output) if text_tokens(output) > room:
            return replace(item, output=beginning(output, room))
        case FunctionCall(arguments=arguments) if text_tokens(arguments) > room:
            return replace(item, arguments=beginning(arguments, room))
    return item


def beginning(text: str, room: int) -> str:
    """As much of a text as takes `room` tokens, estimated."""
    left = _LETTERS_A_TOKEN * room
    for place, letter in enumerate(text):
        left -= _LETTERS_A_TOKEN if _FIRST_CHINESE <= letter <= _LAST_CHINESE else 1
        if left < 0:
            return text[:place]
    return text


def tool_tokens(tool: Tool) -> int:
    """How many tokens a tool takes in a request, estimated."""
    return text_tokens(f"{tool.name} {tool.description} {tool.parameters}")


def text_tokens(text: str) -> int:
    """Tokens of a text, estimated: one for four letters, or for one Chinese character."""
    characters = sum(1 for letter in text if _FIRST_CHINESE <= letter <= _LAST_CHINESE)
    return characters + -(-(len(text) - characters) // _LETTERS_A_TOKEN)
