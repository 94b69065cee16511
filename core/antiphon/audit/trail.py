"""Writes the audit trail behind everybody's back: noting costs no time and never fails."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from tortoise.exceptions import DBConnectionError, OperationalError

from antiphon.audit.changes import text
from antiphon.audit.commands import CommandGiven
from antiphon.audit.models import AuditLog
from antiphon.events import EventBus
from antiphon.tasks import end
from antiphon.tenancy.models import User
from antiphon.types import Via

_log = logging.getLogger(__name__)

MOST_WAITING = 10_000
_BATCH = 200
_RETRY_S = 1.0
_LAST_WRITE_S = 3.0
_AWAY = (OperationalError, DBConnectionError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One change. `client_id` is whose thing was changed; None is the server's own."""

    action: str
    resource_type: str
    via: Via
    resource_id: str | None = None
    resource_name: str = ""
    client_id: UUID | None = None
    user_id: UUID | None = None
    details: dict[str, Any] = field(default_factory=dict)
    ip_address: str = ""
    user_agent: str = ""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


class AuditTrail:
    """Takes entries, and the bus's commands, and writes them in order.

    While the database is away, entries wait in memory; those beyond `MOST_WAITING` are lost,
    which the log says and `lost` counts. Enter it once the database is open.
    """

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        self._waiting: deque[Entry] = deque()
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] = _nothing
        self.lost = 0

    async def __aenter__(self) -> Self:
        """Begin to write."""
        self._unsubscribe = self._bus.subscribe(CommandGiven, self._command)
        self._task = asyncio.create_task(self._writing(), name="audit trail")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what is left, if the database allows."""
        self._unsubscribe()
        try:
            async with asyncio.timeout(_LAST_WRITE_S):
                await self.settled()
        except TimeoutError:
            _log.error("%d entries of the audit trail could not be written", len(self._waiting))
        if self._task is not None:
            await end(self._task)

    def note(self, entry: Entry) -> None:
        """Keep an entry. Returns at once, and never raises."""
        if len(self._waiting) >= MOST_WAITING:
            if self.lost == 0:
                _log.error("The audit trail can not be written: entries are lost from now on")
            self.lost += 1
            return
        self._waiting.append(entry)
        self._idle.clear()
        self._news.set()

    async def settled(self) -> None:
        """Return when everything is written."""
        await self._idle.wait()

    def _command(self, event: CommandGiven) -> None:
        if event.via is Via.REST:
            return  # its route notes it, and knows more: from where
        self.note(
            Entry(
                action=event.action,
                resource_type=event.resource_type,
                resource_id=str(event.resource_id),
                resource_name=event.resource_name,
                client_id=event.client_id,
                user_id=event.user_id,
                via=event.via,
                details=event.details,
                at=event.at,
            )
        )

    async def _writing(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                batch = [self._waiting[i] for i in range(min(_BATCH, len(self._waiting)))]
                try:
                    await _write(batch)
                except _AWAY:
                    _log.warning("The audit trail has to wait for the database", exc_info=True)
                    await asyncio.sleep(_RETRY_S)
                    continue
                except Exception:
                    await _write_singly(batch)
                for _ in batch:
                    self._waiting.popleft()
            self._idle.set()


def _nothing() -> None: ...


async def _write(entries: Collection[Entry]) -> None:
    users = {entry.user_id for entry in entries if entry.user_id is not None}
    rows = await User.filter(id__in=users).values_list("id", "email") if users else []
    emails = {UUID(str(key)): str(email) for key, email in rows}
    await AuditLog.bulk_create([_row(entry, emails) for entry in entries])


async def _write_singly(entries: Collection[Entry]) -> None:
    """Some entry can not be kept by this database: lose that one alone."""
    for entry in entries:
        try:
            await _write([entry])
        except Exception:
            _log.exception("An entry of the audit trail is lost: %s", entry.action)


def _row(entry: Entry, emails: dict[UUID, str]) -> AuditLog:
    return AuditLog(
        created_at=entry.at,
        user_id=entry.user_id,
        user_email=emails.get(entry.user_id, "") if entry.user_id else "",
        action=entry.action[:100],
        resource_type=entry.resource_type[:50],
        resource_id=entry.resource_id[:64] if entry.resource_id else None,
        resource_name=text(entry.resource_name, 300),
        client_id=entry.client_id,
        via=entry.via,
        details=entry.details,
        ip_address=text(entry.ip_address, 64),
        user_agent=text(entry.user_agent, 300),
    )
