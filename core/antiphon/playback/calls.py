"""Calls: from the request to the receipt. The arbiter decides, the renderer plays."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from uuid import UUID

from antiphon import events
from antiphon.engine import protocol
from antiphon.errors import Invalid, NotFound
from antiphon.playback.approach import Approach, Timing, check_time
from antiphon.playback.arbiter import Arbiter
from antiphon.playback.bids import Changed, Rest, Start
from antiphon.playback.clips import prepare, prepare_again
from antiphon.playback.gaps import Gaps, Music
from antiphon.playback.launches import Launches
from antiphon.playback.ledger import Ledger
from antiphon.playback.loudspeakers import Loudspeakers
from antiphon.playback.receipts import Receipts
from antiphon.playback.record import Part, Record, provisional_title, request_band
from antiphon.playback.revival import bid_of, revive
from antiphon.plugins.media import MediaRegistry
from antiphon.plugins.zones import AnnouncementView, CallRequest
from antiphon.settings.models import AudioSettings
from antiphon.types import Band, CallState, Principal

_log = logging.getLogger(__name__)

REFUSE_WITHIN_S = 0.1
GATHER_S = 0.01
REVOKE_LIMIT_S = 0.3
KEPT = 500

_ENDINGS = {
    "completed": CallState.COMPLETED,
    "stopped": CallState.CUT,
    "failed": CallState.FAILED,
}
_Key = tuple[UUID, UUID | None, str]
_Work = Callable[[], Coroutine[None, None, None]]


@dataclass(frozen=True, slots=True)
class Desk:
    """What calls are played with and written down in. `music_in` is what a zone plays."""

    bus: events.EventBus
    send: Callable[[protocol.Command], None]
    media: MediaRegistry
    audio: AudioSettings
    ledger: Ledger
    receipts: Receipts
    loudspeakers: Loudspeakers
    music_in: Callable[[UUID], Music | None]
    latency_s: float = 0.0


class Calls:
    """All calls of the server. Nothing here waits for another call or another zone.

    A renderer that does not report is given up on after a time, so that no zone stays taken.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._arbiter = Arbiter()
        self._gaps = Gaps(desk.music_in, self._arbiter.is_free, self._wake)
        self.timing = Timing(desk.latency_s, desk.audio.duck_down_s)
        self._approach = Approach(self._arbiter, self._gaps, self.timing, self._act, self._act_soon)
        self._launches = Launches(desk.send, desk.audio, self.timing, self._end)
        self._by_key: dict[_Key, Record] = {}
        self._records: dict[UUID, Record] = {}
        self._over: deque[UUID] = deque()
        self._speaking: dict[UUID, UUID] = {}
        self._arrivals = count()
        self._gathering: asyncio.TimerHandle | None = None

    # --- zones ---------------------------------------------------------------------------------

    def add_zone(self, zone_id: UUID) -> None:
        """Calls can be heard in this zone."""
        self._arbiter.add_zone(zone_id)

    def remove_zone(self, zone_id: UUID) -> None:
        """The zone is gone; its calls fail there."""
        self._arbiter.remove_zone(zone_id)
        self._act()

    def track_over(self, music: Music) -> None:
        """A track has ended in the zones that hear this music."""
        self._gaps.reached(music)

    def music_changed(self, music: Music) -> None:
        """This music was started or stopped, or is heard by other zones."""
        self._gaps.changed(music)

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

        Where one with the same `dedupe_key` is open, that is the answer. Returns when the call is
        stored; its sound does not wait for that.
        """
        if request.text is not None and not request.text.strip():
            raise Invalid.field("text", "must hold a word to speak")
        check_time(request.at)
        while (earlier := self._with_key(principal, client_id, request)) is not None:
            await earlier.known.wait()
            if earlier.id in self._records:
                await self._desk.ledger.kept(earlier)
                return earlier
        record = Record(
            client_id=client_id,
            request=request,
            principal=principal,
            parts={zone_id: Part() for zone_id in zones},
            title=provisional_title(request),
            band=request_band(request) or Band.ANNOUNCEMENT,
            starts_at=request.at,
            arrival=next(self._arrivals),
        )
        if request.expires_in_s is not None:
            begins = max(record.created_at, request.at or record.created_at)
            record.expires_at = begins + timedelta(seconds=request.expires_in_s)
        clip = await self._begin_clip(record)
        self._desk.ledger.keep(record)
        self._take_in(record, clip)
        if clip.done():
            await record.admitted.wait()
        await self._desk.ledger.kept(record)
        self._forget()
        return record

    async def _begin_clip(self, record: Record) -> asyncio.Task[None]:
        """Have the clip prepared; raises what is wrong with it if that shows at once."""
        if (key := _key(record)) is not None:
            self._by_key[key] = record
        clip = asyncio.create_task(prepare(record, self._desk.media), name=f"call {record.id}")
        try:
            await asyncio.wait({clip}, timeout=REFUSE_WITHIN_S)
            if clip.done():
                clip.result()
        except BaseException:
            clip.cancel()
            self._forget_key(record)
            record.known.set()
            raise
        return clip

    def _take_in(self, record: Record, clip: asyncio.Task[None]) -> None:
        """From here on the call ends in one final state in each zone."""
        self._records[record.id] = record
        record.known.set()
        loop, expires_at = asyncio.get_running_loop(), None
        if record.expires_at is not None:
            expires_at = loop.time() + (record.expires_at - datetime.now(UTC)).total_seconds()
            record.expiry = loop.call_at(expires_at, self._expire, expires_at)
        self._arbiter.submit(bid_of(record, expires_at))
        self._tell()
        record.add_work(clip)
        self._go_on(record, lambda: self._approach.come(record, clip))

    async def revoke(self, record: Record, zones: Iterable[UUID]) -> None:
        """Take a call back in some zones; returns when it is silent there, or soon after."""
        self._arbiter.revoke(record.id, tuple(zones))
        self._act()
        if any(part.launch is not None for part in record.parts.values()):
            # Not over in time: it goes on in other zones, or the renderer is being restarted.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REVOKE_LIMIT_S):
                    await record.over.wait()

    async def restore(self) -> None:
        """Go on with what an earlier server left open; once, when the zones are there."""
        now = datetime.now(UTC)
        for record in await self._desk.ledger.read():
            self._arrivals = count(record.arrival + 1)
            endings = revive(record, now)
            if record.is_over:
                self._desk.receipts.note_over(record)
                continue
            if (key := _key(record)) is not None:
                self._by_key[key] = record
            work = prepare_again(record, self._desk.media)
            self._take_in(record, asyncio.create_task(work, name=f"call {record.id}"))
            for zone_id, (state, reason) in endings.items():
                self._arbiter.leave(record.id, [zone_id], state, reason)
            self._arbiter.expire(asyncio.get_running_loop().time())
            self._act()

    def end_all(self, client_id: UUID, reason: str) -> set[UUID]:
        """Take all open calls of a client back, for a reason; returns the zones that had some."""
        zones: set[UUID] = set()
        for record in tuple(self._records.values()):
            if record.client_id == client_id:
                mine = [zone for zone, part in record.parts.items() if not part.state.final]
                self._arbiter.leave(record.id, mine, CallState.REVOKED, reason)
                zones.update(mine)
        self._act()
        return zones

    # --- the way there -------------------------------------------------------------------------

    def _go_on(self, record: Record, work: _Work) -> None:
        guarded = self._guard(record, work)
        record.add_work(asyncio.create_task(guarded, name=f"call {record.id} goes on"))

    async def _guard(self, record: Record, work: _Work) -> None:
        try:
            await work()
        except Exception as error:
            _log.exception("The call %s can not go on", record.id)
            self._arbiter.failed(record.id, f"it could not go on: {error!r}")
            record.admitted.set()
            self._act()

    def _wake(self, call: UUID, zones: Collection[UUID]) -> None:
        """The end of a track has come, which the call waited for in these zones."""
        self._arbiter.wake(call, zones)
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
        if (record := self._launches.find(report)) is None:
            return
        zone_id = UUID(report.zone)
        part = record.parts[zone_id]
        part.started_at = datetime.now(UTC)
        part.duration_s = report.duration_s
        loop = asyncio.get_running_loop()
        part.began = loop.time()
        if (most_s := record.request.max_duration_s) is not None:
            left_s = max(0.0, most_s - part.seconds_before)
            part.limit = loop.call_later(left_s, self._at_limit, record, zone_id)
        self._launches.sounds(record, zone_id)
        self._speaking[zone_id] = record.id
        self._arbiter.started(record.id, zone_id)
        self._act()

    def finished(self, report: protocol.CallFinished) -> None:
        """A call is over in a zone."""
        if (record := self._launches.find(report)) is None:
            return
        zone_id = UUID(report.zone)
        part = record.parts[zone_id]
        part.seconds_heard = part.seconds_before + report.seconds
        self._desk.loudspeakers.credit(zone_id, part, report.seconds)
        if report.reason == "completed":
            part.times_heard += 1
            part.seconds_before = part.seconds_heard
            part.by_device_before = dict(part.by_device)
        if report.reason == "busy" and self._launches.try_again(record, zone_id):
            return
        self._end(record, zone_id, _ENDINGS.get(report.reason, CallState.FAILED), report.message)

    def _end(self, record: Record, zone_id: UUID, state: CallState, reason: str | None) -> None:
        """A call has left a zone, or never came to be heard there."""
        self._launches.free(record, zone_id)
        if self._speaking.get(zone_id) == record.id:
            del self._speaking[zone_id]
        self._arbiter.finished(record.id, zone_id, state, reason)
        if state is CallState.CUT:
            self._act()  # somebody more important waits
        else:
            # Zones that fall free on one sample are reported one by one: what follows in them
            # starts on one sample too.
            self._act_soon()

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
                self._launches.start(record, decision.zones)
                for zone_id in decision.zones:
                    self._desk.receipts.note(record, zone_id)
            elif isinstance(decision, Rest):
                rest = (record, decision.zones, decision.gap_s)
                self._go_on(record, partial(self._approach.again, *rest))
            else:
                self._launches.stop(record, decision.zones)
        self._tell()

    def _tell(self) -> None:
        for change in self._arbiter.drain():
            self._changed(self._records[change.call], change)

    def _changed(self, record: Record, change: Changed) -> None:
        part = record.parts[change.zone]
        part.state, part.reason = change.state, change.reason
        if change.state.final:
            self._is_over_in(record, change.zone, part)
        self._desk.receipts.note(record, change.zone)
        self._desk.bus.publish(
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
            self._desk.receipts.note_over(record)
            self._over.append(record.id)

    def _is_over_in(self, record: Record, zone_id: UUID, part: Part) -> None:
        part.finished_at = datetime.now(UTC)
        self._launches.free(record, zone_id)
        self._gaps.leave(record.id, [zone_id])
        if self._speaking.get(zone_id) == record.id:
            del self._speaking[zone_id]
        heard = self._desk.loudspeakers.heard(zone_id, part)
        self._desk.receipts.note_devices(record, zone_id, heard)

    def _forget(self) -> None:
        """Keep the last calls, and of the older ones those that are not over."""
        while len(self._records) > KEPT and self._over:
            del self._records[self._over.popleft()]


def _key(record: Record) -> _Key | None:
    """What must not be open twice. A floor user's keys are apart: they reach other zones."""
    if (key := record.request.dedupe_key) is None:
        return None
    return record.client_id, record.principal.floor_id, key
