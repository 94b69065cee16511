"""Where music should play and none is heard: the next track, the music anew, the fallback."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

from antiphon import events
from antiphon.engine.protocol import Quiet
from antiphon.errors import AntiphonError
from antiphon.playback.channel import Channel
from antiphon.playback.programme import Programme
from antiphon.types import DeadAirStep

_log = logging.getLogger(__name__)

RESTART_AFTER = 1.5  # times the limit
FALLBACK_AFTER = 2.0


class DeadAir:
    """Takes one step after the other while a zone is silent, and says so.

    The renderer measures, and plays the fallback by itself: it does not need us for that.
    Zones that share a programme are silent together: it is skipped or started anew once.
    """

    def __init__(self, publish: Callable[[events.Event], None], limit_s: float) -> None:
        self._publish = publish
        self._steps = (
            (limit_s, DeadAirStep.NEXT_TRACK),
            (limit_s * RESTART_AFTER, DeadAirStep.RESTART),
            (limit_s * FALLBACK_AFTER, DeadAirStep.FALLBACK),
        )
        self._taken: dict[UUID, int] = {}
        self._moved: dict[UUID, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def close(self) -> None:
        """Let go of what is under way."""
        for task in self._tasks:
            task.cancel()

    def quiet(self, channel: Channel, report: Quiet) -> None:
        """A zone is silent for so long, or is heard again."""
        zone_id, programme = channel.zone_id, channel.programme
        if not report.seconds:
            self._moved.pop(programme.id, None)
            channel.dead_air = None
            if self._taken.pop(zone_id, None):
                _log.warning("The zone %s is heard again", channel.name)
                self._publish(events.ZoneHeard(zone_id=zone_id, client_id=channel.client_id))
            return
        done = self._taken.get(zone_id, 0)
        if done == len(self._steps) or report.seconds < self._steps[done][0]:
            return
        self._taken[zone_id] = done + 1
        step = self._steps[done][1]
        if step is DeadAirStep.FALLBACK and not report.has_fallen_back:
            step = DeadAirStep.NOTHING_LEFT
        self._say(channel, report.seconds, step)
        if self._moved.get(programme.id, 0) <= done:
            self._moved[programme.id] = done + 1
            self._move(programme, step)

    def _say(self, channel: Channel, seconds: float, step: DeadAirStep) -> None:
        channel.dead_air = f"no music was heard for {seconds:.0f} s; {_TOLD[step]}"
        _log.warning("The zone %s: %s", channel.name, channel.dead_air)
        self._publish(
            events.ZoneSilent(
                zone_id=channel.zone_id, client_id=channel.client_id, seconds=seconds, step=step
            )
        )

    def _move(self, programme: Programme, step: DeadAirStep) -> None:
        if step is DeadAirStep.NEXT_TRACK:
            work = programme.next()
        elif step is DeadAirStep.RESTART:
            work = programme.restart()
        else:
            return

        async def move() -> None:
            with suppress(AntiphonError):  # which the programme itself has told of
                await work

        task = asyncio.create_task(move(), name=f"dead air of programme {programme.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


_TOLD = {
    DeadAirStep.NEXT_TRACK: "the track is skipped",
    DeadAirStep.RESTART: "the music is started anew",
    DeadAirStep.FALLBACK: "the fallback plays",
    DeadAirStep.NOTHING_LEFT: "there is no fallback (see the setting audio.fallback_folder)",
}
