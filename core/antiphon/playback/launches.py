"""Calls in the renderer's hands: started, stopped, and given up on where it does not report."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import count
from uuid import UUID

from antiphon.engine import protocol
from antiphon.playback import levels
from antiphon.playback.approach import Timing
from antiphon.playback.record import Record
from antiphon.settings.models import AudioSettings
from antiphon.types import CallState, CallStyle

_log = logging.getLogger(__name__)

STOP_LIMIT_S = 2.0
PLAY_SLACK_S = 30.0
BUSY_RETRY_S = 0.25
BUSY_LIMIT = 240


class Launches:
    """Each start of a call in some zones has a name of its own, which the renderer reports by.

    `ended` hears of what has left a zone without a report: its state there, and why.
    """

    def __init__(
        self,
        send: Callable[[protocol.Command], None],
        audio: AudioSettings,
        timing: Timing,
        ended: Callable[[Record, UUID, CallState, str | None], None],
    ) -> None:
        self._send = send
        self._audio = audio
        self._timing = timing
        self._ended = ended
        self._by_name: dict[str, Record] = {}
        self._names = count(1)

    def start(self, record: Record, zones: tuple[UUID, ...]) -> None:
        """Let a call whose clip is there sound in some zones, from the same sample."""
        assert record.media is not None, "the arbiter starts what is ready"  # noqa: S101
        name = f"{record.id}.{next(self._names)}"
        self._by_name[name] = record
        before, after = record.chime, record.chime_after
        self._send(
            protocol.StartCall(
                name,
                tuple(map(str, zones)),
                levels.clip(record.media, self._audio),
                levels.clip(before, self._audio) if before is not None else None,
                levels.clip(after, self._audio) if after is not None else None,
                pause=record.style is not CallStyle.OVER,
                at=self._timing.leaves_at(record.starts_at),
            )
        )
        for zone_id in zones:
            part = record.parts[zone_id]
            part.launch = name
            part.delivered_at = part.delivered_at or datetime.now(UTC)
            self._watch(record, zone_id, record.length_s + PLAY_SLACK_S)

    def stop(self, record: Record, zones: Iterable[UUID]) -> None:
        """End a call in some zones with a short fade."""
        by_name: dict[str, list[str]] = {}
        for zone_id in zones:
            if (name := record.parts[zone_id].launch) is not None:
                by_name.setdefault(name, []).append(str(zone_id))
                self._watch(record, zone_id, STOP_LIMIT_S, CallState.CUT)
            else:  # found busy a moment ago
                self._ended(record, zone_id, CallState.CUT, None)
        for name, stopped in by_name.items():
            self._send(protocol.StopCall(name, tuple(stopped)))

    def find(self, report: protocol.CallStarted | protocol.CallFinished) -> Record | None:
        """Whom a report is about; None where that is over."""
        record = self._by_name.get(report.call)
        part = record.parts.get(UUID(report.zone)) if record is not None else None
        return record if part is not None and part.launch == report.call else None

    def free(self, record: Record, zone_id: UUID) -> None:
        """The call does not sound in the zone any more."""
        part = record.parts[zone_id]
        part.let_go()
        if (name := part.launch) is not None:
            part.launch = None
            if all(other.launch != name for other in record.parts.values()):
                self._by_name.pop(name, None)

    def try_again(self, record: Record, zone_id: UUID) -> bool:
        """The zone was found busy: ask for it again in a moment, unless that was done too often."""
        part = record.parts[zone_id]
        if part.busy_times >= BUSY_LIMIT:
            return False
        part.busy_times += 1
        self.free(record, zone_id)
        loop = asyncio.get_running_loop()
        queued = (record, zone_id, CallState.QUEUED, None)
        part.watch = loop.call_later(BUSY_RETRY_S, self._ended, *queued)
        return True

    def sounds(self, record: Record, zone_id: UUID) -> None:
        """The first sample of the call went out in the zone; it is known how long it takes."""
        length_s = max(record.length_s, record.parts[zone_id].duration_s)
        self._watch(record, zone_id, length_s + PLAY_SLACK_S)

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
        if (name := record.parts[zone_id].launch) is not None:
            self._send(protocol.StopCall(name, (str(zone_id),)))
        _log.error("The renderer did not report the end of call %s in %s", record.id, zone_id)
        reason = "the renderer did not report its end" if state is CallState.FAILED else None
        self._ended(record, zone_id, state, reason)
