"""A conversation as the tokens that SmolLM2 reads, and its verdict on a user's words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, groupby

import numpy as np
import numpy.typing as npt

from models.base import (
    AnswerOptions,
    AssistantText,
    Conversation,
    FunctionCall,
    FunctionOutput,
    Instructions,
    Item,
    Tool,
    UserImage,
    UserSound,
    UserText,
    Verdict,
)
from models.smollm.chat import CUT, Chat, call_text, signature

INSTRUCTION_TOKENS = 64  # of instructions; longer ones are cut: so small a model loses them
OUTPUT_TOKENS = 128  # of what a function gave back


def prompt(chat: Chat, conversation: Conversation, options: AnswerOptions, room: int) -> list[int]:
    """All that stands before the answer to the end of a conversation, in at most `room` tokens:
    the oldest turns are left out where they do not fit."""
    opening, answer = _opening(chat, conversation, options), chat.turn("assistant")
    turns = list(_turns(chat, conversation.items))
    left = room - len(opening) - len(answer)
    kept: list[list[int]] = []
    for turn in reversed(turns):
        if kept and len(turn) > left:
            break
        kept.append(turn[-max(left, 0) :] if len(turn) > left else turn)
        left -= len(turn)
    return [*opening, *(token for turn in reversed(kept) for token in turn), *answer]


def fitted(chat: Chat, item: Item, room: int) -> Item:
    """What is read of an item, with a text of at most `room` tokens: itself, or one with the
    beginning of its text."""
    match item:
        case UserText(text) | AssistantText(text) | Instructions(text):
            most = INSTRUCTION_TOKENS if isinstance(item, Instructions) else room
            kept = chat.cut(text, most)
            return item if kept == text else replace(item, text=kept)
        case FunctionOutput(output=output):
            kept = chat.cut(output, OUTPUT_TOKENS)
            return item if kept == output else replace(item, output=kept)
        case FunctionCall(arguments=arguments):
            kept = chat.cut(arguments, room)
            return item if kept == arguments else replace(item, arguments=kept)
    return item


def num_fitting(chat: Chat, tools: Sequence[Tool], room: int) -> int:
    """How many of these functions take at most `room` tokens."""
    sizes = accumulate(len(chat.encode(signature(tool) + "\n")) for tool in tools)
    return sum(size <= room for size in sizes)


def before_words(chat: Chat, conversation: Conversation, room: int) -> list[int]:
    """What stands before the words of the user's next turn."""
    whole = prompt(chat, conversation, AnswerOptions(), room - len(chat.turn("user")))
    return [*whole[: -len(chat.turn("assistant"))], *chat.turn("user")]


def verdict(chat: Chat, scores: npt.NDArray[np.float32], words: str, heard: int) -> Verdict:
    """The verdict on a user's words, from the scores [vocabulary] of the token after them."""
    asked = scores[[chat.end, chat.noise, chat.unfinished]].astype(np.float64)
    shares = np.exp(asked - asked.max())
    query, noise, unfinished = (float(share) for share in shares / shares.sum())
    return Verdict(query, noise, unfinished=unfinished, words=words, heard=heard)


def _opening(chat: Chat, conversation: Conversation, options: AnswerOptions) -> list[int]:
    told = [item.text for item in conversation.items if isinstance(item, Instructions)]
    if options.instructions is not None:
        told = [options.instructions]
    tools = conversation.tools if options.tools is None else options.tools
    if options.tool_choice == "none":
        tools = ()
    said = chat.encode(" ".join(told).strip())[:INSTRUCTION_TOKENS]
    return chat.opening(chat.decode(said).strip(), [signature(tool) for tool in tools])


def _turns(chat: Chat, items: Sequence[Item]) -> Iterator[list[int]]:
    """One list of tokens for each turn; what the same side said in a row is one turn."""
    for role, group in groupby((i for i in items if _role(i)), _role):
        said = list(group)
        if role == "call":
            for item in said:
                yield [*chat.turn("assistant"), chat.call, *_text(chat, item), *chat.close()]
        elif role == "tool":
            for item in said:
                yield [*chat.turn("tool"), *_text(chat, item)[:OUTPUT_TOKENS], *chat.close()]
        else:
            words = [ids for item in said if (ids := _text(chat, item))]
            if words:
                yield [*chat.turn(role), *_joined(chat, words), *chat.close()]


def _role(item: Item) -> str:
    """Whose turn an item belongs to; "" for what is in no turn. Images cannot be seen."""
    match item:
        case UserText() | UserSound():
            return "user"
        case AssistantText():
            return "assistant"
        case FunctionCall():
            return "call"
        case FunctionOutput():
            return "tool"
        case Instructions() | UserImage():
            return ""


def _text(chat: Chat, item: Item) -> list[int]:
    match item:
        case UserText(text):
            return chat.encode(text.strip())
        case UserSound(words=words):
            return chat.encode(words.strip())
        case AssistantText(text, cut):
            return chat.encode(text.strip() + (CUT if cut else ""))
        case FunctionCall():
            return chat.encode(call_text(item))
        case FunctionOutput(output=output):
            return chat.encode(output)
        case Instructions() | UserImage():
            return []


def _joined(chat: Chat, parts: Sequence[list[int]]) -> list[int]:
    space = chat.encode(" ")
    joined = list(parts[0])
    for part in parts[1:]:
        joined += [*space, *part]
    return joined
