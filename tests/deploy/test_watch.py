"""deploy: what the rules and the dashboard ask for is what the server counts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.metrics_core import Metric

from server.config import DrainSettings
from server.draining.drain import CLOSING
from server.metrics import Metrics
from server.serve import SHUTDOWN_SECONDS

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def counted() -> dict[str, set[str]]:
    """Each of the server's metrics, and the names of its series."""
    metrics: list[Metric] = list(Metrics().registry.collect())
    return {each.name: {each.name + end for end in SUFFIXES[each.type]} for each in metrics}


def named(expressions: Iterator[str]) -> set[str]:
    return {name for text in expressions for name in re.findall(r"\bantiphon_\w+", text)}


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> Iterator[dict[str, Any]]:
    """Every panel of every dashboard, rows left out."""
    for path in sorted((DEPLOY / "grafana/dashboards").glob("*.json")):
        yield from (p for p in json.loads(path.read_text())["panels"] if p["type"] != "row")


def dashboard() -> Iterator[str]:
    return (t["expr"] for panel in panels() for t in panel.get("targets", ()) if "expr" in t)


def test_every_panel_answers_a_question() -> None:
    silent = [panel["title"] for panel in panels() if "?" not in panel.get("description", "")]
    assert silent == []


def test_rules_and_dashboard_name_only_what_is_counted() -> None:
    known = set().union(*counted().values())
    assert named(rule["expr"] for rule in rules()) <= known
    assert named(dashboard()) <= known


def test_the_dashboard_shows_every_metric() -> None:
    shown = named(dashboard())
    assert [name for name, series in counted().items() if not series & shown] == []


def test_every_alert_is_explained_to_the_operator() -> None:
    operations = (DEPLOY.parent / "docs" / "operations.md").read_text()
    assert [rule["alert"] for rule in rules() if rule["alert"] not in operations] == []


def test_compose_mounts_files_that_are_there() -> None:
    services = yaml.safe_load((DEPLOY / "docker-compose.yml").read_text())["services"]
    mounts = [mount for one in services.values() for mount in one.get("volumes", ())]
    paths = [mount.split(":")[0] for mount in mounts if mount.startswith(".")]
    assert paths and all((DEPLOY / path).exists() for path in paths)


# ------------------------------------------------------------------------------------- the end


def image_drain() -> DrainSettings:
    """How long a server in the image drains."""
    dockerfile = (DEPLOY.parent / "Dockerfile").read_text()
    (seconds,) = re.findall(r"ANTIPHON_DRAIN__SECONDS=(\d+)", dockerfile)
    return DrainSettings(seconds=float(seconds))


def longest(drain: DrainSettings) -> float:
    """Seconds after which a server has ended for certain."""
    return drain.seconds + drain.stagger + drain.answers + CLOSING + SHUTDOWN_SECONDS


def test_compose_waits_until_the_server_has_drained() -> None:
    service = yaml.safe_load((DEPLOY / "docker-compose.yml").read_text())["services"]["antiphon"]
    assert float(service["stop_grace_period"].removesuffix("s")) >= longest(image_drain())


def test_the_unit_waits_until_the_server_has_drained() -> None:
    unit = (DEPLOY / "antiphon.service").read_text()
    (seconds,) = re.findall(r"ANTIPHON_DRAIN__SECONDS=(\d+)", unit)
    (timeout,) = re.findall(r"TimeoutStopSec=(\d+)", unit)
    assert float(timeout) >= longest(DrainSettings(seconds=float(seconds)))
