"""How a call comes to the arbiter: its clip is there, its time has come, nothing hinders it yet.

What may hinder it are the quiet hours of a zone, and a track whose end it waits for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from antiphon.errors import AntiphonError, Invalid
from antiphon.playback.arbiter import Arbiter
from antiphon.playback.gaps import Gaps
from antiphon.playback.quiet import BLOCKED, QuietHours
from antiphon.playback.record import Record
from antiphon.plugins.zones import WhenQuiet
from antiphon.types import CallStyle

PREPARE_LIMIT_S = 300.0
LATE_BY_AT_MOST = timedelta(seconds=5)
AHEAD_BY_AT_MOST = timedelta(days=366)
LOOK_AT_CLOCK_S = 10.0
LOOK_AT_HOURS_S = 600.0
BETWEEN = "it waits for the end of the track"
MARGIN_S = 0.4  # for opening the clip, and for what waits in the sinks


def check_time(at: datetime | None) -> None:
    """Raises Invalid for a start that is over, or too far away to be meant."""
    if at is None:
        return
    ahead = at - datetime.now(UTC)
    if ahead < -LATE_BY_AT_MOST:
        raise Invalid.field("at", "is over: give a time that is still to come")
    if ahead > AHEAD_BY_AT_MOST:
        raise Invalid.field("at", "is more than a year away")


@dataclass(frozen=True, slots=True)
class Timing:
    """What lies between a call and its being heard: the way out, and the music's giving way."""

    latency_s: float = 0.0
    duck_s: float = 0.0

    @property
    def notice_s(self) -> float:
        """How long before it is heard a call has to be with the renderer."""
        return self.latency_s + self.duck_s + MARGIN_S

    def leaves_in_s(self, at: datetime) -> float:
        """When its first sound has to leave to be heard `at`; negative when that is over."""
        return (at - datetime.now(UTC)).total_seconds() - self.latency_s

    def leaves_at(self, at: datetime | None) -> float | None:
        """The same on the renderer's clock, which is the machine's monotonic one; None: at once."""
        if at is None or (left_s := self.leaves_in_s(at)) <= 0:
            return None
        return time.monotonic() + left_s


class Approach:
    """Runs in the call's own tasks, so that no call waits for another here.

    The wall clock is looked at again and again, so that one that is set keeps what was planned.
    """

    def __init__(
        self,
        arbiter: Arbiter,
        gaps: Gaps,
        timing: Timing,
        act: Callable[[], None],
        soon: Callable[[], None],
    ) -> None:
        self._arbiter = arbiter
        self._gaps = gaps
        self._act = act
        self._soon = soon
        self._timing = timing
        self._quiet_hours = QuietHours()

    async def come(self, record: Record, clip: asyncio.Task[None]) -> None:
        """Bring a new call to where it can be heard. `clip` is its preparation."""
        try:
            async with asyncio.timeout(PREPARE_LIMIT_S):
                await clip
        except AntiphonError as error:
            self._arbiter.failed(record.id, str(error))
        except TimeoutError:
            reason = f"the clip was not ready within {PREPARE_LIMIT_S:g} s"
            self._arbiter.failed(record.id, reason)
        else:
            await self._its_time(record)
            until = await self._quiet(record, record.open_zones)
            resting = {zone: _reason(end) for zone, end in until.items()}
            between = self._between(record, set(record.open_zones) - until.keys())
            resting |= dict.fromkeys(between, BETWEEN)
            self._arbiter.ready(record.id, record.priority, resting)
            record.admitted.set()
            self._act()
            await self._rest(record, until)
            return
        record.admitted.set()
        self._act()

    async def again(self, record: Record, zones: Iterable[UUID], gap_s: float) -> None:
        """Let the next repeat follow in these zones."""
        zones = tuple(zones)
        self._gaps.leave(record.id, zones)
        await asyncio.sleep(gap_s)
        until = await self._quiet(record, zones)
        self._wake(record, [zone for zone in zones if zone not in until])
        await self._rest(record, until)

    async def _its_time(self, record: Record) -> None:
        """Wait for it. Where all its zones are free the renderer is told before, and keeps it."""
        at = record.starts_at
        while at is not None and (left_s := self._timing.leaves_in_s(at)) > 0:
            if not record.admitted.is_set():
                self._arbiter.hold(record.id, f"it starts at {at.isoformat(timespec='seconds')}")
                record.admitted.set()
                self._act()
            early_s = left_s + self._timing.latency_s - self._timing.notice_s
            if early_s <= 0 and all(map(self._arbiter.is_free, record.open_zones)):
                return
            await asyncio.sleep(min(early_s if early_s > 0 else left_s, LOOK_AT_CLOCK_S))

    async def _quiet(self, record: Record, zones: Iterable[UUID]) -> Mapping[UUID, datetime]:
        """Until when the call has to wait, by zone. Where it may not wait it is dropped."""
        if record.band not in BLOCKED:
            return {}
        now = datetime.now(UTC)
        until = await self._quiet_hours.until(zones, max(now, record.starts_at or now))
        if record.request.when_quiet is WhenQuiet.DEFER:
            return until
        for zone, end in until.items():
            self._arbiter.failed(record.id, _reason(end), [zone])
        return {}

    async def _rest(self, record: Record, until: Mapping[UUID, datetime]) -> None:
        while until:
            left_s = (min(until.values()) - datetime.now(UTC)).total_seconds()
            await asyncio.sleep(min(max(left_s, 0.05), LOOK_AT_HOURS_S))
            still = await self._quiet(record, until)
            self._wake(record, [zone for zone in until if zone not in still])
            until = still

    def _wake(self, record: Record, zones: Collection[UUID]) -> None:
        between = self._between(record, zones)
        self._arbiter.rest(record.id, between, BETWEEN)
        self._arbiter.wake(record.id, [zone for zone in zones if zone not in between])
        self._soon()

    def _between(self, record: Record, zones: Iterable[UUID]) -> Collection[UUID]:
        """In which of these zones it has to wait for the end of a track."""
        if record.style is not CallStyle.BETWEEN:
            return ()
        return self._gaps.wait(record.id, set(zones).intersection(record.open_zones))


def _reason(until: datetime) -> str:
    return f"the zone has quiet hours until {until:%H:%M}"
