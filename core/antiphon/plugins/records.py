"""What became of each plugin, for `antiphon plugins`, the API and the health check."""

from __future__ import annotations

from enum import StrEnum

from antiphon.types import Frozen


class PluginStatus(StrEnum):
    """A plugin that is not ready offers nothing; all else goes on without it."""

    READY = "ready"
    DISABLED = "disabled"
    FAILED_TO_LOAD = "failed_to_load"
    BAD_SETTINGS = "bad_settings"
    FAILED_TO_START = "failed_to_start"
    QUARANTINED = "quarantined"


class PluginRecord(Frozen):
    """One row: a plugin, where it comes from, how it is, and why."""

    name: str
    distribution: str
    version: str
    status: PluginStatus = PluginStatus.READY
    reason: str | None = None
