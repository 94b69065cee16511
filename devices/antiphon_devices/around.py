"""What zones can be set to play, and when schedules act next: what other plugins know of them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from antiphon.plugins import MediaRef, MediaRegistry, PlaybackView, SchedulesOffer
from antiphon_devices.documents import UNSTAMPED
from antiphon_devices.payloads import MAX_PAYLOAD_BYTES, ClientSources, ScheduleState, SourceState

_log = logging.getLogger(__name__)
_NAME_CHARACTERS = 100
_ENVELOPE_BYTES = 200


class Around:
    """Looked up when somebody says that it changed; everything else reads what was found then."""

    def __init__(self, media: MediaRegistry, schedules: SchedulesOffer) -> None:
        self._media = media
        self._schedules = schedules
        self._sources: dict[UUID, list[SourceState]] = {}
        self._next: dict[UUID, dict[UUID, datetime]] = {}

    async def refresh_sources(self, client_id: UUID) -> None:
        """See what there is to choose."""
        try:
            choices = await self._media.choices(client_id)
        except Exception:  # a plugin's trouble; what was known of it still holds
            _log.exception("MQTT: what there is to choose could not be read")
            return
        found: list[SourceState] = []
        names = Counter(choice.name[:_NAME_CHARACTERS] for choice in choices)
        taken: set[str] = set()
        for choice in choices:
            name = choice.name[:_NAME_CHARACTERS]
            if names[name] > 1:
                name = f"{name} ({choice.ref.kind})"
            number, unique = 2, name
            while unique in taken:
                number, unique = number + 1, f"{name} {number}"
            taken.add(unique)
            found.append(SourceState(id=choice.ref.value, name=unique, type=choice.ref.kind))
        self._sources[client_id] = _that_fit(found)

    async def refresh_schedules(self, client_id: UUID) -> None:
        """See when schedules act."""
        forecast = self._schedules.current
        if forecast is None:
            self._next.pop(client_id, None)
        else:
            try:
                self._next[client_id] = dict(await forecast.next_changes(client_id))
            except Exception:
                _log.exception("MQTT: when schedules act next could not be read")

    def forget(self, client_id: UUID) -> None:
        """The client is gone."""
        self._sources.pop(client_id, None)
        self._next.pop(client_id, None)

    def sources(self, client_id: UUID) -> ClientSources:
        """What the zones of a client can be set to play."""
        known = self._sources.get(client_id, [])
        return ClientSources(rev=0, ts=UNSTAMPED, sources=known)

    def source(self, zone: PlaybackView) -> SourceState | None:
        """Which of the choices a zone's queue was made of, if it was one of them."""
        if (ref := zone.source) is None:
            return None
        for known in self._sources.get(zone.client_id, ()):
            if (known.type, known.id) == (ref.kind, ref.value):
                return known
        return None

    def schedule(self, zone: PlaybackView) -> ScheduleState:
        """Whether schedules act in a zone, and when next."""
        if self._schedules.current is None:
            return ScheduleState()
        at = self._next.get(zone.client_id, {}).get(zone.zone_id)
        return ScheduleState(
            enabled=zone.schedules_enabled, next_change_at=at if zone.schedules_enabled else None
        )

    @property
    def has_schedules(self) -> bool:
        """Whether there is anything that the switch would act on."""
        return self._schedules.current is not None

    def find(self, client_id: UUID, wanted: str) -> MediaRef | None:
        """The choice with that id or name; case does not matter where only one fits."""
        known = self._sources.get(client_id, [])
        for fits in (
            [one for one in known if wanted in (one.id, one.name)],
            [one for one in known if one.name.casefold() == wanted.casefold()],
        ):
            if len(fits) == 1:
                return MediaRef(kind=fits[0].type, value=fits[0].id)
        return None


def _that_fit(sources: Sequence[SourceState]) -> list[SourceState]:
    """As many, from the first on, as a document may hold."""
    size, fit = _ENVELOPE_BYTES, []
    for source in sources:
        size += len(source.encode()) + 1
        if size > MAX_PAYLOAD_BYTES:
            break
        fit.append(source)
    return fit
