"""The state of the building as retained documents: clients, zones, loudspeakers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from uuid import UUID

from antiphon.errors import NotFound
from antiphon.plugins import (
    DeviceReport,
    Devices,
    DeviceView,
    MediaRegistry,
    PlaybackView,
    SchedulesOffer,
    Zones,
)
from antiphon.types import Principal, Via
from antiphon_devices import views
from antiphon_devices.around import Around
from antiphon_devices.documents import Documents
from antiphon_devices.payloads import OFFLINE, ONLINE, AgentState, ClientInfo, FloorInfo
from antiphon_devices.reports import AgentInfo, AgentTelemetry
from antiphon_devices.roster import Roster
from antiphon_devices.topics import (
    ClientTopic,
    DeviceTopic,
    FloorTopic,
    Kind,
    MirrorTopic,
    ZoneTopic,
    device_key,
)

_PASSING_S = 30
SERVER = Principal.system(via=Via.MQTT)

Clients = Callable[[], Awaitable[Mapping[UUID, ClientInfo]]]
Floors = Callable[[], Awaitable[Mapping[UUID, FloorInfo]]]


async def no_floors() -> Mapping[UUID, FloorInfo]:
    """For a building without any."""
    return {}


@dataclass(slots=True)
class Agent:
    """What a loudspeaker's own agent last said, and what the server was told of it.

    `measured_at` is when telemetry came last; `is_silent` whether it should have come since.
    `clock_differs` tells that its clock is not ours. `is_unheard`: it plays nothing though its
    zone does. `machines` are those that said to be it, each with the time at which it did so last.
    """

    status: bool | None = None
    state: AgentState | None = None
    info: AgentInfo | None = None
    clock_differs: bool = False
    measured_at: float | None = None
    is_silent: bool = False
    is_unheard: bool = False
    reported: DeviceReport | None = None
    device_id: UUID | None = None  # under which the server knows it, once it was told
    machines: dict[tuple[object, ...], float] = field(default_factory=dict)

    @property
    def is_online(self) -> bool | None:
        """Whether it is there; None where nobody has told."""
        return False if self.is_silent else self.status


@dataclass(frozen=True, slots=True)
class Building:
    """Where the mirror looks: zones, loudspeakers, clients, floors, music to choose, schedules."""

    zones: Zones
    devices: Devices
    clients: Clients
    floors: Floors = no_floors
    media: MediaRegistry = field(default_factory=MediaRegistry)
    schedules: SchedulesOffer = field(default_factory=SchedulesOffer)
    telemetry_interval_s: int = 60
    public_url: str = ""


@dataclass(slots=True)
class Known:
    """What was last seen of everything; `agents` by the key of the device.

    `gone` are zones that were deleted: whoever still answers for one is late.
    """

    clients: dict[UUID, ClientInfo] = field(default_factory=dict)
    floors: dict[UUID, FloorInfo] = field(default_factory=dict)
    zones: dict[UUID, PlaybackView] = field(default_factory=dict)
    gone: set[UUID] = field(default_factory=set)
    devices: Roster = field(default_factory=Roster)
    agents: dict[str, Agent] = field(default_factory=dict)
    alerts: dict[UUID, int] = field(default_factory=dict)


class Mirror:
    """Keeps the documents equal to the building. Every method may be called again at any time.

    `touched` is called with a client whose figures may have changed; who gave it calls
    `refresh_client` when there is time.
    """

    def __init__(
        self, building: Building, documents: Documents, touched: Callable[[UUID], None]
    ) -> None:
        self._building = building
        self._documents = documents
        self._touched = touched
        self.known = Known()
        self.around = Around(building.media, building.schedules)

    async def load(self) -> None:
        """Look at everything; documents of what is gone are emptied."""
        known = self.known
        before, known.clients = known.clients, dict(await self._building.clients())
        for client_id in before.keys() - known.clients.keys():
            self._remove_client(client_id)
        for client_id in known.clients:
            await self._look_around(client_id)
        await self._take_floors()
        zones = {zone.zone_id: zone for zone in await self._building.zones.views(SERVER)}
        devices = {device.id: device for device in await self._building.devices.views(SERVER)}
        for zone_id in known.zones.keys() - zones.keys():
            self._forget_zone(zone_id)
        for device_id in known.devices.ids - devices.keys():
            if (gone := known.devices.remove(device_id)) is not None:
                self._remove_device(gone)
        for device in devices.values():
            self._take_device(device)
        for zone in zones.values():
            self._take_zone(zone)
        for client_id in known.clients.keys() | {zone.client_id for zone in zones.values()}:
            await self.refresh_client(client_id)

    async def refresh_zone(self, zone_id: UUID) -> None:
        """A zone changed, appeared or went."""
        try:
            zone = await self._building.zones.view(SERVER, zone_id)
        except NotFound:
            self._forget_zone(zone_id)
            return
        if zone.client_id not in self.known.clients:
            self.known.clients = dict(await self._building.clients())
            await self._look_around(zone.client_id)
        self._take_zone(zone)
        self._touched(zone.client_id)

    async def refresh_device(self, device_id: UUID) -> None:
        """A loudspeaker changed, appeared or went."""
        await self.refresh_devices([device_id])

    async def refresh_devices(self, device_ids: Collection[UUID]) -> None:
        """Some loudspeakers changed, appeared or went; they are looked up together."""
        found = await self._building.devices.views(SERVER, device_ids)
        there = {device.id: device for device in found}
        around: list[DeviceView] = []
        for device_id in device_ids:
            if (before := self.known.devices.get(device_id)) is not None:
                around.append(before)
            if (device := there.get(device_id)) is not None:
                self._take_device(device)
                around.append(device)
            elif before is not None:
                self.known.devices.remove(device_id)
                self._remove_device(before)
        self._put_around(around)

    async def refresh_sources(self, client_id: UUID) -> None:
        """There is something else to choose for the zones of a client."""
        await self.around.refresh_sources(client_id)
        self._put_sources(client_id)

    async def refresh_schedules(self, client_id: UUID) -> None:
        """Schedules of a client will do something else, or at another time."""
        await self.around.refresh_schedules(client_id)
        self._put_zones(client_id)

    async def refresh_floors(self, client_id: UUID) -> None:
        """A floor of a client appeared, went, or has another name."""
        await self._take_floors()
        await self.refresh_client(client_id)

    async def _look_around(self, client_id: UUID) -> None:
        await self.around.refresh_sources(client_id)
        await self.around.refresh_schedules(client_id)
        self._put_sources(client_id)

    def _put_sources(self, client_id: UUID) -> None:
        """The choices before the states of zones that name one."""
        if client_id in self.known.clients:
            topic = ClientTopic(Kind.SOURCES, client=str(client_id))
            self._documents.put(topic, self.around.sources(client_id))
            self._put_zones(client_id)

    def _put_zones(self, client_id: UUID) -> None:
        for zone in self.known.zones.values():
            if zone.client_id == client_id:
                self._put_zone_state(zone)

    async def _take_floors(self) -> None:
        before, self.known.floors = self.known.floors, dict(await self._building.floors())
        for floor_id in before.keys() - self.known.floors.keys():
            for kind in (Kind.INFO, Kind.STATE):
                self._documents.drop(_floor(before[floor_id], kind))

    def _put_floors(self, client_id: UUID, zones: Iterable[PlaybackView]) -> None:
        on: dict[UUID, list[PlaybackView]] = {}
        for zone in zones:
            on.setdefault(zone.floor_id, []).append(zone)
        for floor in self.known.floors.values():
            if floor.client_id != client_id:
                continue
            here = on.get(floor.floor_id, [])
            devices = (
                self.is_online(device)
                for zone in here
                for device in self.known.devices.in_zone(zone.zone_id)
            )
            self._documents.put(_floor(floor, Kind.INFO), floor)
            self._documents.put(_floor(floor, Kind.STATE), views.floor_state(here, devices))

    async def refresh_client(self, client_id: UUID) -> None:
        """Publish a client and its figures, and those of its floors."""
        known = self.known
        info = known.clients.get(client_id)
        topic = ClientTopic(Kind.INFO, client=str(client_id))
        if info is not None:
            self._documents.put(topic, info)
        zones = [zone for zone in known.zones.values() if zone.client_id == client_id]
        self._put_floors(client_id, zones)
        state = views.client_state(
            zones,
            (self.is_online(device) for device in known.devices.of_client(client_id)),
            known.alerts.get(client_id, 0),
        )
        self._documents.put(ClientTopic(Kind.STATE, client=str(client_id)), state)

    def _remove_client(self, client_id: UUID) -> None:
        self.around.forget(client_id)
        for kind in (Kind.INFO, Kind.STATE, Kind.SOURCES):
            self._documents.drop(ClientTopic(kind, client=str(client_id)))

    async def answer_zone(self, zone_id: UUID) -> None:
        """The answer to a `set`: the zone's state, even where nothing changed."""
        before = self._rev(self.known.zones.get(zone_id))
        await self.refresh_zone(zone_id)
        after = self.known.zones.get(zone_id)
        if after is not None and self._rev(after) == before:
            self._documents.again(_zone(after, Kind.STATE))

    async def answer_device(self, device_id: UUID) -> None:
        """The answer to a `set`: the loudspeaker's state, even where nothing changed."""
        before = self._rev(self.known.devices.get(device_id))
        await self.refresh_device(device_id)
        after = self.known.devices.get(device_id)
        if after is not None and self._rev(after) == before:
            self._documents.again(_mirror(after, Kind.STATE))

    def remove_zone(self, zone_id: UUID) -> None:
        """A zone was deleted: its topics are emptied, and stay so."""
        self.known.gone.add(zone_id)
        self._forget_zone(zone_id)

    def restore_zone(self, zone_id: UUID) -> None:
        """A zone was added, or a deleted one came back."""
        self.known.gone.discard(zone_id)

    def _forget_zone(self, zone_id: UUID) -> None:
        zone = self.known.zones.pop(zone_id, None)
        if zone is None:
            return
        for kind in (Kind.STATUS, Kind.INFO, Kind.STATE, Kind.TRACK):
            self._documents.drop(_zone(zone, kind))
        self._touched(zone.client_id)

    def device_by_key(self, key: str) -> DeviceView | None:
        """The loudspeaker with that id in topics."""
        return self.known.devices.by_key(key)

    def is_online(self, device: DeviceView) -> bool:
        """Whether the loudspeaker is there; an agent whose will came knows it first."""
        agent = self.known.agents.get(device_key(device.device_id))
        return device.is_online and (agent is None or agent.is_online is not False)

    def tell_telemetry(self, key: str, told: AgentTelemetry) -> None:
        """Pass on what a loudspeaker measured to whoever listens now."""
        device = self.device_by_key(key)
        if device is not None and device.client_id is not None:
            topic = _mirror(device, Kind.TELEMETRY)
            self._documents.say(topic, views.telemetry(told), expires_s=_PASSING_S, qos=0)

    def has_agent(self, key: str) -> bool:
        """Whether an agent is there that can be told to do something."""
        agent = self.known.agents.get(key)
        return agent is not None and agent.is_online is True

    def put_desired(self, device: DeviceView) -> int | None:
        """Tell the agent of a loudspeaker, where it has one, what is wanted; the revision."""
        key = device_key(device.device_id)
        if key not in self.known.agents:
            return None
        topic = DeviceTopic(Kind.DOWN_DESIRED, device=key)
        server = self._building.devices.stream_server
        interval_s = self._building.telemetry_interval_s
        return self._documents.put(topic, views.desired(device, server, interval_s))

    def _rev(self, view: PlaybackView | DeviceView | None) -> int | None:
        match view:
            case PlaybackView():
                return self._documents.rev(_zone(view, Kind.STATE))
            case DeviceView():
                return self._documents.rev(_mirror(view, Kind.STATE))
            case None:
                return None

    def _take_zone(self, zone: PlaybackView) -> None:
        if zone.zone_id in self.known.gone:
            return
        before = self.known.zones.get(zone.zone_id)
        self.known.zones[zone.zone_id] = zone
        self._documents.put(_zone(zone, Kind.INFO), views.zone_info(zone))
        self._put_zone_state(zone)
        if before is None or not views.goes_on(before, zone):
            self._documents.put(
                _zone(zone, Kind.TRACK), views.track(zone, self._building.public_url)
            )
        else:  # the track's document still holds; go on judging from the moment that it tells
            kept = {"position_s": before.position_s, "position_at": before.position_at}
            self.known.zones[zone.zone_id] = zone.model_copy(update=kept)
        if before is None:
            self._documents.put_word(_zone(zone, Kind.STATUS), ONLINE)

    def _put_zone_state(self, zone: PlaybackView) -> None:
        here = list(self.known.devices.in_zone(zone.zone_id))
        counts = views.online_counts(self.is_online(device) for device in here)
        state = views.zone_state(zone, counts, self.around.source(zone), self.around.schedule(zone))
        if any(views.SILENT in device.problems for device in here):
            state = state.model_copy(update={"problems": [*state.problems, views.SILENT]})
        self._documents.put(_zone(zone, Kind.STATE), state)

    def _take_device(self, device: DeviceView) -> None:
        before = self.known.devices.get(device.id)
        if before is not None and _place(before) != _place(device):
            self._remove_device(before)
        self.known.devices.put(device)
        self.put_desired(device)
        if device.client_id is None:
            return
        agent = self.known.agents.get(device_key(device.device_id))
        word = ONLINE if self.is_online(device) else OFFLINE
        info = views.device_info(device, device.client_id, agent.info if agent else None)
        self._documents.put(_mirror(device, Kind.INFO), info)
        state = views.device_state(
            device,
            agent.state if agent else None,
            clock_differs=agent is not None and agent.clock_differs,
        )
        self._documents.put(_mirror(device, Kind.STATE), state)
        self._documents.put_word(_mirror(device, Kind.STATUS), word)

    def _remove_device(self, device: DeviceView) -> None:
        if device.client_id is not None:
            for kind in (Kind.STATUS, Kind.INFO, Kind.STATE):
                self._documents.drop(_mirror(device, kind))
        self._documents.drop(DeviceTopic(Kind.DOWN_DESIRED, device=device_key(device.device_id)))

    def _put_around(self, devices: Collection[DeviceView]) -> None:
        """The zones and clients of loudspeakers may have other figures now."""
        for zone_id in {device.zone_id for device in devices}:
            if zone_id is not None and (zone := self.known.zones.get(zone_id)):
                self._put_zone_state(zone)
        for client_id in {device.client_id for device in devices}:
            if client_id is not None:
                self._touched(client_id)


def _zone(zone: PlaybackView, kind: Kind) -> ZoneTopic:
    return ZoneTopic(kind, client=str(zone.client_id), zone=str(zone.zone_id))


def _floor(floor: FloorInfo, kind: Kind) -> FloorTopic:
    return FloorTopic(kind, client=str(floor.client_id), floor=str(floor.floor_id))


def _mirror(device: DeviceView, kind: Kind) -> MirrorTopic:
    return _mirror_topic(kind, device.client_id, device.device_id)


@lru_cache(maxsize=20_000)
def _mirror_topic(kind: Kind, client_id: UUID | None, device_id: str) -> MirrorTopic:
    return MirrorTopic(kind, client=str(client_id), device=device_key(device_id))


def _place(device: DeviceView) -> tuple[UUID | None, str]:
    return device.client_id, device.device_id
