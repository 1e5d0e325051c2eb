"""The names under which clients may ask for the one model that is served."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

# Realtime clients have the name of one of OpenAI's realtime models as their default.
REALTIME_MODELS = "gpt-*realtime*"
LONGEST_SHOWN = 80


class ModelNames:
    """Knows the model's own name and the patterns of other names that stand for it.

    `others` are names that an operator has configured; `*` in them stands for any letters.
    """

    def __init__(self, served: str, others: Iterable[str] = ()) -> None:
        self.served = served
        self._patterns = (REALTIME_MODELS, *others)

    def answers_to(self, name: object) -> bool:
        """Whether the served model is meant by this name; no name at all means it, too."""
        if name is None or name == "":
            return True
        return isinstance(name, str) and (
            name == self.served or any(fnmatchcase(name, pattern) for pattern in self._patterns)
        )

    def refusal(self, name: object) -> str:
        """A sentence for a client that asked for another model."""
        others = " and ".join(f"'{pattern}'" for pattern in self._patterns)
        return (
            f"There is no model '{str(name)[:LONGEST_SHOWN]}' here. This server has "
            f"'{self.served}', which also answers to {others}."
        )
