"""Checks a session as a client declares it: its size, and the schemas of its functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jsonschema_rs
import orjson

from server.realtime.budget import EXCEEDED, BudgetSettings
from server.realtime.json_input import count_values, is_deeper
from server.realtime.refusal import Refusal, path
from server.realtime.session_config import SessionConfig
from server.realtime.session_fields import FunctionTool

# The drafts that clients write, often without saying which. Their own schemas are built into the
# library: nothing is looked up, least of all what a client's `$ref` or `$schema` names.
_LONGEST_PATH = 200  # letters that are shown of it
# Of one field: every update walks through all of a session, and echoes it.
_MOST_VALUES = 512
_META = (
    jsonschema_rs.Draft202012Validator({"$ref": "https://json-schema.org/draft/2020-12/schema"}),
    jsonschema_rs.Draft7Validator({"$ref": "http://json-schema.org/draft-07/schema#"}),
)


def check_session(session: SessionConfig, settings: BudgetSettings) -> None:
    """Raises Refusal naming the field where a configuration is larger than a session may have."""
    check_functions(session.tools, settings, "session.tools")
    whole = session.model_dump(mode="json")
    if len(orjson.dumps(whole)) > settings.session_bytes:
        raise _exceeded(f"A session takes at most {settings.session_bytes} bytes.", "session")
    for name, value in whole.items():
        if name != "tools" and count_values(value) > _MOST_VALUES:
            message = f"session.{name} holds more than {_MOST_VALUES} values."
            raise _exceeded(message, path("session", name))


def check_functions(tools: Sequence[FunctionTool], settings: BudgetSettings, param: str) -> None:
    """Raises Refusal naming the function and the place in its parameters."""
    if tools and not settings.functions:
        raise _exceeded("No functions can be declared here.", param)
    if len(tools) > settings.functions:
        raise _exceeded(f"At most {settings.functions} functions can be declared.", param)
    size = 0
    for index, tool in enumerate(tools):
        where = path(param, index)
        size += len(orjson.dumps(tool.model_dump()))
        if size > settings.function_bytes:
            most = settings.function_bytes
            raise _exceeded(f"The functions take more than {most} bytes.", where)
        _check_schema(tool.parameters, settings, path(where, "parameters"))


def _check_schema(schema: dict[str, Any] | None, settings: BudgetSettings, param: str) -> None:
    if not schema:
        return
    if is_deeper(schema, settings.function_depth):
        raise _exceeded(
            f"Parameters are nested in at most {settings.function_depth} levels.", param
        )
    if schema.get("type", "object") != "object":
        raise Refusal("A function's parameters are an object.", param=path(param, "type"))
    if not any(meta.is_valid(schema) for meta in _META):
        fault = next(iter(_META[0].iter_errors(schema)))
        where = path(param, *fault.instance_path)[:_LONGEST_PATH]
        said = fault.message.partition("\n")[0][:200]
        raise Refusal(f"Invalid schema for '{where}': {said}.", param=where)


def _exceeded(message: str, param: str) -> Refusal:
    return Refusal(message, code=EXCEEDED, param=param)
