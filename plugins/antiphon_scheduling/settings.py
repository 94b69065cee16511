"""The settings' section `[scheduling]`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class SchedulingSettings(BaseModel):
    """Schedules. An instant that is older than `misfire_grace_s` is skipped, visibly.

    What became of each instant is kept for `keep_records_days`. Calendars that come from a web
    address are fetched every `calendar_refresh_hours`, and from public addresses alone unless
    `calendar_private_addresses` is set.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    misfire_grace_s: float = Field(default=60.0, ge=1, le=3_600)
    keep_records_days: int = Field(default=30, ge=2, le=3_650)
    calendar_refresh_hours: float = Field(default=12.0, ge=0.25, le=24 * 31)
    calendar_private_addresses: bool = False
