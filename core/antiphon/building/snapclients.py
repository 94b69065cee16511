"""Snapclients as devices: wishes go to snapserver, what happens there comes into the table."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID

from antiphon.building.models import Device, Zone
from antiphon.building.presence import Presence
from antiphon.errors import Unavailable
from antiphon.events import DeviceFound, EventBus
from antiphon.plugins.devices import DeviceDriver
from antiphon.streams import (
    SAFE_VOLUME,
    ClientChanged,
    ClientNews,
    ClientsSynced,
    Snapcast,
    SnapClient,
    is_ours,
)
from antiphon.tenancy.models import Client
from antiphon.tenancy.scope import scoped
from antiphon.types import Principal

_log = logging.getLogger(__name__)
SNAPCLIENT = "snapclient"
_LONGEST_ID = 128


class SnapclientDriver(DeviceDriver):
    """Carries wishes to snapclients through their server."""

    def __init__(self, snapcast: Snapcast) -> None:
        self._snapcast = snapcast

    @property
    def device_type(self) -> str:
        """The built-in kind of device."""
        return SNAPCLIENT

    async def set_volume(self, device_id: str, volume: int) -> None:
        """See `DeviceDriver`."""
        await self._snapcast.set_volume(device_id, volume)

    async def set_muted(self, device_id: str, *, muted: bool) -> None:
        """See `DeviceDriver`."""
        await self._snapcast.set_muted(device_id, muted=muted)

    async def set_name(self, device_id: str, name: str) -> None:
        """See `DeviceDriver`."""
        await self._snapcast.set_name(device_id, name)

    async def assign(self, device_id: str, zone_id: UUID | None) -> None:
        """See `DeviceDriver`."""
        await self._snapcast.assign(device_id, zone_id)

    async def set_latency(self, device_id: str, latency_ms: int) -> None:
        """See `DeviceDriver`."""
        await self._snapcast.set_latency(device_id, latency_ms)


class Snapclients:
    """Keeps the rows of snapclients true to what snapserver tells.

    A client that comes gets what the table says of it, since the server may have forgotten. What
    somebody else changes while it is there is adopted, but for a move into another tenant's zone,
    which is taken back. `changed` is called with every row that differs from before.
    """

    def __init__(
        self,
        bus: EventBus,
        snapcast: Snapcast,
        presence: Presence,
        changed: Callable[[Device], None],
    ) -> None:
        self._bus = bus
        self._snapcast = snapcast
        self._presence = presence
        self._changed = changed

    async def forget_presence(self) -> None:
        """Nobody is there until somebody says so; called before the first news."""
        await Device.filter(is_online=True).update(is_online=False)

    async def follow(self, news: ClientNews) -> None:
        """Bring the table up to date. News only point: what counts is what the server says now."""
        if isinstance(news, ClientChanged):
            await self._follow_one(news)
            return
        present: set[str] = set()
        if isinstance(news, ClientsSynced):
            for client in self._snapcast.clients():
                await self._meet(client)
                present |= {client.id} if client.is_connected else set()
        for device in await Device.filter(is_online=True).exclude(device_id__in=present or [""]):
            if not self._presence.of(device.device_id):
                await self._leave(device)

    async def _follow_one(self, news: ClientChanged) -> None:
        known = news.after or news.before
        client = self._snapcast.client(known.id) if known else None
        if client is None or not client.is_connected:
            device = await Device.get_or_none(device_id=known.id) if known else None
            if device is not None and device.is_online:
                await self._leave(device)
        elif news.before is None or not news.before.is_connected:
            await self._meet(client)
        else:
            await self._adopt(news.before, client)

    async def _leave(self, device: Device) -> None:
        device.is_online = False
        device.last_seen = datetime.now(UTC)
        await device.save()
        self._changed(device)

    async def _meet(self, client: SnapClient) -> None:
        if len(client.id) > _LONGEST_ID:
            _log.warning("A snapclient with an id of over %d letters is left out", _LONGEST_ID)
            return
        device = await Device.get_or_none(device_id=client.id)
        if device is None:
            if client.is_connected:
                await self._welcome(client)
            return
        volume = device.volume
        if not is_ours(client.stream) and device.zone_id is None:
            device.volume = client.volume  # it plays something that is not our business
        await self._restore(device, client)
        has_news = _note_facts(device, client) or device.volume != volume
        is_online = self._presence.of(client.id)
        if device.is_online == is_online and not has_news:
            return
        device.is_online = is_online
        device.last_seen = datetime.now(UTC) if is_online else device.last_seen
        await device.save()
        self._changed(device)

    async def _welcome(self, client: SnapClient) -> None:
        """A client that was never seen: its volume is made safe before anything else."""
        zone = await self._zone(client.zone_id) or await self.first_zone()
        device = Device(
            name=(client.name or _default_name(client))[:200],
            device_type=SNAPCLIENT,
            device_id=client.id,
            zone_id=zone.id if zone else None,
            client_id=zone.client_id if zone else None,
            volume=zone.default_volume if zone else SAFE_VOLUME,
            latency_ms=client.latency_ms,
            is_online=self._presence.of(client.id),
            last_seen=datetime.now(UTC),
        )
        if zone is None and not is_ours(client.stream):
            device.volume = client.volume
        _note_facts(device, client)
        await self._restore(device, client)
        await device.save()
        self._bus.publish(DeviceFound(device_id=device.id, client_id=device.client_id))
        self._changed(device)

    async def _restore(self, device: Device, client: SnapClient) -> None:
        """Tell the server what the table wishes: the volume before the sound."""
        identity, snapcast = device.device_id, self._snapcast
        if client.volume != device.volume:
            await _try(snapcast.set_volume(identity, device.volume))
        if client.is_muted != device.muted:
            await _try(snapcast.set_muted(identity, muted=device.muted))
        if device.name not in (client.name, _default_name(client)):
            await _try(snapcast.set_name(identity, device.name))
        if not device.latency_ms:
            device.latency_ms = client.latency_ms
        elif client.latency_ms != device.latency_ms:
            await _try(snapcast.set_latency(identity, device.latency_ms))
        if client.zone_id != device.zone_id and (device.zone_id or is_ours(client.stream)):
            await _try(snapcast.assign(identity, device.zone_id))

    async def _adopt(self, before: SnapClient, client: SnapClient) -> None:
        device = await Device.get_or_none(device_id=client.id)
        if device is None:
            await self._meet(client)
            return
        wished = _wishes(device)
        if client.volume != before.volume:
            device.volume = client.volume
        if client.is_muted != before.is_muted:
            device.muted = client.is_muted
        if client.name != before.name and client.name:
            device.name = client.name[:200]
        if client.latency_ms != before.latency_ms:
            device.latency_ms = client.latency_ms
        if client.stream != before.stream and client.zone_id != device.zone_id:
            await self._adopt_zone(device, client)
        if _note_facts(device, client) or _wishes(device) != wished:
            await device.save()
            self._changed(device)

    async def _adopt_zone(self, device: Device, client: SnapClient) -> None:
        zone = await self._zone(client.zone_id)
        is_foreign = zone is not None and device.client_id not in (None, zone.client_id)
        if is_foreign or (zone is None and client.zone_id is not None):
            _log.warning(
                "%s was moved to a zone of another client, or to none that exists; taken back",
                device.name,
            )
            await _try(self._snapcast.assign(device.device_id, device.zone_id))
            return
        device.zone_id = zone.id if zone else None
        device.client_id = zone.client_id if zone else device.client_id

    async def _zone(self, zone_id: UUID | None) -> Zone | None:
        if zone_id is None:
            return None
        return await scoped(Zone, Principal.system()).get_or_none(id=zone_id)

    async def first_zone(self) -> Zone | None:
        """Where new loudspeakers play, if the settings want that and there is just one tenant."""
        if not self._snapcast.new_clients_join_first_zone:
            return None
        if await scoped(Client, Principal.system()).count() != 1:
            return None
        zones = scoped(Zone, Principal.system()).filter(is_active=True)
        return await zones.order_by("created_at", "id").first()


async def _try(wish: Awaitable[None]) -> None:
    """The table keeps a wish that can not be carried out now; it is tried when the client comes."""
    try:
        await wish
    except Unavailable as error:
        _log.debug("A loudspeaker could not be told now: %s", error)


def _default_name(client: SnapClient) -> str:
    host = client.host or client.id
    return (host if client.instance == 1 else f"{host} {client.instance}")[:200]


def _wishes(device: Device) -> tuple[object, ...]:
    return device.volume, device.muted, device.name, device.latency_ms, device.zone_id


def _note_facts(device: Device, client: SnapClient) -> bool:
    """Take over what only the client can know; returns whether it was news.

    A device of another type has a driver that knows it better.
    """
    if device.device_type != SNAPCLIENT:
        return False
    before = (device.ip_address, device.model, device.firmware_version)
    device.ip_address = client.ip_address[:64]
    device.model = client.system[:200]
    device.firmware_version = f"snapclient {client.version}".strip()[:100]
    return (device.ip_address, device.model, device.firmware_version) != before
