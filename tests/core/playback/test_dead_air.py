"""A zone that should play and is silent: step by step, and what is said of it."""

from __future__ import annotations

import asyncio
from uuid import UUID

from tests.core.playback.conftest import Stage
from tests.fakes.waiting import eventually

from antiphon import events
from antiphon.engine.protocol import LoadProgramme, Quiet
from antiphon.playback import ZoneController
from antiphon.plugins import PlayRequest
from antiphon.types import DeadAirStep, Playback


async def quiet(stage: Stage, zone: UUID, seconds: float, *, fallback: bool = False) -> None:
    """The renderer says so, and is heard."""
    stage.renderer.emit(Quiet(str(zone), seconds, fallback))
    await asyncio.sleep(0)


def steps(stage: Stage) -> list[DeadAirStep]:
    return [event.step for event in stage.told(events.ZoneSilent)]


async def test_one_step_after_the_other_until_music_is_heard(
    stage: Stage, zones: ZoneController
) -> None:
    await zones.play(stage.hotel.owner, stage.shop, PlayRequest(music_ids=stage.songs()))
    await stage.hears(stage.shop, "Song 1")
    await quiet(stage, stage.shop, 9.0)
    assert not steps(stage)
    await quiet(stage, stage.shop, 10.0)
    await stage.hears(stage.shop, "Song 2")
    await quiet(stage, stage.shop, 11.0)
    loads = len(stage.renderer.sent(LoadProgramme))
    await quiet(stage, stage.shop, 15.0)
    await eventually(lambda: len(stage.renderer.sent(LoadProgramme)) > loads)
    assert stage.sounding(stage.shop) == "Song 2"
    await quiet(stage, stage.shop, 20.0, fallback=True)
    await quiet(stage, stage.shop, 60.0, fallback=True)
    assert steps(stage) == [DeadAirStep.NEXT_TRACK, DeadAirStep.RESTART, DeadAirStep.FALLBACK]
    view = await zones.view(stage.hotel.owner, stage.shop)
    assert view.playback is Playback.PLAYING
    assert view.problems == ("no music was heard for 20 s; the fallback plays",)
    await quiet(stage, stage.shop, 0.0)
    assert len(stage.told(events.ZoneHeard)) == 1
    assert (await zones.view(stage.hotel.owner, stage.shop)).problems == ()


async def test_without_a_fallback_the_alarm_says_so(stage: Stage, zones: ZoneController) -> None:
    await zones.play(stage.hotel.owner, stage.shop, PlayRequest(music_ids=stage.songs()))
    for seconds in (10.0, 15.0, 20.0):
        await quiet(stage, stage.shop, seconds)
    assert steps(stage)[-1] is DeadAirStep.NOTHING_LEFT
    (problem,) = (await zones.view(stage.hotel.owner, stage.shop)).problems
    assert "audio.fallback_folder" in problem


async def test_zones_that_share_a_programme_skip_one_track_together(
    stage: Stage, zones: ZoneController
) -> None:
    request = PlayRequest(music_ids=stage.songs(), zones=[stage.bar])
    await zones.play(stage.hotel.owner, stage.shop, request)
    await stage.hears(stage.bar, "Song 1")
    await quiet(stage, stage.shop, 10.0)
    await quiet(stage, stage.bar, 10.0)
    await stage.hears(stage.bar, "Song 2")
    assert len(steps(stage)) == 2
    await stage.hears(stage.shop, "Song 2")
    # A silence that comes later is another one.
    await quiet(stage, stage.shop, 0.0)
    await quiet(stage, stage.bar, 0.0)
    await quiet(stage, stage.bar, 10.0)
    await stage.hears(stage.shop, "Song 3")


async def test_music_that_can_not_be_resolved_is_missed_by_the_renderer(
    stage: Stage, zones: ZoneController
) -> None:
    await zones.play(stage.hotel.owner, stage.shop, PlayRequest(music_ids=stage.songs(2)))
    await stage.hears(stage.shop, "Song 1")
    stage.media.music.tracks.clear()
    await stage.restart()
    # With nothing to play it still is to play, so that the renderer may fall back.
    await eventually(lambda: bool(stage.renderer.sent(LoadProgramme)))
    (load,) = stage.renderer.sent(LoadProgramme)
    assert load.tracks == ()
    assert load.playing
    assert stage.renderer.attached[str(stage.shop)] == load.programme
