"""Trains nano's tokenizer on what it hears and says, in English and Chinese."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from models.training.skills import chinese, negatives
from models.training.skills.registry import dialogue
from models.vita.nano_prompt import SPECIAL

VOCABULARY = 2048
NUMERALS = Regex("[零一二三四五六七八九十百]")


def _texts(random: Random, count: int) -> Iterator[str]:
    for _ in range(count):
        made = dialogue(random)
        yield from made.tools
        for exchange in made.exchanges:
            yield exchange.question
            yield exchange.answer or exchange.report
            if exchange.call is not None:
                yield f"{exchange.call.name} {exchange.call.arguments}"
                yield exchange.result
        yield chinese.sentence(random)
        if random.random() < 0.3:
            yield negatives.not_meant(random)


def pieces() -> pre_tokenizers.PreTokenizer:
    """Where text is cut before pairs are merged: digits and Chinese numerals stand one by one, or
    sixty-eight would be "six" and "eighteen", and sums could not be learned place by place."""
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.Split(NUMERALS, "isolated"),
            pre_tokenizers.ByteLevel(False),
        ]
    )


def train_tokenizer(path: Path, seed: int = 0, count: int = 12_000) -> Tokenizer:
    """Byte-level pairs inside pieces; written to `path` as tokenizer.json."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pieces()
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(Random(seed), count), trainer)
    path.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(path))
    return tokenizer
