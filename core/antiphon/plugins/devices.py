"""Device drivers: what carries the server's wishes to loudspeakers of a kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from uuid import UUID


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
