"""The settings' section `[scheduling]`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class SchedulingSettings(BaseModel):
    """Schedules. An instant that is older than `misfire_grace_s` is skipped, visibly."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    misfire_grace_s: float = Field(default=60.0, ge=1, le=3_600)
