"""The chart as Helm renders it, and the schemas that every object is held to."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import helm_python
import jsonschema
import kubernetes_validate
import yaml

CHART = Path(__file__).resolve().parents[3] / "deploy" / "helm" / "antiphon"
SCHEMAS = Path(__file__).parent / "schemas"
KUBERNETES = "1.37"
Object = dict[str, Any]


def rendered(**values: Any) -> list[Object]:
    """Every object of the chart with these values over its own, each checked.

    Raises HelmError where the chart refuses the values, ValidationError on a wrong object.
    """
    with helm_python.Chart.load(CHART) as chart:
        chart.validate_schema(values)
        files = chart.render(values, name="voice", namespace="talk")
    objects = [
        one
        for path, text in files.items()
        if path.endswith(".yaml")
        for one in yaml.safe_load_all(text)
        if one
    ]
    for one in objects:
        check(one)
    return objects


def check(one: Object) -> None:
    """Hold an object to its schema; what no schema knows is an error as well."""
    own = SCHEMAS / f"{one['kind']}.json"
    if own.exists():
        jsonschema.validate(one, _schema(own))
    else:
        kubernetes_validate.validate(one, KUBERNETES, strict=True)


@cache
def _schema(path: Path) -> Object:
    schema: Object = json.loads(path.read_text())
    return schema


def of_kind(objects: list[Object], kind: str, name: str = "voice-antiphon") -> Object:
    """The one object of that kind and name."""
    (found,) = (o for o in objects if o["kind"] == kind and o["metadata"]["name"] == name)
    return found


def kinds(objects: list[Object]) -> set[str]:
    return {one["kind"] for one in objects}


def pod(objects: list[Object]) -> Object:
    """The server's pod."""
    spec: Object = of_kind(objects, "Deployment")["spec"]["template"]["spec"]
    return spec


def server(objects: list[Object]) -> Object:
    """The server's container."""
    (container,) = pod(objects)["containers"]
    found: Object = container
    return found


def environment(objects: list[Object]) -> dict[str, Any]:
    """Each variable of the server, with its value or where it comes from."""
    return {v["name"]: v.get("value", v.get("valueFrom")) for v in server(objects)["env"]}
