"""Loudspeakers from which nothing is heard though their zone plays."""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import UUID

from antiphon.events import LevelMeasured
from antiphon.plugins import DeviceView
from antiphon_devices.payloads import AgentState

SILENT_DB = -75.0
_LOUD_DB = -50.0
_LOUD_FOR_S = 10.0
_LEVELS_COUNT_FOR_S = 5.0
_LEAST_VOLUME = 10


class Silence:
    """Compares what leaves the zones with what loudspeakers say that they play.

    A loudspeaker is judged only after its zone has been loud without a break for longer than any
    buffer between the two lasts, and where its own volume lets something through.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        # When each zone became loud, and when that was true last.
        self._loud: dict[UUID, tuple[float, float]] = {}

    def level(self, event: LevelMeasured) -> None:
        """What left a zone over the last moment."""
        if event.rms_db < _LOUD_DB:
            self._loud.pop(event.zone_id, None)
            return
        now = self._now()
        since, until = self._loud.get(event.zone_id, (now, now))
        broken = now - until > _LEVELS_COUNT_FOR_S
        self._loud[event.zone_id] = (now if broken else since, now)

    def is_unheard(
        self, device: DeviceView, state: AgentState | None, level_db: float | None
    ) -> bool:
        """Whether something should be heard from it, and is not."""
        if level_db is None or level_db > SILENT_DB or device.zone_id is None:
            return False
        if device.volume < _LEAST_VOLUME or (state is not None and state.muted):
            return False
        since, until = self._loud.get(device.zone_id, (0.0, 0.0))
        is_fresh = self._now() - until <= _LEVELS_COUNT_FOR_S
        return is_fresh and until - since >= _LOUD_FOR_S
