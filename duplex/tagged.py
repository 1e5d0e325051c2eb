"""How unions of dataclasses stand in a trace: the name of the class is the field `type`.

An entry of the model context stands there as its key, which tells what it means.

These are annotations for pydantic, which reads and writes traces (duplex.trace); for everything
else the annotated types are what they were.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from models.base import UserImage

_NO_PIXELS = np.zeros((0, 0, 3), np.uint8)


class _Tagged:
    """Annotates a union of dataclasses."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        choices = {kind.__name__: _schema(kind, handler) for kind in get_args(source)}
        return core_schema.tagged_union_schema(
            choices,
            discriminator=_name_of,
            serialization=core_schema.wrap_serializer_function_ser_schema(_with_type),
        )


def _schema(kind: type, handler: GetCoreSchemaHandler) -> CoreSchema:
    schema = handler.generate_schema(kind)
    if kind is UserImage:
        return core_schema.no_info_before_validator_function(_without_pixels, schema)
    return schema


def _without_pixels(value: Any) -> Any:
    """Pixels are not written; what is read back has none."""
    return value | {"pixels": _NO_PIXELS} if isinstance(value, dict) else value


def _name_of(value: Any) -> str | None:
    return value.get("type") if isinstance(value, dict) else type(value).__name__


def _with_type(value: Any, write: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    return {"type": type(value).__name__, **write(value)}


TAGGED = _Tagged()


class _ByKey:
    """Annotates a class whose objects have a `key` that tells what they mean: the key is all that
    is written, and the class's `from_key` makes an object of it again."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            lambda value: value if isinstance(value, source) else source.from_key(value),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda entry: entry.key),
        )


BY_KEY = _ByKey()
