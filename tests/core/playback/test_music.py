"""Music in zones: the commands, the queue, and what is done about tracks that fail."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest
from tests.core.playback.conftest import Stage
from tests.fakes.waiting import eventually

from antiphon import events
from antiphon.engine import protocol
from antiphon.errors import Conflict, Invalid, NotFound, Unavailable
from antiphon.playback import ZoneController, filling, window
from antiphon.plugins import PlayRequest
from antiphon.types import Playback, Repeat


async def test_music_starts_and_is_known(stage: Stage, zones: ZoneController) -> None:
    owner, songs = stage.hotel.owner, stage.songs()
    view = await zones.play(owner, stage.shop, PlayRequest(music_ids=songs))
    assert view.playback is Playback.PLAYING
    assert view.track is not None
    assert (view.track.title, view.track.music_id) == ("Song 1", songs[0])
    assert (view.queue_length, view.queue_position) == (3, 0)
    await stage.hears(stage.shop, "Song 1")
    await eventually(lambda: stage.told(events.TrackStarted))
    started = stage.told(events.TrackStarted)[0]
    assert (started.zone_id, started.title, started.duration_s) == (stage.shop, "Song 1", 100.0)
    assert stage.renderer.zones[str(stage.shop)].sink.startswith("fifo:")


async def test_tracks_are_normalised_from_what_was_measured(
    stage: Stage, zones: ZoneController
) -> None:
    client = stage.hotel.client.id
    loud = stage.media.music.add(client, "Loud", lufs=-8.0, peak_db=0.0)
    peaky = stage.media.music.add(client, "Peaky", lufs=-30.0, peak_db=-3.0)
    unknown = stage.media.music.add(client, "Unknown", lufs=None, peak_db=None)
    request = PlayRequest(music_ids=[loud, peaky, unknown], repeat=Repeat.NONE)
    await zones.play(stage.hotel.owner, stage.shop, request)
    name = stage.programme(stage.shop)
    await eventually(lambda: len(stage.renderer.programmes[name].tracks) == 3)
    levels = [(t.gain_db, t.lufs) for t in stage.renderer.programmes[name].tracks]
    assert levels == [(-10.0, -18.0), (1.5, -28.5), (0.0, -18.0)]


async def test_the_renderer_is_kept_supplied(stage: Stage, zones: ZoneController) -> None:
    songs = stage.songs(20)
    await zones.play(stage.hotel.owner, stage.shop, PlayRequest(music_ids=songs))
    name = stage.programme(stage.shop)
    for n in range(1, 25):
        await stage.hears(stage.shop, f"Song {(n - 1) % 20 + 1}")
        await eventually(lambda: len(stage.renderer.programmes[name].tracks) == filling.WINDOW)
        stage.renderer.end_track(name)
    assert len(stage.renderer.sent(protocol.LoadProgramme)) == 1, "gapless: never loaded again"
    titles = [event.title for event in stage.told(events.TrackFinished)]
    assert titles[:3] == ["Song 1", "Song 2", "Song 3"]


async def test_without_repeat_the_music_ends(stage: Stage, zones: ZoneController) -> None:
    owner, request = stage.hotel.owner, PlayRequest(music_ids=stage.songs(2), repeat=Repeat.NONE)
    await zones.play(owner, stage.shop, request)
    for _ in range(2):
        await asyncio.sleep(0)
        await eventually(lambda: stage.sounding(stage.shop))
        stage.renderer.end_track(stage.programme(stage.shop))
    await eventually(lambda: not stage.renderer.programmes)
    view = await zones.view(owner, stage.shop)
    assert view.playback is Playback.STOPPED
    assert (view.track, view.queue_position, view.queue_length) == (None, 0, 2)
    await zones.play(owner, stage.shop, PlayRequest())
    await stage.hears(stage.shop, "Song 1")


async def test_pause_resume_next_previous_stop(stage: Stage, zones: ZoneController) -> None:
    owner, shop = stage.hotel.owner, stage.shop
    await zones.play(owner, shop, PlayRequest(music_ids=stage.songs()))
    name = stage.programme(shop)
    assert (await zones.pause(owner, shop)).playback is Playback.PAUSED
    assert not stage.renderer.programmes[name].playing
    assert (await zones.next(owner, shop)).playback is Playback.PAUSED
    await stage.hears(shop, "Song 2")
    assert not stage.renderer.programmes[name].playing
    assert (await zones.resume(owner, shop)).playback is Playback.PLAYING
    assert stage.renderer.programmes[name].playing

    stage.renderer.move(name, 2.9)
    await eventually(lambda: zones._channels.programme(name).position_s > 2)  # type: ignore[union-attr]
    await zones.previous(owner, shop)
    await stage.hears(shop, "Song 1")
    await zones.previous(owner, shop)
    await stage.hears(shop, "Song 1")

    stopped = await zones.stop(owner, shop)
    assert (stopped.playback, stopped.track, stopped.queue_length) == (Playback.STOPPED, None, 3)
    assert stage.renderer.programmes == {}
    await zones.resume(owner, shop)
    await stage.hears(shop, "Song 1")


async def test_previous_after_three_seconds_restarts_the_track(
    stage: Stage, zones: ZoneController
) -> None:
    owner, shop = stage.hotel.owner, stage.shop
    await zones.play(owner, shop, PlayRequest(music_ids=stage.songs()))
    await zones.next(owner, shop)
    name = stage.programme(shop)
    await stage.hears(shop, "Song 2")
    stage.renderer.move(name, 40.0)
    await eventually(lambda: zones._channels.programme(name).position_s >= 40)  # type: ignore[union-attr]
    finished = len(stage.told(events.TrackFinished))
    view = await zones.previous(owner, shop)
    assert view.track is not None
    assert (view.track.title, view.position_s) == ("Song 2", 0.0)
    await eventually(lambda: stage.renderer.programmes[name].position_s == 0.0)
    assert len(stage.told(events.TrackFinished)) == finished, "a restarted track is not over"


async def test_two_quick_nexts_go_two_tracks_on(stage: Stage, zones: ZoneController) -> None:
    owner, shop = stage.hotel.owner, stage.shop
    await zones.play(owner, shop, PlayRequest(music_ids=stage.songs(), repeat=Repeat.ONE))
    await asyncio.gather(zones.next(owner, shop), zones.next(owner, shop))
    await stage.hears(shop, "Song 3")


async def test_position_runs_between_reports(stage: Stage, zones: ZoneController) -> None:
    owner, shop = stage.hotel.owner, stage.shop
    await zones.play(owner, shop, PlayRequest(music_ids=stage.songs()))
    stage.renderer.move(stage.programme(shop), 50.0)
    await eventually(lambda: stage.told(events.TrackStarted))
    before = await zones.view(owner, shop)
    await asyncio.sleep(0.05)
    after = await zones.view(owner, shop)
    elapsed_s = (after.position_at - before.position_at).total_seconds()
    assert after.position_s - before.position_s == pytest.approx(elapsed_s, abs=0.02)


async def test_seek(stage: Stage, zones: ZoneController) -> None:
    owner, shop = stage.hotel.owner, stage.shop
    with pytest.raises(Conflict):
        await zones.seek(owner, shop, 1.0)
    await zones.play(owner, shop, PlayRequest(music_ids=stage.songs()))
    assert (await zones.seek(owner, shop, 60.0)).position_s == 60.0
    name = stage.programme(shop)
    assert stage.renderer.programmes[name].position_s == 60.0
    for wrong in (100.5, -1.0, float("nan"), float("inf")):
        with pytest.raises(Invalid, match=r"Song 1.*100"):
            await zones.seek(owner, shop, wrong)


@pytest.mark.parametrize("volume", [101, -1])
async def test_a_volume_out_of_range_changes_nothing(
    stage: Stage, zones: ZoneController, volume: int
) -> None:
    with pytest.raises(Invalid, match="volume: must be between 0 and 100"):
        await zones.set_volume(stage.hotel.owner, stage.shop, volume)
    assert (await zones.view(stage.hotel.owner, stage.shop)).volume == 70
    assert not stage.renderer.sent(protocol.SetVolume)


async def test_nothing_to_play_is_refused_and_the_music_goes_on(
    stage: Stage, zones: ZoneController
) -> None:
    owner, shop = stage.hotel.owner, stage.shop
    with pytest.raises(Conflict):
        await zones.play(owner, shop, PlayRequest())
    with pytest.raises(Conflict):
        await zones.next(owner, shop)
    await zones.play(owner, shop, PlayRequest(music_ids=stage.songs()))
    empty = uuid4()
    stage.media.music.folders[empty] = []
    with pytest.raises(Invalid, match="no music"):
        await zones.play(owner, shop, PlayRequest(folder_ids=[empty]))
    with pytest.raises(NotFound):
        await zones.play(owner, shop, PlayRequest(folder_ids=[uuid4()]))
    with pytest.raises(NotFound):
        await zones.play(owner, shop, PlayRequest(music_ids=[uuid4()]))
    strangers = stage.media.music.add(stage.gym.client.id, "Not yours")
    with pytest.raises(NotFound):
        await zones.play(owner, shop, PlayRequest(music_ids=[strangers]))
    assert stage.sounding(shop) == "Song 1"
    assert (await zones.view(owner, shop)).playback is Playback.PLAYING


async def test_tracks_that_fail_are_skipped_and_told(stage: Stage, zones: ZoneController) -> None:
    songs = stage.songs(5)
    stage.media.music.raises[songs[0]] = NotFound("track", songs[0])
    stage.media.music.raises[songs[2]] = RuntimeError("a bug in a plugin")
    stage.renderer.broken.add("/music/Song 4.flac")
    await zones.play(stage.hotel.owner, stage.shop, PlayRequest(music_ids=songs))
    await stage.hears(stage.shop, "Song 2")
    await eventually(lambda: len(stage.told(events.TrackSkipped)) >= 2)
    stage.renderer.end_track(stage.programme(stage.shop))
    await stage.hears(stage.shop, "Song 5")

    def skipped() -> set[UUID | None]:
        return {event.music_id for event in stage.told(events.TrackSkipped)}

    await eventually(lambda: skipped() == {songs[0], songs[2], songs[3]})


async def test_when_every_track_fails_it_says_so_and_waits(
    stage: Stage, zones: ZoneController, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, songs = stage.hotel.owner, stage.songs()
    monkeypatch.setattr(filling, "BACK_OFF_S", (0.2,))
    stage.renderer.broken = {f"/music/Song {n}.flac" for n in (1, 2, 3)}
    await zones.play(owner, stage.shop, PlayRequest(music_ids=songs))
    await eventually(lambda: zones._channels.find(stage.shop).programme.problem)  # type: ignore[union-attr]
    view = await zones.view(owner, stage.shop)
    assert "could not be played; trying again in 0.2 s" in view.problems[0]
    tried = len(stage.renderer.sent(protocol.LoadProgramme))
    await asyncio.sleep(0.1)
    assert len(stage.renderer.sent(protocol.LoadProgramme)) == tried, "it must not spin"
    stage.renderer.broken.clear()
    await eventually(lambda: stage.sounding(stage.shop), 3.0)
    stage.renderer.move(stage.programme(stage.shop), 1.0)
    await eventually(lambda: not zones._channels.find(stage.shop).programme.problem)  # type: ignore[union-attr]


async def test_a_source_that_hangs_costs_its_own_track_alone(
    stage: Stage, zones: ZoneController, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window, "RESOLVE_LIMIT_S", 0.1)
    songs = stage.songs()
    stage.media.music.hangs.add(songs[1])
    await zones.play(stage.hotel.owner, stage.shop, PlayRequest(music_ids=songs))
    await stage.hears(stage.shop, "Song 1")
    await zones.play(stage.hotel.owner, stage.bar, PlayRequest(music_ids=songs[2:]))
    await stage.hears(stage.bar, "Song 3")
    stage.renderer.end_track(stage.programme(stage.shop))
    await stage.hears(stage.shop, "Song 3")
    assert "did not answer" in stage.told(events.TrackSkipped)[0].reason
    with pytest.raises(Unavailable):
        await zones.play(stage.hotel.owner, stage.bar, PlayRequest(music_ids=[songs[1]]))
    assert stage.sounding(stage.bar) == "Song 3"


@pytest.mark.parametrize("answers", ["after the end", "just before the end is told"])
async def test_music_goes_on_once_a_slow_source_answers(
    stage: Stage, zones: ZoneController, answers: str
) -> None:
    songs, shop = stage.songs(2), stage.shop
    answer = stage.media.music.waits[songs[1]] = asyncio.Event()
    await zones.play(stage.hotel.owner, shop, PlayRequest(music_ids=songs))
    name = stage.programme(shop)
    await eventually(lambda: stage.told(events.TrackStarted))
    ended = stage.renderer.programmes[name].tracks.pop()
    stage.renderer.emit(protocol.TrackFinished(name, ended.entry, 100.0, "ended"))
    if answers == "after the end":
        stage.renderer.emit(protocol.ProgrammeEnded(name))
    await eventually(lambda: stage.told(events.TrackFinished))
    answer.set()
    await asyncio.sleep(0.02)
    if answers != "after the end":
        stage.renderer.emit(protocol.ProgrammeEnded(name))
    await stage.hears(shop, "Song 2")
    view = await zones.view(stage.hotel.owner, shop)
    assert view.track is not None
    assert view.track.title == "Song 2"


class TestSharing:
    async def test_zones_share_one_programme(self, stage: Stage, zones: ZoneController) -> None:
        owner, shop, bar = stage.hotel.owner, stage.shop, stage.bar
        request = PlayRequest(music_ids=stage.songs(), zones=[bar])
        view = await zones.play(owner, shop, request)
        assert view.shared_with == (bar,)
        assert stage.programme(shop) == stage.programme(bar)
        await zones.next(owner, bar)
        await stage.hears(shop, "Song 2")
        assert (await zones.pause(owner, bar)).playback is Playback.PAUSED
        assert (await zones.view(owner, shop)).playback is Playback.PAUSED
        await zones.resume(owner, shop)
        await zones.set_volume(owner, shop, 20)
        assert (await zones.view(owner, bar)).volume == 70
        await eventually(lambda: len(stage.told(events.TrackStarted)) >= 2)
        assert {event.zone_id for event in stage.told(events.TrackStarted)} == {shop, bar}

    async def test_stop_ends_one_zone_alone(self, stage: Stage, zones: ZoneController) -> None:
        owner, shop, bar = stage.hotel.owner, stage.shop, stage.bar
        await zones.play(owner, shop, PlayRequest(music_ids=stage.songs(), zones=[bar]))
        await zones.next(owner, shop)
        await zones.stop(owner, shop)
        assert stage.sounding(shop) is None
        assert stage.sounding(bar) == "Song 2"
        assert (await zones.view(owner, bar)).shared_with == ()
        await zones.resume(owner, shop)
        assert stage.sounding(shop) == "Song 2"
        assert stage.programme(shop) != stage.programme(bar)

    async def test_a_zone_with_music_of_its_own_leaves(
        self, stage: Stage, zones: ZoneController
    ) -> None:
        owner, shop, bar = stage.hotel.owner, stage.shop, stage.bar
        songs = stage.songs()
        await zones.play(owner, shop, PlayRequest(music_ids=songs, zones=[bar]))
        await zones.play(owner, shop, PlayRequest(music_ids=songs[2:]))
        assert (stage.sounding(shop), stage.sounding(bar)) == ("Song 3", "Song 1")

    async def test_a_zone_joins_what_plays(self, stage: Stage, zones: ZoneController) -> None:
        owner, shop, bar = stage.hotel.owner, stage.shop, stage.bar
        songs = stage.songs()
        await zones.play(owner, bar, PlayRequest(music_ids=songs[1:]))
        await zones.play(owner, shop, PlayRequest(music_ids=songs))
        await zones.play(owner, shop, PlayRequest(zones=[bar]))
        assert stage.programme(shop) == stage.programme(bar)
        assert len(stage.renderer.programmes) == 1, "nobody hears the other one any more"

    async def test_a_zone_of_someone_else_can_not_join(
        self, stage: Stage, zones: ZoneController
    ) -> None:
        request = PlayRequest(music_ids=stage.songs(), zones=[stage.gym.bar.id, stage.bar])
        with pytest.raises(NotFound, match=str(stage.gym.bar.id)):
            await zones.play(stage.hotel.owner, stage.shop, request)
        assert not stage.renderer.programmes


async def test_shuffle_plays_each_track_once_and_goes_back(
    stage: Stage, zones: ZoneController
) -> None:
    owner, shop = stage.hotel.owner, stage.shop
    await zones.play(owner, shop, PlayRequest(music_ids=stage.songs(6), shuffle=True))
    heard: list[str | None] = [stage.sounding(shop)]
    for _ in range(5):
        await zones.next(owner, shop)
        heard.append(stage.sounding(shop))
    assert len(set(heard)) == 6
    for title in reversed(heard[:-1]):
        await zones.previous(owner, shop)
        assert stage.sounding(shop) == title
