"""Do the tests notice it when the code is wrong? `make mutants`.

Each mutant is one small change of one place: a comparison turned, a condition fixed, a number
moved, a call left out (mutation/finder.py). A draw by seed takes mutants of `duplex/` and
`server/realtime/`, at least one of every file that has any. Each is judged by the tests that run
its line, the quickest first, as many as take half a minute together, up to the first that fails; a
test that takes ten times as long as without the mutant, and 20 s more, has noticed it, too. Which
test runs which line is asked once and kept (mutation/cover.py).

What was judged before is not judged again, so a run may be stopped and goes on later; `--again`
judges the survivors anew, by all tests that run their line. Survivors are listed with the reason
that stands for them in `mutants.toml`, or with none. This takes an hour and is no part of `run`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mutation.cover import cover_map
from mutation.finder import PATHS, Mutant, draw
from mutation.judge import judge, preload

# Not the state machine of tests/duplex: it takes a minute a mutant, and what chance alone finds
# should be found by a table as well.
TESTS = (
    "tests/duplex",
    "--ignore=tests/duplex/test_invariants.py",
    "tests/server/test_budget.py",
    "tests/server/test_client_loop.py",
    "tests/server/test_conversation.py",
    "tests/server/test_decode.py",
    "tests/server/test_decode_items.py",
    "tests/server/test_encode.py",
    "tests/server/test_image_pieces.py",
    "tests/server/test_pictures.py",
    "tests/server/test_replay.py",
    "tests/server/test_session_config.py",
    "tests/server/test_wire_limits.py",
    "tests/server/resume/test_codec.py",
)
SURVIVED = "survived"
REASONS = Path(__file__).with_name("mutants.toml")


def report(results: list[dict[str, Any]]) -> Iterator[str]:
    """The figures, and each survivor with its reason."""
    reasons = tomllib.loads(REASONS.read_text())
    survivors = [one for one in results if one["outcome"] == SURVIVED]
    num_late = sum(one["outcome"] == "timeout" for one in results)
    num_killed = len(results) - len(survivors)
    num_files = len({one["path"] for one in results})
    share = 100 * num_killed / max(1, len(results))
    yield f"{num_killed} of {len(results)} mutants killed ({share:.1f} %; {num_late} by a hang)"
    yield f"{num_files} files"
    for one in survivors:
        yield f"{one['outcome']}: {one['name']}: {reasons.get(one['key'], 'no reason given')}"


def known(results: list[dict[str, Any]], drawn: list[Mutant]) -> dict[Mutant, dict[str, Any]]:
    """The newest result of each mutant in the draw that was judged before."""
    by_key = {one["key"]: one for one in results}
    return {mutant: by_key[mutant.key] for mutant in drawn if mutant.key in by_key}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--count", type=int, default=300)
    arguments.add_argument("--minutes", type=float, default=24 * 60.0, help="stop after so long")
    arguments.add_argument("--results", type=Path, default=Path(".mutants.jsonl"))
    arguments.add_argument("--budget", type=float, default=30.0, help="seconds of tests a mutant")
    arguments.add_argument(
        "--again", action="store_true", help="judge the survivors anew, by all tests"
    )
    chosen = arguments.parse_args()
    sys.path.insert(0, os.getcwd())
    lines = chosen.results.read_text().splitlines() if chosen.results.is_file() else []
    drawn = draw(chosen.seed, chosen.count)
    results = known([json.loads(line) for line in lines], drawn)
    ends = time.monotonic() + 60 * chosen.minutes
    cover = cover_map(chosen.results.with_suffix(".map"), PATHS, TESTS)
    preload(cover.modules)
    with chosen.results.open("a") as file:
        for mutant in drawn:
            before = results.get(mutant)
            is_due = before is None or (chosen.again and before["outcome"] == SURVIVED)
            if not is_due or time.monotonic() > ends:
                continue
            outcome, test, seconds = judge(
                mutant, cover, math.inf if chosen.again else chosen.budget
            )
            names = {"key": mutant.key, "name": mutant.name}
            verdict = {"outcome": outcome, "test": test, "seconds": round(seconds, 1)}
            results[mutant] = {**asdict(mutant), **names, **verdict}
            file.write(json.dumps(results[mutant]) + "\n")
            file.flush()
            sys.stdout.write(f"{outcome:9s}{seconds:6.1f} s  {mutant.name}  {test}\n")
            sys.stdout.flush()
    for line in report(list(results.values())):
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
