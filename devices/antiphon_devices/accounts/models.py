"""The table of accounts at the broker."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from tortoise import fields

from antiphon.store.base import TimestampedModel
from antiphon.tenancy.models import Client


class AccountKind(StrEnum):
    """Whom an account is for."""

    DEVICE = "device"
    INTEGRATOR = "integrator"


class MqttAccount(TimestampedModel):
    """Who may log in at the broker. A loudspeaker's name is its id in topics, and it has no client.

    The password is kept as mosquitto wants it.
    """

    client: fields.ForeignKeyNullableRelation[Client] = fields.ForeignKeyField(
        "antiphon.Client", related_name=False, null=True
    )
    client_id: UUID | None
    kind = fields.CharEnumField(AccountKind, max_length=20)
    username = fields.CharField(max_length=128, unique=True)
    name = fields.CharField(max_length=200, default="")
    password_hash = fields.CharField(max_length=200)

    class Meta:
        table = "mqtt_account"
