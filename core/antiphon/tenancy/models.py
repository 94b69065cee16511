"""Who uses the server: clients (tenants), their users, and what these log in with."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields

from antiphon.store.base import SoftDeleteModel, TimestampedModel
from antiphon.types import Role


class SubscriptionTier(StrEnum):
    """What a client pays for."""

    BASIC = "basic"
    PROFESSIONAL = "professional"
    ENTERPRISE = "enterprise"


class SubscriptionStatus(StrEnum):
    """Whether a client may change and play things."""

    TRIAL = "trial"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    CANCELLED = "cancelled"


class Client(SoftDeleteModel):
    """A tenant: the business that everything below belongs to."""

    name = fields.CharField(max_length=200)
    business_name = fields.CharField(max_length=200, default="")
    email = fields.CharField(max_length=254, default="")
    telephone = fields.CharField(max_length=50, default="")
    description = fields.TextField(default="")
    timezone = fields.CharField(max_length=64, default="UTC")
    subscription_tier = fields.CharEnumField(
        SubscriptionTier, default=SubscriptionTier.ENTERPRISE, max_length=20
    )
    subscription_status = fields.CharEnumField(
        SubscriptionStatus, default=SubscriptionStatus.ACTIVE, max_length=20
    )
    subscription_price = fields.DecimalField(max_digits=10, decimal_places=2, null=True)
    subscription_start = fields.DatetimeField(null=True)
    subscription_end = fields.DatetimeField(null=True)
    trial_days = fields.IntField(default=14)
    trial_ends_at = fields.DatetimeField(null=True)
    premium_features: dict[str, Any] = fields.JSONField(default=dict)
    max_devices = fields.IntField(null=True)
    max_storage_gb = fields.FloatField(null=True)
    max_floors = fields.IntField(null=True)
    is_active = fields.BooleanField(default=True)

    class Meta:
        table = "client"

    def files(self) -> Iterable[str | None]:
        """See `SoftDeleteModel.files`: all media of the client."""
        return (str(self.id),)


class User(SoftDeleteModel):
    """A person who can log in. `client` is empty for admin and staff.

    `token_version` is in every access token: those of an earlier version no longer count.
    """

    email = fields.CharField(max_length=254, unique=True)
    name = fields.CharField(max_length=200, default="")
    role = fields.CharEnumField(Role, max_length=20)
    client: fields.ForeignKeyNullableRelation[Client] = fields.ForeignKeyField(
        "antiphon.Client", related_name="users", null=True, on_delete=fields.CASCADE
    )
    client_id: UUID | None
    floor_id = fields.UUIDField(null=True)
    phone = fields.CharField(max_length=50, default="")
    avatar = fields.CharField(max_length=200, null=True)
    timezone = fields.CharField(max_length=64, null=True)
    settings: dict[str, Any] = fields.JSONField(default=dict)
    password_hash = fields.CharField(max_length=200)
    token_version = fields.IntField(default=0, db_default=0)
    is_active = fields.BooleanField(default=True)
    last_seen = fields.DatetimeField(null=True)

    class Meta:
        table = "user"

    def files(self) -> Iterable[str | None]:
        """See `SoftDeleteModel.files`."""
        return (self.avatar,)


class RefreshToken(TimestampedModel):
    """What a log-in is prolonged with: each is used once and replaced by the next of its family.

    A family is one session; it is alive while one of its tokens is neither used nor revoked.
    """

    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "antiphon.User", related_name="refresh_tokens"
    )
    user_id: UUID
    family = fields.UUIDField(db_index=True)
    token_hash = fields.CharField(max_length=64, unique=True)
    expires_at = fields.DatetimeField(db_index=True)
    used_at = fields.DatetimeField(null=True)
    revoked_at = fields.DatetimeField(null=True)

    class Meta:
        table = "refresh_token"


class ApiToken(TimestampedModel):
    """What an integration logs in with on behalf of a user. The token itself is not kept."""

    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "antiphon.User", related_name="api_tokens"
    )
    user_id: UUID
    name = fields.CharField(max_length=200)
    scopes: list[str] = fields.JSONField(default=list)
    token_hash = fields.CharField(max_length=64, unique=True)
    expires_at = fields.DatetimeField(null=True)
    last_used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "api_token"
