"""Floors and zones as the API tells and takes them."""

from __future__ import annotations

from datetime import datetime, time
from typing import Annotated
from uuid import UUID

from pydantic import Field

from antiphon.plugins.lists import Line, left_out
from antiphon.plugins.zones import ApiModel, Percent, PlaybackView
from antiphon.types import Frozen

Text = Annotated[str, Field(max_length=10_000)]


class FloorView(Frozen):
    """A floor."""

    id: UUID
    client_id: UUID
    name: str
    description: str
    is_premium: bool
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None


class FloorCreate(ApiModel):
    """A new floor. `client_id` matters to admin and staff alone."""

    name: Line
    description: Text = ""
    client_id: UUID | None = None


class FloorUpdate(ApiModel):
    """What to change of a floor; keys that are left out stay."""

    name: Line = left_out()
    description: Text = left_out()


class ZoneView(Frozen):
    """A zone and, where the server plays it, what it plays."""

    id: UUID
    client_id: UUID
    floor_id: UUID
    name: str
    description: str
    default_volume: int
    background_volume_percent: int | None
    quiet_from: time | None
    quiet_until: time | None
    schedules_enabled: bool
    is_active: bool
    has_image: bool = False
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    playback: PlaybackView | None = None


class ZoneCreate(ApiModel):
    """A new zone. Without a floor it lies on the client's first one.

    `quiet_from` and `quiet_until` (local time) go together; the night may lie between them.
    """

    name: Line
    floor_id: UUID | None = None
    description: Text = ""
    default_volume: Percent = 70
    background_volume_percent: Percent | None = None
    quiet_from: time | None = None
    quiet_until: time | None = None
    client_id: UUID | None = None


class ZoneUpdate(ApiModel):
    """What to change of a zone; keys that are left out stay.

    Without `schedules_enabled` no schedule does anything in the zone.
    """

    name: Line = left_out()
    floor_id: UUID = left_out()
    description: Text = left_out()
    default_volume: Percent = left_out()
    background_volume_percent: Percent | None = None
    quiet_from: time | None = None
    quiet_until: time | None = None
    schedules_enabled: bool = left_out()
    is_active: bool = left_out()
