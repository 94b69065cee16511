"""The settings' section `[scheduling]`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class SchedulingSettings(BaseModel):
    """Schedules. An instant that is older than `misfire_grace_s` is skipped, visibly.

    What became of each instant is kept for `keep_records_days`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    misfire_grace_s: float = Field(default=60.0, ge=1, le=3_600)
    keep_records_days: int = Field(default=30, ge=2, le=3_650)
