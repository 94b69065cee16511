"""Calls: from the request to the receipt. The arbiter decides, the renderer plays."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

from antiphon import events
from antiphon.engine import protocol
from antiphon.errors import Invalid, NotFound
from antiphon.playback import levels
from antiphon.playback.approach import Approach, Timing, check_time
from antiphon.playback.arbiter import Arbiter
from antiphon.playback.bids import Bid, Changed, Rest, Start, Stop
from antiphon.playback.clips import prepare
from antiphon.playback.loudspeakers import Loudspeakers
from antiphon.playback.receipts import Receipts
from antiphon.playback.record import Part, Record, provisional_title, request_band
from antiphon.plugins.media import MediaRegistry
from antiphon.plugins.zones import AnnouncementView, CallRequest
from antiphon.settings.models import AudioSettings
from antiphon.types import Band, CallState, Principal

_log = logging.getLogger(__name__)

REFUSE_WITHIN_S = 0.1
GATHER_S = 0.01
STOP_LIMIT_S = 2.0
REVOKE_LIMIT_S = 0.3
PLAY_SLACK_S = 30.0
BUSY_RETRY_S = 0.25
BUSY_LIMIT = 240
KEPT = 500

_ENDINGS = {
    "completed": CallState.COMPLETED,
    "stopped": CallState.CUT,
    "failed": CallState.FAILED,
}
_Key = tuple[UUID, UUID | None, str]


class Calls:
    """All calls of the server. Nothing here waits for another call or another zone.

    A renderer that does not report is given up on after a time, so that no zone stays taken.
    """

    def __init__(
        self,
        bus: events.EventBus,
        send: Callable[[protocol.Command], None],
        media: MediaRegistry,
        audio: AudioSettings,
        receipts: Receipts,
        loudspeakers: Loudspeakers,
        latency_s: float = 0.0,
    ) -> None:
        self._bus = bus
        self._send = send
        self._media = media
        self._audio = audio
        self._receipts = receipts
        self._loudspeakers = loudspeakers
        self._arbiter = Arbiter()
        self.timing = Timing(latency_s, audio.duck_down_s)
        self._approach = Approach(self._arbiter, self._act, self._act_soon, self.timing)
        self._by_key: dict[_Key, Record] = {}
        self._records: dict[UUID, Record] = {}
        self._over: deque[UUID] = deque()
        self._launches: dict[str, UUID] = {}
        self._speaking: dict[UUID, UUID] = {}
        self._arrivals = count()
        self._names = count(1)
        self._gathering: asyncio.TimerHandle | None = None

    # --- zones ---------------------------------------------------------------------------------

    def add_zone(self, zone_id: UUID) -> None:
        """Calls can be heard in this zone."""
        self._arbiter.add_zone(zone_id)

    def remove_zone(self, zone_id: UUID) -> None:
        """The zone is gone; its calls fail there."""
        self._arbiter.remove_zone(zone_id)
        self._act()

    def speaking(self, zone_id: UUID) -> AnnouncementView | None:
        """What is announced in a zone now."""
        call_id = self._speaking.get(zone_id)
        record = self._records.get(call_id) if call_id is not None else None
        return record.announcement(zone_id) if record is not None else None

    def close(self) -> None:
        """Let go of tasks and timers."""
        if self._gathering is not None:
            self._gathering.cancel()
        for record in self._records.values():
            record.release()

    # --- commands ------------------------------------------------------------------------------

    def newest_first(self) -> Iterator[Record]:
        """The calls that are remembered: all that are open, and the last that are over."""
        return reversed(self._records.values())

    def get(self, call_id: UUID) -> Record:
        """One call. Raises NotFound."""
        if (record := self._records.get(call_id)) is None:
            raise NotFound("call", call_id)
        return record

    async def accept(
        self, principal: Principal, client_id: UUID, zones: Iterable[UUID], request: CallRequest
    ) -> Record:
        """Take a call in. What is wrong and can be found out at once is raised, else it goes on.

        Where one with the same `dedupe_key` is open, that is the answer.
        """
        if request.text is not None and not request.text.strip():
            raise Invalid.field("text", "must hold a word to speak")
        check_time(request.at)
        while (earlier := self._with_key(principal, client_id, request)) is not None:
            await earlier.known.wait()
            if earlier.id in self._records:
                return earlier
        arrival = next(self._arrivals)
        record = Record(
            client_id=client_id,
            request=request,
            principal=principal,
            parts={zone_id: Part() for zone_id in zones},
            title=provisional_title(request),
            band=request_band(request) or Band.ANNOUNCEMENT,
            starts_at=request.at,
        )
        if (key := _key(record)) is not None:
            self._by_key[key] = record
        asked_at = asyncio.get_running_loop().time()
        task = asyncio.create_task(prepare(record, self._media), name=f"call {record.id}")
        try:
            await asyncio.wait({task}, timeout=REFUSE_WITHIN_S)
            if task.done():
                task.result()
        except BaseException:
            task.cancel()
            self._forget_key(record)
            record.known.set()
            raise
        self._records[record.id] = record
        record.known.set()
        self._arbiter.submit(self._bid(record, arrival, asked_at))
        self._tell()
        self._go_on(record, self._approach.come(record, task))
        if task.done():
            await record.admitted.wait()
        self._forget()
        return record

    def _bid(self, record: Record, arrival: int, asked_at: float) -> Bid:
        request, expires_at = record.request, None
        if request.expires_in_s is not None:
            begins = max(record.created_at, request.at or record.created_at)
            record.expires_at = begins + timedelta(seconds=request.expires_in_s)
            expires_at = asked_at + (record.expires_at - record.created_at).total_seconds()
            loop = asyncio.get_running_loop()
            record.expiry = loop.call_at(expires_at, self._expire, expires_at)
        return Bid(
            record.id,
            tuple(record.parts),
            record.priority,
            arrival,
            expires_at,
            request.when_cut,
            request.start,
            request.routing,
            request.repeat,
            request.repeat_gap_s,
        )

    async def revoke(self, record: Record, zones: Iterable[UUID]) -> None:
        """Take a call back in some zones; returns when it is silent there, or soon after."""
        self._arbiter.revoke(record.id, tuple(zones))
        self._act()
        if any(part.launch is not None for part in record.parts.values()):
            # Not over in time: it goes on in other zones, or the renderer is being restarted.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REVOKE_LIMIT_S):
                    await record.over.wait()

    # --- the way there -------------------------------------------------------------------------

    def _go_on(self, record: Record, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(self._guard(record, work), name=f"call {record.id} goes on")
        record.work.add(task)
        task.add_done_callback(record.work.discard)

    async def _guard(self, record: Record, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except Exception as error:
            _log.exception("The call %s can not go on", record.id)
            self._arbiter.failed(record.id, f"it could not go on: {error!r}")
            record.admitted.set()
            self._act()

    def _with_key(
        self, principal: Principal, client_id: UUID, request: CallRequest
    ) -> Record | None:
        if request.dedupe_key is None:
            return None
        return self._by_key.get((client_id, principal.floor_id, request.dedupe_key))

    def _forget_key(self, record: Record) -> None:
        if (key := _key(record)) is not None and self._by_key.get(key) is record:
            del self._by_key[key]

    # --- what the renderer reports -------------------------------------------------------------

    def started(self, report: protocol.CallStarted) -> None:
        """The first sample of a call went out in a zone."""
        if (found := self._part(report.call, report.zone)) is None:
            return
        record, zone_id, part = found
        part.started_at = datetime.now(UTC)
        part.duration_s = report.duration_s
        loop = asyncio.get_running_loop()
        part.began = loop.time()
        if (most_s := record.request.max_duration_s) is not None:
            left_s = max(0.0, most_s - part.seconds_before)
            part.limit = loop.call_later(left_s, self._at_limit, record, zone_id)
        self._watch(record, zone_id, report.duration_s + PLAY_SLACK_S)
        self._speaking[zone_id] = record.id
        self._arbiter.started(record.id, zone_id)
        self._act()

    def finished(self, report: protocol.CallFinished) -> None:
        """A call is over in a zone."""
        if (found := self._part(report.call, report.zone)) is None:
            return
        record, zone_id, part = found
        part.seconds_heard = part.seconds_before + report.seconds
        self._loudspeakers.credit(zone_id, part, report.seconds)
        if report.reason == "completed":
            part.seconds_before = part.seconds_heard
            part.by_device_before = dict(part.by_device)
        if report.reason == "busy" and part.busy_times < BUSY_LIMIT:
            part.busy_times += 1
            self._free(record, zone_id)
            loop = asyncio.get_running_loop()
            part.watch = loop.call_later(
                BUSY_RETRY_S, self._end, record, zone_id, CallState.QUEUED, None
            )
            return
        self._end(record, zone_id, _ENDINGS.get(report.reason, CallState.FAILED), report.message)

    def _part(self, launch: str, zone: str) -> tuple[Record, UUID, Part] | None:
        """Whom a report is about; None where that is over."""
        zone_id = UUID(zone)
        call_id = self._launches.get(launch)
        record = self._records.get(call_id) if call_id is not None else None
        part = record.parts.get(zone_id) if record is not None else None
        if record is None or part is None or part.launch != launch:
            return None
        return record, zone_id, part

    def _end(self, record: Record, zone_id: UUID, state: CallState, reason: str | None) -> None:
        """A call has left a zone, or never came to be heard there."""
        self._free(record, zone_id)
        if self._speaking.get(zone_id) == record.id:
            del self._speaking[zone_id]
        self._arbiter.finished(record.id, zone_id, state, reason)
        if state is CallState.CUT:
            self._act()  # somebody more important waits
        else:
            # Zones that fall free on one sample are reported one by one: what follows in them
            # starts on one sample too.
            self._act_soon()

    def _free(self, record: Record, zone_id: UUID) -> None:
        part = record.parts[zone_id]
        for handle in (part.watch, part.limit):
            if handle is not None:
                handle.cancel()
        part.watch = part.limit = None
        if (launch := part.launch) is not None:
            part.launch = None
            if all(other.launch != launch for other in record.parts.values()):
                self._launches.pop(launch, None)

    # --- what the arbiter decides --------------------------------------------------------------

    def _expire(self, now: float) -> None:
        self._arbiter.expire(now)
        self._act()

    def _at_limit(self, record: Record, zone_id: UUID) -> None:
        reason = f"ended after {record.request.max_duration_s:g} s, as asked"
        self._arbiter.leave(record.id, [zone_id], CallState.COMPLETED, reason)
        self._act()

    def _act_soon(self) -> None:
        if self._gathering is None:
            loop = asyncio.get_running_loop()
            self._gathering = loop.call_later(GATHER_S, self._act)
        self._tell()

    def _act(self) -> None:
        """Do what there is to do, and tell what has happened."""
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        for decision in self._arbiter.decide():
            record = self._records[decision.call]
            if isinstance(decision, Start):
                self._start(record, decision.zones)
            elif isinstance(decision, Rest):
                again = self._approach.again(record, decision.zones, decision.gap_s)
                self._go_on(record, again)
            else:
                self._stop(record, decision)
        self._tell()

    def _start(self, record: Record, zones: tuple[UUID, ...]) -> None:
        assert record.media is not None, "the arbiter starts what is ready"  # noqa: S101
        launch = f"{record.id}.{next(self._names)}"
        self._launches[launch] = record.id
        chime = levels.clip(record.chime, self._audio) if record.chime is not None else None
        clip = levels.clip(record.media, self._audio)
        at = self._leaves_at(record)
        self._send(protocol.StartCall(launch, tuple(map(str, zones)), clip, chime, at))
        for zone_id in zones:
            part = record.parts[zone_id]
            part.launch = launch
            part.delivered_at = part.delivered_at or datetime.now(UTC)
            self._watch(record, zone_id, record.length_s + PLAY_SLACK_S)
            self._receipts.note(record, zone_id)

    def _leaves_at(self, record: Record) -> float | None:
        """When the first sound is to leave, on the renderer's clock; None for at once."""
        if record.starts_at is None or (left_s := self.timing.leaves_in_s(record.starts_at)) <= 0:
            return None
        return time.monotonic() + left_s

    def _stop(self, record: Record, decision: Stop) -> None:
        by_launch: dict[str, list[UUID]] = {}
        for zone_id in decision.zones:
            if (launch := record.parts[zone_id].launch) is not None:
                by_launch.setdefault(launch, []).append(zone_id)
                self._watch(record, zone_id, STOP_LIMIT_S, CallState.CUT)
            else:  # found busy a moment ago
                self._end(record, zone_id, CallState.CUT, None)
        for launch, zones in by_launch.items():
            self._send(protocol.StopCall(launch, tuple(map(str, zones))))

    def _watch(
        self, record: Record, zone_id: UUID, limit_s: float, state: CallState = CallState.FAILED
    ) -> None:
        """See to it that the zone is free again, should the renderer never report."""
        part = record.parts[zone_id]
        if part.watch is not None:
            part.watch.cancel()
        loop = asyncio.get_running_loop()
        part.watch = loop.call_later(limit_s, self._give_up, record, zone_id, state)

    def _give_up(self, record: Record, zone_id: UUID, state: CallState) -> None:
        launch = record.parts[zone_id].launch
        if launch is not None:
            self._send(protocol.StopCall(launch, (str(zone_id),)))
        _log.error("The renderer did not report the end of call %s in %s", record.id, zone_id)
        reason = "the renderer did not report its end" if state is CallState.FAILED else None
        self._end(record, zone_id, state, reason)

    def _tell(self) -> None:
        for change in self._arbiter.drain():
            self._changed(self._records[change.call], change)

    def _changed(self, record: Record, change: Changed) -> None:
        part = record.parts[change.zone]
        part.state, part.reason = change.state, change.reason
        if change.state.final:
            part.finished_at = datetime.now(UTC)
            self._free(record, change.zone)
            if self._speaking.get(change.zone) == record.id:
                del self._speaking[change.zone]
            heard = self._loudspeakers.heard(change.zone, part)
            self._receipts.note_devices(record, change.zone, heard)
        self._receipts.note(record, change.zone)
        self._bus.publish(
            events.CallChanged(
                zone_id=change.zone,
                client_id=record.client_id,
                call_id=record.id,
                state=change.state,
                announcement_id=record.request.announcement_id,
                title=record.title,
                reason=change.reason or record.note,
            )
        )
        if record.is_over and not record.over.is_set():
            record.release()
            self._forget_key(record)
            record.admitted.set()
            record.over.set()
            self._over.append(record.id)

    def _forget(self) -> None:
        """Keep the last calls, and of the older ones those that are not over."""
        while len(self._records) > KEPT and self._over:
            del self._records[self._over.popleft()]


def _key(record: Record) -> _Key | None:
    """What must not be open twice. A floor user's keys are apart: they reach other zones."""
    if (key := record.request.dedupe_key) is None:
        return None
    return record.client_id, record.principal.floor_id, key
