"""server: every setting with its environment variable and default, for `antiphon serve --help`."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, SecretStr

from server.config import BUNDLED_MODEL, ServerSettings


def environment_help() -> str:
    """What `serve --help` ends with: one paragraph for each section of the settings."""
    head = "Every setting as a variable of the environment, with its default:"
    return "\n\n".join((head, *_paragraphs(ServerSettings, "ANTIPHON_")))


def _paragraphs(settings: type[BaseModel], prefix: str) -> list[str]:
    own: list[str] = []
    sections: list[str] = []
    for name, field in settings.model_fields.items():
        variable, default = f"{prefix}{name.upper()}", field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            sections += _paragraphs(type(default), f"{variable}__")
        else:
            own.append(f"{variable}={_shown(default)}")
    return ["  ".join(own), *sections]


def _shown(default: Any) -> str:
    """A default as it is written in the environment; nothing for what is empty or secret."""
    if default is None or isinstance(default, SecretStr | tuple | dict):
        return ""
    return f".../{BUNDLED_MODEL.name}" if default == BUNDLED_MODEL else str(default)
