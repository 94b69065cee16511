"""A queue is seen and changed while it plays: the track that is heard goes on."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from tests.core.playback.conftest import Stage
from tests.fakes.waiting import eventually

from antiphon.engine import protocol
from antiphon.errors import Invalid, NotFound
from antiphon.playback import ZoneController
from antiphon.plugins import PlayRequest
from antiphon.types import Playback, Repeat


async def _titles(stage: Stage, zones: ZoneController) -> list[str | None]:
    queue = await zones.queue(stage.hotel.owner, stage.shop, offset=0, limit=100)
    assert [one.place for one in queue.items] == list(range(queue.total))
    return [one.track.title if one.track is not None else None for one in queue.items]


async def _plays(stage: Stage, zones: ZoneController, *, second: bool = True) -> list[UUID]:
    """Three songs; the second is heard, and the renderer knows what follows."""
    songs = stage.songs()
    await zones.play(stage.hotel.owner, stage.shop, PlayRequest(music_ids=songs))
    await stage.hears(stage.shop, "Song 1")
    if second:
        await zones.next(stage.hotel.owner, stage.shop)
        await stage.hears(stage.shop, "Song 2")
    name = stage.programme(stage.shop)
    await eventually(lambda: len(stage.renderer.programmes[name].tracks) == 3)
    return songs


async def _to_come(stage: Stage, *titles: str) -> None:
    def found() -> list[str]:
        tracks = stage.renderer.programmes[stage.programme(stage.shop)].tracks
        return [track.path.rpartition("/")[2].removesuffix(".flac") for track in tracks]

    await eventually(lambda: found() == list(titles), 3.0)


async def test_a_queue_is_seen_in_parts(stage: Stage, zones: ZoneController) -> None:
    owner = stage.hotel.owner
    assert await _titles(stage, zones) == []
    await _plays(stage, zones)
    assert await _titles(stage, zones) == ["Song 1", "Song 2", "Song 3"]
    part = await zones.queue(owner, stage.shop, offset=2, limit=5)
    assert [one.place for one in part.items] == [2]
    assert (part.total, part.position) == (3, 1)
    with pytest.raises(NotFound):
        await zones.queue(stage.gym.owner, stage.shop, offset=0, limit=5)


async def test_the_order_changes_and_the_track_goes_on(stage: Stage, zones: ZoneController) -> None:
    one, two, three = await _plays(stage, zones)
    loaded = len(stage.renderer.sent(protocol.LoadProgramme))
    view = await zones.set_queue(stage.hotel.owner, stage.shop, [two, one, three])
    assert (view.playback, view.queue_position, view.queue_length) == (Playback.PLAYING, 0, 3)
    assert view.track is not None
    assert view.track.title == "Song 2"
    await _to_come(stage, "Song 2", "Song 1", "Song 3")
    assert len(stage.renderer.sent(protocol.LoadProgramme)) == loaded, "not a sample was lost"
    stage.renderer.end_track(stage.programme(stage.shop))
    await stage.hears(stage.shop, "Song 1")
    await eventually(lambda: len(stage.renderer.programmes[stage.programme(stage.shop)].tracks) > 2)
    assert (await zones.view(stage.hotel.owner, stage.shop)).queue_position == 1
    await zones.previous(stage.hotel.owner, stage.shop)
    await stage.hears(stage.shop, "Song 2")


async def test_what_plays_comes_before_what_it_is_not_among(
    stage: Stage, zones: ZoneController
) -> None:
    one, _, three = await _plays(stage, zones)
    view = await zones.set_queue(stage.hotel.owner, stage.shop, [three, one])
    assert (view.queue_position, view.queue_length) == (0, 3)
    assert await _titles(stage, zones) == ["Song 2", "Song 3", "Song 1"]
    await _to_come(stage, "Song 2", "Song 3", "Song 1")


async def test_what_is_held_stays_so_and_what_is_stopped_too(
    stage: Stage, zones: ZoneController
) -> None:
    owner = stage.hotel.owner
    one, two, three = await _plays(stage, zones)
    await zones.pause(owner, stage.shop)
    view = await zones.set_queue(owner, stage.shop, [three, two])
    assert (view.playback, view.queue_position) == (Playback.PAUSED, 1)
    await zones.stop(owner, stage.shop)
    view = await zones.set_queue(owner, stage.shop, [three, one])
    assert (view.playback, view.queue_position, view.queue_length) == (Playback.STOPPED, 0, 2)
    assert stage.renderer.programmes == {}
    await zones.resume(owner, stage.shop)
    await stage.hears(stage.shop, "Song 3")


async def test_the_last_track_of_a_queue_that_ends_gets_followers(
    stage: Stage, zones: ZoneController
) -> None:
    songs = stage.songs()
    request = PlayRequest(music_ids=songs[:1], repeat=Repeat.NONE)
    await zones.play(stage.hotel.owner, stage.shop, request)
    await stage.hears(stage.shop, "Song 1")
    await zones.set_queue(stage.hotel.owner, stage.shop, songs)
    await _to_come(stage, "Song 1", "Song 2", "Song 3")


async def test_it_survives_a_restart(stage: Stage, zones: ZoneController) -> None:
    one, two, three = await _plays(stage, zones)
    await zones.set_queue(stage.hotel.owner, stage.shop, [three, one, two])
    again = await stage.restart()
    await stage.hears(stage.shop, "Song 2")
    assert await _titles(stage, again) == ["Song 3", "Song 1", "Song 2"]


async def test_what_is_not_there_changes_nothing(stage: Stage, zones: ZoneController) -> None:
    songs = await _plays(stage, zones)
    foreign = stage.media.music.add(stage.gym.client.id, "Theirs")
    for wrong in (uuid4(), foreign):
        with pytest.raises(Invalid, match=r"music_ids\.1: there is no track"):
            await zones.set_queue(stage.hotel.owner, stage.shop, [songs[0], wrong])
    with pytest.raises(NotFound):
        await zones.set_queue(stage.gym.owner, stage.shop, [foreign])
    assert await _titles(stage, zones) == ["Song 1", "Song 2", "Song 3"]
