"""Functions that a client declares are checked, counted and refused by their path."""

from __future__ import annotations

from typing import Any

import pytest

from server.realtime.budget import EXCEEDED, BudgetSettings
from server.realtime.functions import check_functions
from server.realtime.refusal import Refusal
from server.realtime.session_fields import FunctionTool
from tests.server.budgeted import new_decoder, refused


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        value = {"type": "object", "properties": {"a": value}}
    return value


@pytest.mark.parametrize(
    ("parameters", "param"),
    [
        ({"properties": 5}, "parameters.properties"),
        ({"properties": []}, "parameters.properties"),
        ({"properties": {"a": 5}}, "parameters.properties.a"),
        ({"properties": {"a": {"type": "objekt"}}}, "parameters.properties.a.type"),
        ({"properties": {"a": {"minimum": "x"}}}, "parameters.properties.a.minimum"),
        ({"required": "a"}, "parameters.required"),
        ({"type": "string"}, "parameters.type"),
        ({"type": ["object", 3]}, "parameters.type"),
        ({"$ref": 5}, "parameters.$ref"),
    ],
)
def test_a_schema_that_is_none_is_refused_by_its_path(
    parameters: dict[str, Any], param: str
) -> None:
    tool = {"type": "function", "name": "f", "parameters": parameters}
    said = refused(new_decoder(), "session.update", session={"tools": [tool]})
    assert said.param == f"session.tools[0].{param}"
    said = refused(new_decoder(), "response.create", response={"tools": [tool]})
    assert said.param == f"response.tools[0].{param}"


@pytest.mark.parametrize(
    "parameters",
    [
        None,
        {},
        {"type": "object", "properties": {"a": {"type": ["string", "null"]}}, "required": ["a"]},
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "properties": {"a": {"items": [{}]}},
        },
        {"$schema": "http://127.0.0.1:1/nowhere", "$ref": "http://127.0.0.1:1/nothing"},
        nested(14),
    ],
)
def test_what_clients_write_is_taken_and_nothing_is_looked_up(
    parameters: dict[str, Any] | None,
) -> None:
    check_functions([FunctionTool(name="f", parameters=parameters)], BudgetSettings(), "tools")


def test_functions_are_few_small_and_flat() -> None:
    tool = FunctionTool(name="f", description="x" * 600)
    limits = BudgetSettings(functions=2, function_bytes=1024, function_depth=8)
    for tools, param in [
        ([FunctionTool(name="f")] * 3, "tools"),
        ([tool] * 2, "tools[1]"),
        ([FunctionTool(name="f", parameters=nested(4))], "tools[0].parameters"),
    ]:
        with pytest.raises(Refusal) as caught:
            check_functions(tools, limits, "tools")
        assert (caught.value.code, caught.value.param) == (EXCEEDED, param)
