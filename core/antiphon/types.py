"""Words that every part uses: identities, roles, bands, states and the frozen base of values."""

from __future__ import annotations

from enum import StrEnum
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """Base of all values that travel: immutable, and closed to keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Role(StrEnum):
    """What a user may do; each role's reach is decided in `antiphon.tenancy` alone."""

    ADMIN = "admin"
    STAFF = "staff"
    CLIENT = "client"
    FLOOR_USER = "floor_user"


class Effect(StrEnum):
    """What an operation does, and so what it takes to call it.

    Of these, `read`, `control` and `manage` are also the scopes of API tokens. `account` concerns
    nobody but the person who calls: API tokens and whoever impersonates have no part in it.
    """

    READ = "read"
    CONTROL = "control"
    MANAGE = "manage"
    ACCOUNT = "account"


class Via(StrEnum):
    """The door a command came through; kept with every trace that the command leaves."""

    REST = "rest"
    WEBSOCKET = "websocket"
    MQTT = "mqtt"
    SCHEDULE = "schedule"
    PLUGIN = "plugin"
    CLI = "cli"
    SYSTEM = "system"


class Principal(Frozen):
    """Who acts, and on behalf of which tenant.

    `client_id` is None for admin and staff, who see every tenant. `floor_id` is set for a
    floor user only. `impersonator_id` is the member of staff who acts as a client, and is then
    the `user_id` too. `schedule_id` is the schedule that acts, where one does.
    """

    user_id: UUID | None = None
    role: Role
    client_id: UUID | None = None
    floor_id: UUID | None = None
    impersonator_id: UUID | None = None
    via: Via = Via.REST
    schedule_id: UUID | None = None

    @classmethod
    def system(
        cls,
        client_id: UUID | None = None,
        via: Via = Via.SYSTEM,
        schedule_id: UUID | None = None,
    ) -> Self:
        """Antiphon itself: a schedule, a bridge, a start-up task. Bound to a tenant if given."""
        role = Role.ADMIN if client_id is None else Role.CLIENT
        return cls(role=role, client_id=client_id, via=via, schedule_id=schedule_id)


class Band(StrEnum):
    """Named priority class of a call. Larger numbers win; see `priority`."""

    MUSIC = "music"
    SPOT = "spot"
    ANNOUNCEMENT = "announcement"
    PAGE = "page"
    URGENT = "urgent"

    @property
    def priorities(self) -> range:
        """The band's share of the scale 0 to 255."""
        return _PRIORITIES[self]

    @property
    def priority(self) -> int:
        """The priority of a call that names the band alone: the middle of its range."""
        return self.priorities[len(self.priorities) // 2]

    @classmethod
    def of(cls, priority: int) -> Band:
        """The band that a priority from 0 to 255 lies in."""
        return next(band for band in cls if priority in band.priorities)


_PRIORITIES = {
    Band.MUSIC: range(32),
    Band.SPOT: range(32, 96),
    Band.ANNOUNCEMENT: range(96, 160),
    Band.PAGE: range(160, 224),
    Band.URGENT: range(224, 256),
}


class CallState(StrEnum):
    """Where a call stands in one zone. The last five are final."""

    PREPARING = "preparing"
    QUEUED = "queued"
    PLAYING = "playing"
    COMPLETED = "completed"
    CUT = "cut"
    EXPIRED = "expired"
    REVOKED = "revoked"
    FAILED = "failed"

    @property
    def final(self) -> bool:
        """Whether nothing more can happen to the call in this zone."""
        return self not in (CallState.PREPARING, CallState.QUEUED, CallState.PLAYING)


class DeadAirStep(StrEnum):
    """What is done where music should be heard and is not, one after the other."""

    NEXT_TRACK = "next_track"
    RESTART = "restart"
    FALLBACK = "fallback"
    NOTHING_LEFT = "nothing_left"


class CallStyle(StrEnum):
    """What becomes of a zone's music while a call is heard there."""

    OVER = "over"
    PAUSE = "pause"
    BETWEEN = "between"


class Playback(StrEnum):
    """What a zone's music was asked to do."""

    PLAYING = "playing"
    PAUSED = "paused"
    STOPPED = "stopped"


class Repeat(StrEnum):
    """What follows the last track of a queue."""

    NONE = "none"
    ONE = "one"
    ALL = "all"
