"""Play events of what was due by a schedule and was not heard: no call was ever made for it.

A schedule that is kept out again and again must not fill the disk: of one clock hour a few times
have a row each, and the last of these rows stands for all that follow.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from types import TracebackType
from typing import Any, Self
from uuid import UUID, uuid4

from tortoise.exceptions import BaseORMException, IntegrityError

from antiphon.errors import AntiphonError
from antiphon.events import EventBus, ScheduleMissed, ScheduleSuppressed
from antiphon.playback.models import PlayEvent, PlayEventStatus, PlayEventType
from antiphon.plugins.media import MediaRef, MediaRegistry
from antiphon.store import in_transaction
from antiphon.tasks import end

_log = logging.getLogger(__name__)
ROWS_PER_HOUR = 4
KEPT = timedelta(days=30)
_FORGET_EVERY = timedelta(days=1)
_MOST_WAITING = 50_000
_TOGETHER = 500  # rows that are written in one transaction
_MOST_RUNS = 50_000
_DEBOUNCE_S = 0.2
_RETRY_S = 1.0
_LAST_WRITE_S = 3.0
_MEDIA_LIMIT_S = 5.0

_Key = tuple[UUID, UUID, str]
Unheard = ScheduleSuppressed | ScheduleMissed


@dataclass(slots=True)
class _Run:
    """The rows of one schedule, zone and outcome in one clock hour; `row` is the last of them."""

    hour: datetime
    rows: int = 0
    row: dict[str, Any] = field(default_factory=dict)


class UnheardLog:
    """Writes a play event for each zone that a ScheduleSuppressed or ScheduleMissed names.

    While the database is away, rows wait in memory.
    """

    def __init__(self, bus: EventBus, media: MediaRegistry) -> None:
        self._bus = bus
        self._media = media
        self._runs: dict[_Key, _Run] = {}
        self._waiting: dict[UUID, dict[str, Any]] = {}
        self._there: set[UUID] = set()
        self._forget_at = datetime.now(UTC)
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    async def __aenter__(self) -> Self:
        """Begin to write."""
        self._undo = [
            self._bus.subscribe(ScheduleSuppressed, self._on_suppressed),
            self._bus.subscribe(ScheduleMissed, self._on_missed),
        ]
        self._task = asyncio.create_task(self._writing(), name="unheard")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what is left, if the database allows."""
        for undo in self._undo:
            undo()
        try:
            async with asyncio.timeout(_LAST_WRITE_S):
                await self.settled()
        except TimeoutError:
            _log.error("%d play events could not be written", len(self._waiting))
        await end(self._task)

    async def settled(self) -> None:
        """Return when everything is written."""
        await self._idle.wait()

    # --- what is told --------------------------------------------------------------------------

    def _on_suppressed(self, event: ScheduleSuppressed) -> None:
        self._note(event, "suppressed")

    def _on_missed(self, event: ScheduleMissed) -> None:
        self._note(event, "missed")

    def _note(self, event: Unheard, outcome: str) -> None:
        if event.client_id is None or not event.zones:
            return
        if len(self._waiting) >= _MOST_WAITING:
            _log.error("The database is too slow: what %s did not play is not kept", event.name)
            return
        for zone_id in event.zones:
            row = self._row(event, zone_id, outcome)
            self._waiting[row["id"]] = row
        self._idle.clear()
        self._news.set()

    def _row(self, event: Unheard, zone_id: UUID, outcome: str) -> dict[str, Any]:
        """The row that tells of it: one of its own, or in a crowded hour the last one's."""
        due_at = event.instant or event.at
        hour = due_at.replace(minute=0, second=0, microsecond=0)
        key = (event.schedule_id, zone_id, outcome)
        run = self._runs.get(key)
        if run is None or run.hour != hour:
            if len(self._runs) >= _MOST_RUNS:
                self._runs.clear()
            run = self._runs[key] = _Run(hour)
        reason = f"{event.name}: {event.reason}" if event.name else event.reason
        if run.rows >= ROWS_PER_HOUR:
            run.row = run.row | {"times_due": run.row["times_due"] + 1, "error_message": reason}
            return run.row
        run.rows += 1
        run.row = {
            "id": uuid4(),
            "client_id": event.client_id,
            "zone_id": zone_id,
            "schedule_id": event.schedule_id,
            "announcement_id": event.announcement_id,
            "title": event.name[:300],
            "event_type": PlayEventType.SCHEDULED,
            "status": PlayEventStatus.UNHEARD,
            "outcome": outcome,
            "due_at": due_at,
            "times_due": 1,
            "error_message": reason,
        }
        return run.row

    # --- writing -------------------------------------------------------------------------------

    async def _writing(self) -> None:
        while True:
            await self._news.wait()
            await asyncio.sleep(_DEBOUNCE_S)  # what is due together is written together
            self._news.clear()
            rows: dict[UUID, dict[str, Any]] = {}
            try:
                while self._waiting:
                    keys = list(islice(self._waiting, _TOGETHER))
                    rows = {key: self._waiting.pop(key) for key in keys}
                    await self._write(rows)
                rows = {}
                await self._forget()
            except Exception:
                _log.exception("%d play events have to wait for the database", len(rows))
                self._waiting = rows | self._waiting
                await asyncio.sleep(_RETRY_S)
                self._news.set()
            if not self._waiting:
                self._idle.set()

    async def _write(self, rows: dict[UUID, dict[str, Any]]) -> None:
        new = [rows[key] for key in rows.keys() - self._there]
        titles = await self._titles(new)
        events = [
            PlayEvent(**row | {"title": titles.get(row["announcement_id"], row["title"])})
            for row in new
        ]
        try:
            async with in_transaction():
                await PlayEvent.bulk_create(events)
        except IntegrityError:
            await _write_singly(events)
        self._there |= {row["id"] for row in new}
        async with in_transaction():
            for key in rows.keys() - {row["id"] for row in new}:
                changes = {name: rows[key][name] for name in ("times_due", "error_message")}
                await PlayEvent.filter(id=key).update(**changes)
        self._there &= {run.row["id"] for run in self._runs.values()}

    async def _titles(self, rows: list[dict[str, Any]]) -> dict[UUID, str]:
        """What announcements are called, by their ids, as far as anybody knows."""
        found: dict[UUID, str] = {}
        by_client: dict[UUID, set[UUID]] = {}
        for row in rows:
            if row["announcement_id"] is not None:
                by_client.setdefault(row["client_id"], set()).add(row["announcement_id"])
        for client_id, keys in by_client.items():
            refs = [MediaRef(kind="announcement", value=str(key)) for key in keys]
            try:
                async with asyncio.timeout(_MEDIA_LIMIT_S):
                    known = await self._media.describe(client_id, refs)
            except (AntiphonError, TimeoutError) as error:
                _log.warning("What was not heard is not known by its title: %s", error)
                continue
            found |= {UUID(ref.value): media.title[:300] for ref, media in known.items()}
        return found

    async def _forget(self) -> None:
        now = datetime.now(UTC)
        if now >= self._forget_at:
            self._forget_at = now + _FORGET_EVERY
            old = PlayEvent.filter(status=PlayEventStatus.UNHEARD, created_at__lt=now - KEPT)
            await old.delete()


async def _write_singly(events: list[PlayEvent]) -> None:
    """Some row refers to a zone that is gone."""
    for event in events:
        try:
            await event.save(force_create=True)
        except BaseORMException as error:
            _log.warning("A play event of schedule %s is lost: %s", event.schedule_id, error)
