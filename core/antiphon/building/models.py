"""What a building is made of: floors, zones and loudspeakers."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from tortoise import fields

from antiphon.store.base import SoftDeleteModel, TimestampedModel, WallTimeField
from antiphon.tenancy.models import Client, User


class Floor(SoftDeleteModel):
    """A part of a client's building that holds zones. Its name is unique per client."""

    client: fields.ForeignKeyRelation[Client] = fields.ForeignKeyField(
        "antiphon.Client", related_name="floors"
    )
    client_id: UUID
    name = fields.CharField(max_length=200)
    description = fields.TextField(default="")
    is_premium = fields.BooleanField(default=False)
    created_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "antiphon.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )

    class Meta:
        table = "floor"
        indexes = (("client_id", "name"),)


class Zone(SoftDeleteModel):
    """What hears one programme. Its name is unique per client."""

    client: fields.ForeignKeyRelation[Client] = fields.ForeignKeyField(
        "antiphon.Client", related_name="zones"
    )
    client_id: UUID
    floor: fields.ForeignKeyRelation[Floor] = fields.ForeignKeyField(
        "antiphon.Floor", related_name="zones"
    )
    floor_id: UUID
    name = fields.CharField(max_length=200)
    description = fields.TextField(default="")
    default_volume = fields.IntField(default=70)
    background_volume_percent = fields.IntField(null=True)
    quiet_from = WallTimeField(null=True)
    quiet_until = WallTimeField(null=True)
    channel_playlist_id = fields.UUIDField(null=True)
    schedules_enabled = fields.BooleanField(default=True)
    image = fields.CharField(max_length=200, null=True)
    is_active = fields.BooleanField(default=True)

    class Meta:
        table = "zone"
        indexes = (("client_id", "name"),)

    def files(self) -> Iterable[str | None]:
        """See `SoftDeleteModel.files`."""
        return (self.image,)


class Device(TimestampedModel):
    """A loudspeaker. Client and zone stay empty until it is adopted."""

    client: fields.ForeignKeyNullableRelation[Client] = fields.ForeignKeyField(
        "antiphon.Client", related_name="devices", null=True
    )
    client_id: UUID | None
    zone: fields.ForeignKeyNullableRelation[Zone] = fields.ForeignKeyField(
        "antiphon.Zone", related_name="devices", null=True, on_delete=fields.SET_NULL
    )
    zone_id: UUID | None
    name = fields.CharField(max_length=200)
    device_type = fields.CharField(max_length=50, default="snapclient")
    device_id = fields.CharField(max_length=128, unique=True)
    model = fields.CharField(max_length=200, default="")
    firmware_version = fields.CharField(max_length=100, default="")
    ip_address = fields.CharField(max_length=64, default="")
    last_seen = fields.DatetimeField(null=True)
    is_online = fields.BooleanField(default=False)
    volume = fields.IntField(default=100)
    muted = fields.BooleanField(default=False)
    latency_ms = fields.IntField(default=0)

    class Meta:
        table = "device"
