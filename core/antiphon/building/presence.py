"""Whether a loudspeaker is there: what its own driver tells, and what snapserver knows."""

from __future__ import annotations

from antiphon.streams import Snapcast


class Presence:
    """Brings together what is said of each loudspeaker, by the id of its hardware.

    One that its driver knows to be away is away, whatever snapserver still believes. Otherwise
    snapserver decides where it knows the loudspeaker, since it sends the sound; where it does
    not, the driver does.
    """

    def __init__(self, snapcast: Snapcast) -> None:
        self._snapcast = snapcast
        self._told: dict[str, bool] = {}

    def tell(self, device_id: str, *, is_online: bool | None) -> None:
        """A driver speaks; None where it can not know now."""
        if is_online is None:
            self._told.pop(device_id, None)
        else:
            self._told[device_id] = is_online

    def of(self, device_id: str) -> bool:
        """Whether that loudspeaker is there, as far as anybody knows."""
        told = self._told.get(device_id)
        client = self._snapcast.client(device_id) if self._snapcast.available else None
        if told is False or client is None:
            return told is True
        return client.is_connected
