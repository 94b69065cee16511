"""Device drivers: what carries the server's wishes to loudspeakers of a kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Protocol
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from antiphon.errors import Conflict
from antiphon.plugins.lists import ListQuery, Page, SortedBy
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

    async def set_muted(  # noqa: B027  optional
        self, device_id: str, *, muted: bool
    ) -> None:
        """Silence the device, or let it be heard again. Kinds that can not, do not."""

    async def set_latency(self, device_id: str, latency_ms: int) -> None:  # noqa: B027  optional
        """Let the device play earlier by what its amplifier delays. Kinds that can not, do not."""

    async def order(
        self,
        device_id: str,  # noqa: ARG002  for those that can
        op: str,
        arguments: Mapping[str, Any],  # noqa: ARG002
    ) -> None:
        """Let the device do something once: `identify`, `test_tone`, `restart`.

        Returns when it is done. Raises Conflict where this kind of device can not do it.
        """
        raise Conflict(
            f"A device of type {self.device_type} can not do {op}: nothing runs there that could."
        )


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
    muted: bool = False
    latency_ms: int
    last_seen: datetime | None
    problems: tuple[str, ...] = Field(
        default=(),
        description="What a person should look at: `silent` where nothing is heard from it though "
        "its zone plays.",
    )


class DeviceQuery(ListQuery):
    """Which loudspeakers."""

    client_id: UUID | None = Field(default=None, description="Those of this client alone.")
    zone_id: UUID | None = Field(default=None, description="Those in this zone alone.")
    is_online: bool | None = None
    assigned: bool | None = Field(default=None, description="Whether they are in any zone.")
    search: str | None = Field(
        default=None, max_length=200, description="A part of the name, the id or the model."
    )
    ordering: Annotated[
        str, SortedBy("name", "device_type", "device_id", "model", "is_online", "volume")
    ] = "name"


class DeviceUpdate(BaseModel):
    """What may be changed of a device; keys that are left out stay. `zone_id: null` unassigns.

    `latency_ms` is what its amplifier delays the sound by: the device plays earlier by that.
    """

    model_config = ConfigDict(extra="forbid", defer_build=True)

    name: str | None = Field(default=None, min_length=1, max_length=200)
    zone_id: UUID | None = None
    latency_ms: int | None = Field(default=None, ge=0, le=5_000)


class DeviceReport(Frozen):
    """What a driver knows of a device that it found. `device_id` is the hardware's id.

    `is_online` None: the driver can not know now. Facts that are None stay as they were. `name` is
    what a new device is called until a person says otherwise.
    """

    device_id: str = Field(min_length=1, max_length=128)
    device_type: str = Field(min_length=1, max_length=50)
    is_online: bool | None
    name: str = ""
    model: str | None = None
    firmware_version: str | None = None
    ip_address: str | None = None


class StreamServer(Frozen):
    """Where loudspeakers find their sound: a snapserver. `host` None: the machine of the server."""

    host: str | None
    port: int


class Devices(Protocol):
    """All loudspeakers. All methods run on the main loop.

    Devices that nobody has adopted yet are seen by admin and staff; on a server with a single
    client, by that client too. Others raise NotFound.
    """

    async def views(
        self, principal: Principal, only: Collection[UUID] | None = None
    ) -> Sequence[DeviceView]:
        """All devices that the principal sees, by name, or those of `only` that it sees."""

    async def page(self, principal: Principal, query: DeviceQuery) -> Page[DeviceView]:
        """Those of them that `query` asks for. Costs what a page costs, not what there is."""

    async def view(self, principal: Principal, device_id: UUID) -> DeviceView:
        """One device, by the id of its row."""

    async def update(
        self, principal: Principal, device_id: UUID, update: DeviceUpdate
    ) -> DeviceView:
        """Rename or assign a device; takes effect on the loudspeaker at once if it is there."""

    async def set_volume(self, principal: Principal, device_id: UUID, volume: int) -> DeviceView:
        """Set the device's own volume in percent; kept for when it is back, if it is away."""

    async def set_muted(self, principal: Principal, device_id: UUID, *, muted: bool) -> DeviceView:
        """Silence the device alone, or let it be heard again; kept like the volume."""

    async def remove(self, principal: Principal, device_id: UUID) -> DeviceView:
        """Forget a device; returns what it was. One that is still there is found again, as new."""

    async def order(
        self, principal: Principal, device_id: UUID, op: str, arguments: Mapping[str, Any]
    ) -> None:
        """Let a device do something once; see `DeviceDriver.order`."""

    def add_driver(self, driver: DeviceDriver) -> None:
        """Called by a service that is a driver itself; others are handed over by the hook.

        Raises ValueError where its type has a driver.
        """

    async def report(self, report: DeviceReport) -> DeviceView:
        """Called by a driver: a device was found, came, went, or told something new of itself.

        The first report of an id makes the device, which nobody has adopted then, unless the
        settings let newcomers play at once. A device that is known already, as a snapclient say,
        becomes one of this type. Cheap where nothing is new.
        """

    @property
    def stream_server(self) -> StreamServer | None:
        """Where devices find their sound; None while there is no snapserver."""
