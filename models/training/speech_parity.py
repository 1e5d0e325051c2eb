"""Does the exported voice choose the codes that the trained one chooses?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from models.engines.bundle import Bundle
from models.training.export import export
from models.training.handover import read_run
from models.training.parity import compare

ENGLISH = (
    "The capital of Italy is Rome.",
    "One large iced coffee with oat milk and two shots, is that right?",
    "Twenty seven plus fifteen is forty two.",
    "I am sorry, I do not know that, but I can tell you a story about a little fox.",
    "A spider has eight legs.",
)
MANDARIN = (
    "法国的首都是巴黎。",
    "一杯大杯拿铁，加燕麦奶和两份浓缩，对吗？",
    "二十七加十五等于四十二。",
    "从前有一只小狐狸，住在森林的边上。",
    "对不起，我不能回答这个问题。",
)


@dataclass(frozen=True, slots=True)
class CodeParity:
    """Codes of fixed sentences, and the share that the export chooses too, after the same
    (reference) codes each."""

    english_codes: int
    english_equal: float
    mandarin_codes: int
    mandarin_equal: float


def code_parity(run: Path, tokenizer: Path) -> CodeParity:
    """Export a run's folder as it will be served, and compare. Raises FileNotFoundError."""
    parts = read_run(run, tokenizer)
    with TemporaryDirectory() as folder:
        bundle = Bundle.read(export(parts, Path(folder)))
        english = compare(parts, bundle, (), (), ENGLISH)
        mandarin = compare(parts, bundle, (), (), MANDARIN)
    return CodeParity(
        english_codes=english.codes,
        english_equal=english.codes_equal / max(1, english.codes),
        mandarin_codes=mandarin.codes,
        mandarin_equal=mandarin.codes_equal / max(1, mandarin.codes),
    )
