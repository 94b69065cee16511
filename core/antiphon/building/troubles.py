"""What is wrong with loudspeakers, as far as the events tell."""

from __future__ import annotations

from uuid import UUID

from antiphon.events import DeviceEvent, DeviceFellSilent, DeviceHeard, DeviceRemoved

SILENT = "silent"


class Troubles:
    """Remembers from events which loudspeakers have a problem; hand each to `take`."""

    def __init__(self) -> None:
        self._silent: set[UUID] = set()

    def take(self, event: DeviceEvent) -> None:
        """Something happened to a loudspeaker."""
        match event:
            case DeviceFellSilent():
                self._silent.add(event.device_id)
            case DeviceHeard() | DeviceRemoved():
                self._silent.discard(event.device_id)

    def of(self, device_id: UUID) -> tuple[str, ...]:
        """The problems of a loudspeaker, as `DeviceView` shows them."""
        return (SILENT,) if device_id in self._silent else ()
