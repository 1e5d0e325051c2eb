"""server: parts of the installation that not everybody needs, named with their install line."""

from __future__ import annotations

import re
import shlex
import sys
from importlib import metadata

# Packages of the system that a wheel cannot bring.
_OF_DEBIAN = {"microphone": "libportaudio2"}
# The module whose absence shows that an extra is missing.
_MODULES = {"torch": "torch", "sounddevice": "microphone", "cryptography": "tls", "vllm": "vllm"}
_MODULES |= {"opentelemetry": "otel", "redis": "redis"}
_MODULES |= {"matplotlib": "training", "safetensors": "torch", "transformers": "torch"}
_EXTRA = re.compile(r"extra == ['\"]([\w-]+)['\"]")


class ExtraMissing(Exception):
    """Something was asked for whose packages are not installed. The text says how to get them."""


def missing(error: ModuleNotFoundError, what: str) -> ExtraMissing | None:
    """The sentence for a module that could not be imported, None where it is no extra's.

    `what` names what was asked for, as in "antiphon inspect".
    """
    extra = _MODULES.get((error.name or "").partition(".")[0])
    return None if extra is None else ExtraMissing(f"{what} needs {needed(extra)}")


def needed(extra: str) -> str:
    """What an extra is called and the line that installs it with this interpreter."""
    line = f"the extra '{extra}': {install_line(extra)}"
    package = _OF_DEBIAN.get(extra)
    return f"{line} && apt-get install {package}" if package else line


def install_line(extra: str) -> str:
    """The pip command for an extra's own packages."""
    packages = " ".join(shlex.quote(package) for package in packages_of(extra))
    return f"{shlex.quote(sys.executable)} -m pip install {packages}"


def packages_of(extra: str) -> list[str]:
    """The requirements that an extra adds, as the installed metadata has them."""
    found: list[str] = []
    for line in metadata.requires("antiphon") or []:
        requirement, _, marker = line.partition(";")
        named = _EXTRA.search(marker)
        if named is not None and named[1] == extra:
            found.append(requirement.strip())
    own = [name for name in found if name.startswith("antiphon[")]
    others = [name for name in found if name not in own]
    for name in own:
        others = packages_of(name[len("antiphon[") : -1]) + others
    return others
