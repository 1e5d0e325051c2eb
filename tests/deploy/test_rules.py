"""Recording rules and alerts, as promtool evaluates them over made-up series."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from server.metrics import BUDGET_BUCKETS

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
FILES = ("alerts.yml", "objectives.yml")
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed"
)
Pieces = list[tuple[int, int]]  # (events a minute, minutes), one after the other
HOUR = 60


def alerts() -> dict[str, dict[str, Any]]:
    groups = [g for name in FILES for g in yaml.safe_load((DEPLOY / name).read_text())["groups"]]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def counter(name: str, pieces: Pieces) -> dict[str, str]:
    """A counter in promtool's notation: each piece goes on where the one before ended."""
    values, at = [], 0
    for rate, minutes in pieces:
        values.append(f"{at}+{rate}x{minutes}")
        at += rate * (minutes + 1)
    return {"series": name, "values": " ".join(values)}


def latency(metric: str, bound: str, bad: Pieces) -> list[dict[str, str]]:
    good = [(1000 - rate, minutes) for rate, minutes in bad]
    return [
        counter(f'{metric}_bucket{{le="{bound}"}}', good),
        counter(f"{metric}_count", [(1000, minutes) for _, minutes in bad]),
    ]


def counted(bad_name: str, good_name: str, bad: Pieces) -> list[dict[str, str]]:
    good = [(1000 - rate, minutes) for rate, minutes in bad]
    return [counter(bad_name, bad), counter(good_name, good)]


def events(objective: str, bad: Pieces) -> list[dict[str, str]]:
    """A thousand events a minute, of which `bad` went wrong."""
    match objective:
        case "Response":
            return latency("antiphon_response_latency_seconds", "0.7", bad)
        case "Stop":
            return latency("antiphon_barge_in_stop_seconds", "0.5", bad)
        case "Admission":
            refused = 'antiphon_refusals_total{reason="capacity"}'
            return counted(refused, "antiphon_sessions_opened_total", bad)
        case _:
            ended = 'antiphon_responses_total{status="completed"}'
            return counted("antiphon_stalled_turns_total", ended, bad)


def firing(folder: Path, series: list[dict[str, str]], minute: int) -> set[str]:
    """The alerts that fire then. promtool compares; its complaint names what it got."""
    asked = {
        "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
        "eval_time": f"{minute}m",
        "exp_samples": [{"labels": '{alertname="none of these"}', "value": 1}],
    }
    whole = {
        "rule_files": [str(DEPLOY / name) for name in FILES],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": series, "promql_expr_test": [asked]}],
    }
    path = folder / "rules.test.yml"
    path.write_text(yaml.safe_dump(whole))
    command = ["promtool", "test", "rules", str(path)]
    said = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    (got,) = re.findall(r"got:(.*)", said.stdout + said.stderr)
    return set(re.findall(r'alertname="(\w+)"', got))


# -------------------------------------------------------------------------------- the budgets

# Of a thousand: above 14.4 times the budget, between 3 and 6 times, and within it.
WORST = {"Response": 900, "Stop": 900, "Admission": 300, "Turns": 30}
WORSE = {"Response": 200, "Stop": 200, "Admission": 40, "Turns": 4}
FINE = {"Response": 40, "Stop": 40, "Admission": 8, "Turns": 0}
OBJECTIVES = sorted(WORST)


@needs_promtool
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_budget_that_burns_fast_pages_within_minutes(objective: str, tmp_path: Path) -> None:
    bad = [(FINE[objective], 2 * HOUR), (WORST[objective], 2 * HOUR)]
    fired = firing(tmp_path, events(objective, bad), 4 * HOUR - 5)
    assert f"Antiphon{objective}BudgetFast" in fired
    assert {name for name in fired if "Budget" in name and objective not in name} == set()


@needs_promtool
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_page_ends_soon_after_its_cause(objective: str, tmp_path: Path) -> None:
    bad = [(FINE[objective], 9 * HOUR), (WORST[objective], HOUR), (FINE[objective], HOUR)]
    fired = firing(tmp_path, events(objective, bad), 10 * HOUR + 45)
    assert f"Antiphon{objective}BudgetFast" not in fired


@needs_promtool
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_budget_that_burns_slowly_is_a_ticket(objective: str, tmp_path: Path) -> None:
    fired = firing(tmp_path, events(objective, [(WORSE[objective], 8 * HOUR)]), 7 * HOUR)
    assert f"Antiphon{objective}BudgetSlow" in fired
    assert f"Antiphon{objective}BudgetFast" not in fired


@needs_promtool
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_within_the_budget_nothing_is_said(objective: str, tmp_path: Path) -> None:
    fired = firing(tmp_path, events(objective, [(FINE[objective], 7 * HOUR)]), 7 * HOUR - 1)
    assert not any("Budget" in name for name in fired)


@needs_promtool
def test_without_calls_nothing_is_said(tmp_path: Path) -> None:
    series = [one for each in OBJECTIVES for one in events(each, [(0, 2 * HOUR)])]
    quiet = [{**one, "values": f"0x{2 * HOUR}"} for one in series]
    assert firing(tmp_path, quiet, 2 * HOUR - 1) == set()


# --------------------------------------------------------------------------- the single alerts

SERVER = '{job="antiphon",instance="one"}'
CAUSES = {
    "AntiphonDown": [{"series": f"up{SERVER}", "values": "0x30"}],
    "AntiphonNotLoaded": [{"series": f"antiphon_pairs{SERVER}", "values": "0x30"}],
    "AntiphonNearlyFull": [
        {"series": f"antiphon_sessions{SERVER}", "values": "19x30"},
        {"series": f"antiphon_capacity_sessions{SERVER}", "values": "20x30"},
    ],
    "AntiphonRefusing": [
        {"series": 'antiphon_refusals_total{reason="capacity"}', "values": "0+1x30"}
    ],
    "AntiphonResumeFails": [
        {"series": 'antiphon_resume_writes_total{outcome="failed"}', "values": "0+1x30"}
    ],
    "AntiphonStalledTurns": [{"series": "antiphon_stalled_turns_total", "values": "0+1x30"}],
    "AntiphonUnhealthyInstances": [
        {"series": "antiphon_unhealthy_instances_total", "values": "0+1x30"},
        {"series": "antiphon_unresponsive_instances_total", "values": "0x30"},
    ],
    "AntiphonDroppedAudio": [
        {"series": "antiphon_dropped_audio_seconds_total", "values": "0+2x30"}
    ],
}
LATE = {
    "AntiphonSlowAnswers": "antiphon_response_latency_seconds",
    "AntiphonSlowStops": "antiphon_barge_in_stop_seconds",
    "AntiphonLoopLag": "antiphon_event_loop_lag_seconds",
    "AntiphonHearsLate": "antiphon_hearing_lag_seconds",
}
CAUSES |= {
    name: [
        {"series": f'{metric}_bucket{{le="0.01"}}', "values": "0x30"},
        {"series": f'{metric}_bucket{{le="2.0"}}', "values": "0+100x30"},
        {"series": f'{metric}_bucket{{le="+Inf"}}', "values": "0+100x30"},
    ]
    for name, metric in LATE.items()
}


@needs_promtool
@pytest.mark.parametrize("name", sorted(CAUSES))
def test_an_alert_has_its_cause(name: str, tmp_path: Path) -> None:
    assert name in firing(tmp_path, CAUSES[name], 25)
    other = next(each for each in sorted(CAUSES) if each != name)
    assert name not in firing(tmp_path, CAUSES[other], 25)


@needs_promtool
def test_promtool_finds_no_fault() -> None:
    command = ["promtool", "check", "rules", *(str(DEPLOY / name) for name in FILES)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_every_alert_was_made_to_fire() -> None:
    budgets = {f"Antiphon{o}Budget{speed}" for o in OBJECTIVES for speed in ("Fast", "Slow")}
    assert alerts().keys() == CAUSES.keys() | budgets


def test_every_alert_has_a_page_that_says_what_to_do() -> None:
    for name, rule in alerts().items():
        page = DEPLOY.parent / rule["annotations"]["runbook_url"]
        assert page.name == f"{name}.md"
        text = page.read_text()
        for heading in ("What it means", "What to look at", "What to do"):
            assert f"## {heading}" in text, page.name
    pages = {page.stem for page in (DEPLOY / "runbooks").glob("Antiphon*.md")}
    assert pages == alerts().keys()


def test_the_objectives_bounds_are_buckets() -> None:
    text = (DEPLOY / "objectives.yml").read_text()
    bounds = {float(bound) for bound in re.findall(r'le="([\d.]+)"', text)}
    assert bounds and bounds <= set(BUDGET_BUCKETS)
