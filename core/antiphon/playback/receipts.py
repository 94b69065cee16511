"""Play events, written behind the sound's back: a row per call and zone, and per loudspeaker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from uuid import UUID, uuid4

from tortoise.exceptions import BaseORMException, IntegrityError
from tortoise.expressions import Subquery

from antiphon.playback.ledger import Ledger
from antiphon.playback.loudspeakers import Heard
from antiphon.playback.models import OpenCall, PlayEvent, PlayEventStatus, PlayEventType
from antiphon.playback.record import Part, Record
from antiphon.tasks import end
from antiphon.types import CallState, Via

_log = logging.getLogger(__name__)
_RETRY_S = 1.0
_LAST_WRITE_S = 3.0
_MOST_WAITING = 20_000
_OPEN = (PlayEventStatus.PENDING, PlayEventStatus.DELIVERED, PlayEventStatus.PLAYING)


@dataclass(frozen=True, slots=True)
class _Row:
    id: UUID
    values: dict[str, Any]


class Receipts:
    """Keeps the play events up to date. While the database is away, rows wait in memory."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._over: list[UUID] = []
        self._waiting: dict[UUID, _Row] = {}
        self._there: set[UUID] = set()
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Close what an earlier server left open and is not gone on with, and begin to write."""
        try:
            still_open = Subquery(OpenCall.all().values("id"))
            await PlayEvent.filter(status__in=_OPEN, call_id__not_in=still_open).update(
                status=PlayEventStatus.FAILED,
                outcome=CallState.FAILED.value,
                error_message="the server was restarted",
            )
        except BaseORMException:
            _log.exception("Play events of an earlier run could not be closed")
        self._task = asyncio.create_task(self._writing(), name="receipts")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what is left, if the database allows."""
        try:
            async with asyncio.timeout(_LAST_WRITE_S):
                await self.settled()
        except TimeoutError:
            _log.error("%d play events could not be written", len(self._waiting))
        if self._task is not None:
            await end(self._task)

    def note(self, record: Record, zone_id: UUID) -> None:
        """The call's state in a zone changed."""
        part = record.parts[zone_id]
        if part.is_noted:
            self._there.add(part.receipt_id)
            part.is_noted = False
        self._put(_Row(part.receipt_id, _values(record, zone_id, part)))

    def note_devices(self, record: Record, zone_id: UUID, heard: Iterable[Heard]) -> None:
        """The call is over in a zone, and this came of it on the zone's loudspeakers."""
        values = _values(record, zone_id, record.parts[zone_id])
        for one in heard:
            is_well = one.outcome == CallState.COMPLETED.value
            of_device = {
                "device_id": one.device_id,
                "status": PlayEventStatus.COMPLETED if is_well else PlayEventStatus.FAILED,
                "outcome": one.outcome,
                "seconds_heard": one.seconds,
                "error_message": one.reason or record.note_in(zone_id),
            }
            self._put(_Row(uuid4(), values | of_device))

    def note_over(self, record: Record) -> None:
        """The call is over: once that is written, a restart need not know of it any more."""
        self._over.append(record.id)
        self._news.set()

    def _put(self, row: _Row) -> None:
        if len(self._waiting) < _MOST_WAITING or row.id in self._waiting:
            self._waiting[row.id] = row
        self._idle.clear()
        self._news.set()

    async def settled(self) -> None:
        """Return when everything is written."""
        await self._idle.wait()

    async def _writing(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            rows, self._waiting = self._waiting, {}
            over, self._over = self._over, []
            try:
                try:
                    await self._write(rows)
                except IntegrityError:
                    await self._write_singly(rows)
                if over:
                    await self._ledger.strike(over)
            except Exception:
                _log.exception("%d play events have to wait for the database", len(rows))
                self._waiting = rows | self._waiting
                self._over = over + self._over
                await asyncio.sleep(_RETRY_S)
                self._news.set()
            if not self._waiting:
                self._idle.set()

    async def _write(self, rows: dict[UUID, _Row]) -> None:
        new = rows.keys() - self._there
        if new:
            await PlayEvent.bulk_create([PlayEvent(id=key, **rows[key].values) for key in new])
            self._there |= new
        for key in rows.keys() - new:
            await PlayEvent.filter(id=key).update(**rows[key].values)
        self._there -= {row.id for row in rows.values() if row.values["outcome"]}

    async def _write_singly(self, rows: dict[UUID, _Row]) -> None:
        """Some row refers to what is gone (a zone, a user), or had been written after all."""
        for row in rows.values():
            try:
                if not await PlayEvent.filter(id=row.id).update(**row.values):
                    await PlayEvent.create(id=row.id, **row.values)
            except BaseORMException as error:
                _log.warning("A play event of call %s is lost: %s", row.values["call_id"], error)


def _values(record: Record, zone_id: UUID, part: Part) -> dict[str, Any]:
    is_scheduled = record.principal.via is Via.SCHEDULE
    return {
        "client_id": record.client_id,
        "zone_id": zone_id,
        "call_id": record.id,
        "schedule_id": record.principal.schedule_id,
        "due_at": record.starts_at,
        "announcement_id": record.request.announcement_id,
        "title": record.title[:300],
        "event_type": PlayEventType.SCHEDULED if is_scheduled else PlayEventType.INSTANT,
        "status": _status(part),
        "outcome": part.state.value if part.state.final else "",
        "delivered_at": part.delivered_at,
        "completed_at": part.finished_at,
        "seconds_heard": part.seconds_heard,
        "times_heard": part.times_heard,
        "error_message": part.reason or record.note_in(zone_id),
        "created_by_id": record.principal.user_id,
    }


def _status(part: Part) -> PlayEventStatus:
    if part.state is CallState.COMPLETED:
        return PlayEventStatus.COMPLETED
    if part.state is CallState.PLAYING:
        return PlayEventStatus.PLAYING
    if part.state.final:
        return PlayEventStatus.FAILED
    return PlayEventStatus.PENDING if part.launch is None else PlayEventStatus.DELIVERED
