"""The loudspeakers that are known, findable by whatever a message or a zone asks for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from antiphon.plugins import DeviceView
from antiphon_devices.topics import device_key


class Roster:
    """All loudspeakers; every look-up costs the same, however many there are."""

    def __init__(self) -> None:
        self._all: dict[UUID, DeviceView] = {}
        self._by_key: dict[str, UUID] = {}
        self._by_zone: dict[UUID, dict[UUID, DeviceView]] = defaultdict(dict)
        self._by_client: dict[UUID, dict[UUID, DeviceView]] = defaultdict(dict)

    @property
    def ids(self) -> set[UUID]:
        """The ids of all."""
        return set(self._all)

    def get(self, device_id: UUID) -> DeviceView | None:
        """The one with that id."""
        return self._all.get(device_id)

    def by_key(self, key: str) -> DeviceView | None:
        """The one with that id in topics."""
        device_id = self._by_key.get(key)
        return None if device_id is None else self._all[device_id]

    def in_zone(self, zone_id: UUID) -> Iterable[DeviceView]:
        """Those that play a zone."""
        return self._by_zone[zone_id].values() if zone_id in self._by_zone else ()

    def of_client(self, client_id: UUID) -> Iterable[DeviceView]:
        """Those that belong to a client."""
        return self._by_client[client_id].values() if client_id in self._by_client else ()

    def put(self, device: DeviceView) -> None:
        """Add one, or replace what was known of it."""
        self.remove(device.id)
        self._all[device.id] = device
        self._by_key[device_key(device.device_id)] = device.id
        if device.zone_id is not None:
            self._by_zone[device.zone_id][device.id] = device
        if device.client_id is not None:
            self._by_client[device.client_id][device.id] = device

    def remove(self, device_id: UUID) -> DeviceView | None:
        """Forget one; returns what was known of it."""
        if (device := self._all.pop(device_id, None)) is None:
            return None
        self._by_key.pop(device_key(device.device_id), None)
        if device.zone_id is not None:
            self._by_zone[device.zone_id].pop(device_id, None)
        if device.client_id is not None:
            self._by_client[device.client_id].pop(device_id, None)
        return device
