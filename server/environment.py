"""The variables of the environment that are settings; others that look like some are a mistake.

A typo in the name of the keys would leave the door open, so an unknown ANTIPHON_ variable ends the
start. Kubernetes sets variables of that form for its services; they are known by it and left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from pydantic import BaseModel

PREFIX = "ANTIPHON_"
# Read by the command line, and by programs round the server that share its environment.
OTHERS = ("ANTIPHON_CONFIG", "ANTIPHON_KEY", "ANTIPHON_URL", "ANTIPHON_BIN", "ANTIPHON_BIND")
_ALIKE = 0.8  # of 1: a name that may have been meant
_SERVICE = re.compile(r"ANTIPHON_([A-Z0-9_]+_)?SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)")
_SERVICE_PORT = re.compile(r"ANTIPHON_([A-Z0-9_]+_)?PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?")
_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://\S+")


def is_service_link(name: str, value: str) -> bool:
    """Whether Kubernetes set it for a service whose name begins with antiphon."""
    name = name.upper()
    if _SERVICE.fullmatch(name) or _SERVICE_PORT.fullmatch(name):
        return True
    return name.endswith("_PORT") and _SERVICE_ADDRESS.fullmatch(value) is not None


def service_links(environment: Mapping[str, str]) -> list[str]:
    """The names of those variables."""
    return sorted(
        name
        for name, value in environment.items()
        if name.upper().startswith(PREFIX) and is_service_link(name, value)
    )


def unknown_variables(environment: Mapping[str, str], settings: type[BaseModel]) -> list[str]:
    """One line for each variable that is no setting, with the setting that it may have been."""
    known = set(_names(settings, PREFIX))
    faults = []
    for name, value in sorted(environment.items()):
        upper = name.upper()
        if not upper.startswith(PREFIX) or upper in known or upper in OTHERS:
            continue
        if not is_service_link(name, value):
            near = get_close_matches(upper, known, 1, _ALIKE)
            hint = f"; is {near[0]} meant?" if near else "; antiphon serve --help shows all"
            faults.append(f"{name}: there is no such setting{hint}")
    return faults


def _names(settings: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in settings.model_fields.items():
        variable = f"{prefix}{name.upper()}"
        yield variable
        if isinstance(field.default, BaseModel):
            yield from _names(type(field.default), f"{variable}__")
