"""How an entry of the model context stands in a trace: its key tells what it means.

This is an annotation for pydantic, which reads and writes traces (duplex.trace).
"""

from __future__ import annotations

from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from duplex.conversation import ContextEntry, OutdatedPicture


class _ByKey:
    """Annotates a context entry: its key tells what it means, so the key is all that is written."""

    def __get_pydantic_core_schema__(self, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            lambda key: (
                key if isinstance(key, ContextEntry) else ContextEntry(key, OutdatedPicture())
            ),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda entry: entry.key),
        )


BY_KEY = _ByKey()
