"""The table of the audit trail."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tortoise import fields

from antiphon.store.base import TimestampedModel
from antiphon.tenancy.models import Client, User
from antiphon.types import Via


class AuditLog(TimestampedModel):
    """One change. Rows are only ever added, and outlive what they tell of.

    So user and client are not held by the database: their ids stay when they are gone, and
    `user_email` is what it was then. `client` is whose thing was changed.
    """

    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "antiphon.User",
        related_name=False,
        null=True,
        db_constraint=False,
        on_delete=fields.NO_ACTION,
    )
    user_id: UUID | None
    user_email = fields.CharField(max_length=254, default="")
    action = fields.CharField(max_length=100)
    resource_type = fields.CharField(max_length=50)
    resource_id = fields.CharField(max_length=64, null=True)
    resource_name = fields.CharField(max_length=300, default="")
    client: fields.ForeignKeyNullableRelation[Client] = fields.ForeignKeyField(
        "antiphon.Client",
        related_name=False,
        null=True,
        db_constraint=False,
        on_delete=fields.NO_ACTION,
    )
    client_id: UUID | None
    via = fields.CharEnumField(Via, max_length=20)
    details: dict[str, Any] = fields.JSONField(default=dict)
    ip_address = fields.CharField(max_length=64, default="")
    user_agent = fields.CharField(max_length=300, default="")

    class Meta:
        table = "audit_log"
        indexes = (
            ("client_id", "created_at"),
            ("created_at",),
            ("resource_type", "resource_id"),
            ("user_id", "created_at"),
        )

    async def save(self, *arguments: Any, **options: Any) -> None:
        """Add the row. Raises TypeError for one that is there already."""
        if self._saved_in_db:
            raise TypeError("The audit trail is only ever added to")
        await super().save(*arguments, **options)

    async def delete(self, *_: Any, **__: Any) -> None:
        """Raises TypeError."""
        raise TypeError("The audit trail is only ever added to")
