"""Users and clients as the API tells and takes them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
)

from antiphon.plugins.lists import DeletableQuery, Line, SortedBy, left_out
from antiphon.plugins.zones import ApiModel
from antiphon.tenancy.models import Client, SubscriptionStatus, SubscriptionTier, User
from antiphon.tenancy.subscriptions import why_inactive
from antiphon.tenancy.users import email_of, known_timezone
from antiphon.types import Effect, Frozen, Role

Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Phone = Annotated[str, StringConstraints(strip_whitespace=True, max_length=50)]
Email = Annotated[str, Field(min_length=3, max_length=254, examples=["anna@hotel.example"])]
Password = Annotated[str, Field(min_length=1, max_length=1_000, examples=["a long new password"])]
Timezone = Annotated[
    str, Field(max_length=64, examples=["Europe/Berlin"]), AfterValidator(known_timezone)
]
Number = Annotated[int, Field(ge=0, le=2**31 - 1)]


class UserView(Frozen):
    """A user. `client_id` is null for admin and staff; `floor_id` is for floor users alone."""

    id: UUID
    email: str
    name: str
    role: Role
    client_id: UUID | None
    floor_id: UUID | None
    phone: str
    timezone: str | None
    is_active: bool
    last_seen: datetime | None
    has_avatar: bool = False
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None

    @classmethod
    def of(cls, user: User) -> Self:
        """The view of a row."""
        names = set(UserView.model_fields) - {"has_avatar", "email"}
        values = {name: getattr(user, name) for name in names}
        return cls(has_avatar=user.avatar is not None, email=email_of(user), **values)


class MeView(UserView):
    """The user who asks. `acting_for` is the client whom a member of staff impersonates."""

    settings: dict[str, JsonValue]
    acting_for: UUID | None = None


class UserCreate(ApiModel):
    """A new user. Without a password, nobody logs in before a password link was used.

    `client_id` matters to admin and staff alone; `floor_id` is for floor users.
    """

    email: Email
    role: Role
    name: Name = ""
    password: Password | None = None
    client_id: UUID | None = None
    floor_id: UUID | None = None
    phone: Phone = ""
    timezone: Timezone | None = None


class UserUpdate(ApiModel):
    """What to change of a user; keys that are left out stay. A new role counts at once."""

    email: Email = left_out()
    role: Role = left_out()
    name: Name = left_out()
    client_id: UUID | None = None
    floor_id: UUID | None = None
    phone: Phone = left_out()
    timezone: Timezone | None = None
    is_active: bool = left_out()


class ProfileUpdate(ApiModel):
    """What people may change of themselves. `settings` is kept as it is, for pages to use."""

    name: Name = left_out()
    phone: Phone = left_out()
    timezone: Timezone | None = None
    settings: dict[str, JsonValue] = left_out()


class UserQuery(DeletableQuery):
    """Which users."""

    ordering: Annotated[str, SortedBy("email", "name", "role", "created_at", "updated_at")] = (
        "email"
    )

    client_id: UUID | None = Field(default=None, description="Those of this client alone.")
    role: Role | None = None
    is_active: bool | None = None
    search: str | None = Field(
        default=None, max_length=200, description="A part of the name or the e-mail."
    )


class PremiumFeatures(ApiModel):
    """What the subscription includes besides; keys beyond these are kept for plugins."""

    model_config = ConfigDict(extra="allow")

    multi_floor: bool | None = Field(
        default=None, description="More than one floor; null leaves it to the tier."
    )


class ClientView(Frozen):
    """A client. `inactive_reason` says why it may read alone, where that is so."""

    id: UUID
    name: str
    business_name: str
    email: str
    telephone: str
    description: str
    timezone: str
    subscription_tier: SubscriptionTier
    subscription_status: SubscriptionStatus
    subscription_price: Decimal | None
    subscription_start: datetime | None
    subscription_end: datetime | None
    trial_days: int
    trial_ends_at: datetime | None
    premium_features: dict[str, JsonValue]
    max_devices: int | None
    max_storage_gb: float | None
    max_floors: int | None
    is_active: bool
    inactive_reason: str | None = None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None

    @classmethod
    def of(cls, client: Client) -> Self:
        """The view of a row."""
        names = set(cls.model_fields) - {"inactive_reason"}
        values = {name: getattr(client, name) for name in names}
        return cls(inactive_reason=why_inactive(client), **values)


class ClientProfile(ApiModel):
    """What a client says of itself."""

    name: Line = left_out()
    business_name: Name = left_out()
    email: Annotated[str, Field(max_length=254)] = left_out()
    telephone: Phone = left_out()
    description: Annotated[str, Field(max_length=10_000)] = left_out()
    timezone: Timezone = left_out()


class ClientUpdate(ClientProfile):
    """What to change of a client; keys that are left out stay.

    From `subscription_tier` on, the fields are for admin and staff.
    """

    subscription_tier: SubscriptionTier = left_out()
    subscription_status: SubscriptionStatus = left_out()
    subscription_price: (
        Annotated[Decimal, Field(ge=0, max_digits=10, decimal_places=2, allow_inf_nan=False)] | None
    ) = None
    subscription_start: AwareDatetime | None = None
    subscription_end: AwareDatetime | None = None
    trial_days: Annotated[int, Field(ge=0, le=3650)] = left_out()
    trial_ends_at: AwareDatetime | None = None
    premium_features: PremiumFeatures = left_out()
    max_devices: Number | None = None
    max_storage_gb: Annotated[float, Field(ge=0, le=1e9)] | None = None
    max_floors: Number | None = None
    is_active: bool = left_out()


class ClientCreate(ClientUpdate):
    """A new client; only the name is needed."""

    name: Line


class ClientQuery(DeletableQuery):
    """Which clients."""

    ordering: Annotated[
        str,
        SortedBy("name", "business_name", "subscription_status", "created_at", "updated_at"),
    ] = "name"

    subscription_status: SubscriptionStatus | None = None
    is_active: bool | None = None
    search: str | None = Field(default=None, max_length=200, description="A part of the names.")


class ApiTokenView(Frozen):
    """An API token; the token itself was shown once."""

    id: UUID
    name: str
    scopes: tuple[Effect, ...]
    expires_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime
