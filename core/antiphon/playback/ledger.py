"""The calls that are open, kept in the database: a restart of the server goes on with them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection
from types import TracebackType
from typing import Self
from uuid import UUID

from tortoise.exceptions import BaseORMException, IntegrityError

from antiphon.playback.models import OpenCall, PlayEvent, PlayEventStatus
from antiphon.playback.record import Part, Record
from antiphon.plugins.zones import CallRequest
from antiphon.tasks import end
from antiphon.types import Band, CallState, Principal

_log = logging.getLogger(__name__)
STORE_LIMIT_S = 2.0
_RETRY_S = 1.0
_AT_ONCE = 500

_STATES = {
    PlayEventStatus.PENDING: CallState.QUEUED,
    PlayEventStatus.DELIVERED: CallState.PLAYING,
    PlayEventStatus.PLAYING: CallState.PLAYING,
}


class Ledger:
    """Writes a call down beside its first sample, not before it; who asked is answered behind.

    How far a call is in a zone is its receipt's to tell: a call is struck off here when its
    receipts say in every zone how it ended, never before.
    """

    def __init__(self) -> None:
        self._waiting: dict[UUID, Record] = {}
        self._news = asyncio.Event()
        self._alone = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to write."""
        self._task = asyncio.create_task(self._writing(), name="open calls")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop. What is open stays in the database."""
        if self._task is not None:
            await end(self._task)

    def keep(self, record: Record) -> None:
        """Write a new call down; `record.stored` tells when that is done."""
        self._waiting[record.id] = record
        self._news.set()

    async def kept(self, record: Record) -> None:
        """Return when the call is stored, or when waiting for it makes no sense any more."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STORE_LIMIT_S):
                await record.stored.wait()
                return
        _log.error("The call %s goes on, but could not be stored yet", record.id)

    async def strike(self, calls: Collection[UUID]) -> None:
        """These calls are over, and their receipts are written."""
        async with self._alone:
            for call_id in calls:
                if (record := self._waiting.pop(call_id, None)) is not None:
                    record.stored.set()  # there is nothing left that could be lost
            await OpenCall.filter(id__in=list(calls)).delete()

    # --- after a restart -----------------------------------------------------------------------

    async def read(self) -> list[Record]:
        """What an earlier server left open, in the order of arrival. None while it can not be read.

        `playing` is the state of what had been handed to the renderer.
        """
        try:
            rows = await OpenCall.all().order_by("arrival")
            records = [record for row in rows if (record := _record(row)) is not None]
            by_receipt = {part.receipt_id: part for r in records for part in r.parts.values()}
            keys = list(by_receipt)
            for start in range(0, len(keys), _AT_ONCE):
                for event in await PlayEvent.filter(id__in=keys[start : start + _AT_ONCE]):
                    _fill(by_receipt[event.id], event)
        except BaseORMException:
            _log.exception("The calls of an earlier run could not be read")
            return []
        return records

    async def _writing(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                async with self._alone:
                    await self._write()
            except Exception:
                _log.exception("%d calls have to wait for the database", len(self._waiting))
                await asyncio.sleep(_RETRY_S)
                self._news.set()

    async def _write(self) -> None:
        while self._waiting:
            records = list(self._waiting.values())[:_AT_ONCE]
            try:
                await OpenCall.bulk_create([_row(record) for record in records])
            except IntegrityError:
                await self._write_singly(records)
            for record in records:
                self._waiting.pop(record.id, None)
                record.stored.set()

    async def _write_singly(self, records: list[Record]) -> None:
        """The client of one of them is gone, or it had been written after all."""
        for record in records:
            try:
                if not await OpenCall.exists(id=record.id):
                    await _row(record).save(force_create=True)
            except IntegrityError as error:
                _log.warning("The call %s is not kept: %s", record.id, error)


def _row(record: Record) -> OpenCall:
    return OpenCall(
        id=record.id,
        client_id=record.client_id,
        request=record.request.model_dump(mode="json", exclude_defaults=True),
        principal=record.principal.model_dump(mode="json"),
        zones={str(zone_id): str(part.receipt_id) for zone_id, part in record.parts.items()},
        title=record.title[:300],
        arrival=record.arrival,
        accepted_at=record.created_at,
        expires_at=record.expires_at,
    )


def _record(row: OpenCall) -> Record | None:
    try:
        request = CallRequest.model_validate(row.request)
        record = Record(
            id=row.id,
            client_id=row.client_id,
            request=request,
            principal=Principal.model_validate(row.principal),
            parts={
                UUID(zone_id): Part(receipt_id=UUID(receipt), state=CallState.QUEUED)
                for zone_id, receipt in row.zones.items()
            },
            title=row.title,
            band=request.band or Band.ANNOUNCEMENT,
            created_at=row.accepted_at,
            expires_at=row.expires_at,
            starts_at=request.at,
            arrival=row.arrival,
        )
    except ValueError:
        _log.exception("The call %s of an earlier run makes no sense", row.id)
        return None
    record.known.set()
    record.stored.set()
    return record


def _fill(part: Part, event: PlayEvent) -> None:
    part.state = CallState(event.outcome) if event.outcome else _STATES[event.status]
    part.is_noted = True
    part.delivered_at = event.delivered_at
    part.finished_at = event.completed_at
    part.seconds_heard = event.seconds_heard
    part.times_heard = event.times_heard
    part.reason = event.error_message
