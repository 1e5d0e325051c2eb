"""Bounds for one address and one key, as the operator sets them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Allowances(BaseModel):
    """Bounds for one address, one key, one short-lived key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address_sessions: int = Field(default=64, ge=1)
    address_connections: int = Field(default=600, ge=1)  # a minute
    key_sessions: int = Field(default=1024, ge=1)
    key_connections: int = Field(default=6000, ge=1)
    ephemeral_sessions: int = Field(default=8, ge=1)
    ephemeral_connections: int = Field(default=60, ge=1)
