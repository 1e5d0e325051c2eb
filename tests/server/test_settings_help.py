"""`antiphon serve --help` ends with every setting and its default."""

from __future__ import annotations

import re

from server.settings_help import environment_help


def test_every_default_is_written_as_in_the_environment() -> None:
    shown = dict(
        each.split("=", 1) for each in re.split(r"\s+", environment_help()) if "ANTIPHON_" in each
    )
    assert shown["ANTIPHON_PORT"] == "8080"
    assert shown["ANTIPHON_BUDGET__OUT_OF_BAND"] == "4"
    assert shown["ANTIPHON_CASCADE__EXTRA"] == shown["ANTIPHON_LLM_KEY"] == ""
    assert "Undefined" not in environment_help()
