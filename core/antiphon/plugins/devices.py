"""Device drivers: what carries the server's wishes to loudspeakers of a kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from antiphon.types import Frozen, Principal


class DeviceDriver(ABC):
    """Talks to devices of one `device_type`. All methods run on the main loop.

    Each raises Unavailable while the device can not be reached; the wish is kept in the database
    and sent again when the device is back.
    """

    @property
    @abstractmethod
    def device_type(self) -> str:
        """The value of `Device.device_type` that this driver answers for, such as `snapclient`."""

    @abstractmethod
    async def set_volume(self, device_id: str, volume: int) -> None:
        """Set the device's own volume in percent. `device_id` is the hardware's id."""

    @abstractmethod
    async def set_name(self, device_id: str, name: str) -> None:
        """Let the device be shown under this name elsewhere too."""

    @abstractmethod
    async def assign(self, device_id: str, zone_id: UUID | None) -> None:
        """Let the device play this zone, or nothing."""


class DeviceView(Frozen):
    """A loudspeaker as people know it. `client_id` and `zone_id` are None until it is adopted."""

    id: UUID
    client_id: UUID | None
    zone_id: UUID | None
    name: str
    device_type: str
    device_id: str
    model: str = ""
    firmware_version: str = ""
    ip_address: str = ""
    is_online: bool
    volume: int
    latency_ms: int
    last_seen: datetime | None


class DeviceUpdate(BaseModel):
    """What may be changed of a device; keys that are left out stay. `zone_id: null` unassigns."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(default=None, min_length=1, max_length=200)
    zone_id: UUID | None = None


class Devices(Protocol):
    """All loudspeakers. All methods run on the main loop.

    Devices that nobody has adopted yet are seen by admin and staff; on a server with a single
    client, by that client too. Others raise NotFound.
    """

    async def views(self, principal: Principal) -> Sequence[DeviceView]:
        """All devices that the principal sees, by name."""

    async def view(self, principal: Principal, device_id: UUID) -> DeviceView:
        """One device, by the id of its row."""

    async def update(
        self, principal: Principal, device_id: UUID, update: DeviceUpdate
    ) -> DeviceView:
        """Rename or assign a device; takes effect on the loudspeaker at once if it is there."""

    async def set_volume(self, principal: Principal, device_id: UUID, volume: int) -> DeviceView:
        """Set the device's own volume in percent; kept for when it is back, if it is away."""
