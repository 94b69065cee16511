"""Whether what a schedule names is there, and whether its time ever comes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from antiphon.errors import FieldError, Invalid, NotFound, Refused
from antiphon.plugins import MediaRef, PluginContext
from antiphon.types import Principal
from antiphon_scheduling.clock import Clock
from antiphon_scheduling.models import ScheduleCalendar
from antiphon_scheduling.places import devices_of, floors_of
from antiphon_scheduling.plan import Plan
from antiphon_scheduling.playlists.models import ChannelPlaylist
from antiphon_scheduling.playlists.music import has_music
from antiphon_scheduling.recurrence import Recurrence
from antiphon_scheduling.rules import Rules
from antiphon_scheduling.views import ChangeSchedule, NewSchedule


class Checks:
    """What is wrong with a schedule is told all at once, each with its field."""

    def __init__(self, context: PluginContext, clock: Clock) -> None:
        self._context = context
        self._clock = clock

    async def check(
        self, principal: Principal, client_id: UUID, wanted: NewSchedule | ChangeSchedule
    ) -> None:
        """Raises Invalid for whatever is named and is not there."""
        given = {name: getattr(wanted, name) for name in wanted.model_fields_set}
        wrong = await self._places(principal, client_id, given)
        wrong += await self.media(client_id, given.get("config"))
        wrong += await unknown_calendars(client_id, given.get("rules"))
        if wrong:
            raise Invalid(wrong)

    async def media(self, client_id: UUID, config: Recurrence | None) -> list[FieldError]:
        """The announcements, folders and playlists that are not there or have nothing to play."""
        return [
            FieldError(f"config.{field}", wrong)
            for kind, field, key in _named(config)
            if (wrong := await self._what_is_wrong(client_id, kind, key))
        ]

    def check_that_it_comes(self, plan: Plan) -> datetime:
        """The next time of a schedule. Raises Invalid where there is none."""
        now = self._clock.now()
        if (following := plan.following(now)) is not None:
            return following
        own = plan.recurrence.following(now, plan.zone, plan.anchor)
        if own is None:
            raise Invalid.field("config", "there is no time in the future that it names")
        raise Invalid.field("rules", "they leave out every time that the schedule names")

    async def _places(
        self, principal: Principal, client_id: UUID, given: dict[str, Sequence[UUID] | None]
    ) -> list[FieldError]:
        wrong: list[FieldError] = []
        for name, what in (("zones", "zone"), ("floors", "floor"), ("devices", "device")):
            wanted = given.get(name) or ()
            there = await self._there(principal, client_id, name) if wanted else set()
            wrong += [
                FieldError(f"{name}.{place}", f"there is no {what} {key}")
                for place, key in enumerate(wanted)
                if key not in there
            ]
        return wrong

    async def _there(self, principal: Principal, client_id: UUID, name: str) -> set[UUID]:
        if name == "floors":
            return await floors_of(client_id)
        if name == "devices":
            return await devices_of(client_id)
        views = await self._context.zones.views(principal)
        return {view.zone_id for view in views if view.client_id == client_id}

    async def _what_is_wrong(self, client_id: UUID, kind: str, key: UUID) -> str:
        if kind == "channel playlist":
            rows = ChannelPlaylist.filter(id=key, client_id=client_id, deleted_at__isnull=True)
            if (playlist := await rows.first()) is None:
                return f"there is no {kind} {key}"
            if not await has_music(self._context.media, playlist):
                return f"“{playlist.name}” has no music yet: put some into it first"
            return ""
        ref = MediaRef(kind=kind, value=str(key))
        try:
            if kind == "folder":
                await self._context.media.expand(client_id, ref)
            else:
                await self._context.media.resolve(client_id, ref)
        except NotFound:
            return f"there is no {kind} {key}"
        except Refused:
            return ""  # it may not be played now, but perhaps when its time has come
        return ""


def _named(config: Recurrence | None) -> Iterator[tuple[str, str, UUID]]:
    """The media that a configuration names: kind, field, id."""
    for path, does in config.all_done if config is not None else ():
        for place, key in enumerate(does.announcements or ()):
            yield "announcement", f"{path}announcements.{place}", key
        if does.music is not None:
            for place, key in enumerate(does.music.folder_ids or ()):
                yield "folder", f"{path}music.folder_ids.{place}", key
            if does.music.playlist_id is not None:
                yield "channel playlist", f"{path}music.playlist_id", does.music.playlist_id


async def unknown_calendars(client_id: UUID, rules: Rules | None) -> list[FieldError]:
    """The calendars that rules name and that are not there."""
    if rules is None or not (rules.only_on_calendars or rules.except_on_calendars):
        return []
    known = {row.id for row in await ScheduleCalendar.filter(client_id=client_id)}
    return [
        FieldError(f"rules.{name}.{place}", f"there is no calendar {key}")
        for name in ("only_on_calendars", "except_on_calendars")
        for place, key in enumerate(getattr(rules, name))
        if key not in known
    ]
