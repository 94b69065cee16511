"""Brings each of the renderer's reports to whom it concerns."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

from antiphon import events
from antiphon.engine import protocol
from antiphon.playback.calls import Calls
from antiphon.playback.channels import Channels
from antiphon.playback.dead_air import DeadAir
from antiphon.playback.programme import Programme

_log = logging.getLogger(__name__)


class Reports:
    """Reports about what is gone by now are dropped."""

    def __init__(
        self, bus: events.EventBus, channels: Channels, calls: Calls, dead_air: DeadAir
    ) -> None:
        self._bus = bus
        self._channels = channels
        self._dead_air = dead_air
        self._handlers: dict[type[protocol.Report], Callable[[Any], None]] = {
            protocol.TrackStarted: self._to_programme(Programme.track_started),
            protocol.TrackFinished: self._to_programme(Programme.track_finished),
            protocol.TrackFailed: self._to_programme(Programme.track_failed),
            protocol.ProgrammeEnded: self._to_programme(lambda programme, _: programme.ended()),
            protocol.Position: self._to_programme(Programme.moved),
            protocol.CallStarted: calls.started,
            protocol.CallFinished: calls.finished,
            protocol.Level: self._level,
            protocol.Quiet: self._quiet,
            protocol.Starved: self._starved,
        }

    def handle(self, report: protocol.Report) -> None:
        """Called by the renderer's host with every report."""
        if (handler := self._handlers.get(type(report))) is not None:
            handler(report)

    def _to_programme(self, method: Callable[[Programme, Any], None]) -> Callable[[Any], None]:
        def handler(report: Any) -> None:
            if (programme := self._channels.programme(report.programme)) is not None:
                method(programme, report)

        return handler

    def _level(self, report: protocol.Level) -> None:
        if (channel := self._channels.find(UUID(report.zone))) is not None:
            self._bus.publish(
                events.LevelMeasured(
                    zone_id=channel.zone_id,
                    client_id=channel.client_id,
                    rms_db=report.rms_db,
                    peak_db=report.peak_db,
                )
            )

    def _quiet(self, report: protocol.Quiet) -> None:
        if (channel := self._channels.find(UUID(report.zone))) is not None:
            self._dead_air.quiet(channel, report)

    def _starved(self, report: protocol.Starved) -> None:
        if (channel := self._channels.find(UUID(report.zone))) is not None:
            _log.warning(
                "The zone %s lost %.2f s of sound (%s)", channel.name, report.seconds, report.reason
            )
            self._bus.publish(
                events.ZoneStarved(
                    zone_id=channel.zone_id,
                    client_id=channel.client_id,
                    seconds=report.seconds,
                    reason=report.reason,
                )
            )
