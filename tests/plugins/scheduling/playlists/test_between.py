"""Announcements between tracks, music that rests, and what was foretold."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Any
from uuid import UUID

from tests.fakes.waiting import eventually
from tests.plugins.scheduling.playlists.conftest import GRACE, TEN, House

from antiphon.building.models import Zone
from antiphon.engine.protocol import StartCall
from antiphon.events import CallChanged
from antiphon.playback.models import PlayEvent
from antiphon.plugins import PlayRequest
from antiphon.types import CallState, Playback
from antiphon_scheduling.models import Outcome, Schedule
from antiphon_scheduling.outlook import Outlooks
from antiphon_scheduling.outlook_views import OutlookItem, Result
from antiphon_scheduling.playlists.events import ChannelAnnounced
from antiphon_scheduling.playlists.models import ChannelPlaylist, ChannelRecord

MINUTE = timedelta(minutes=1)


def paths(house: House, zone: UUID) -> list[str]:
    """What the renderer has in hand for a zone, by the names of the files."""
    programme = house.fake.programmes[house.fake.attached[str(zone)] or ""]
    return [track.path.split("/")[-1].split(".")[0] for track in programme.tracks]


def states(house: House, zone: UUID) -> list[CallState]:
    return [event.state for event in house.told(CallChanged) if event.zone_id == zone]


async def test_every_second_track_is_followed_by_one_in_all_zones_with_receipts(
    house: House,
) -> None:
    shop, bar = house.shop.shop.id, house.shop.bar.id
    made = await house.playlist(
        zones=[str(shop), str(bar)],
        style="between",
        shuffle_music=False,
        default_announcement_every_tracks=2,
    )
    await house.put(made, "music", *[house.song(title) for title in "ABCDE"])
    await house.put(made, "announcement", house.spot("Offer"))
    async with house.running():
        await house.play(made)
        await eventually(lambda: house.started(shop) == ["A"])
        await house.clock.rest()
        await house.next_track(shop)
        await eventually(lambda: paths(house, shop)[:3] == ["B", "Offer", "C"])
        house.fake.end_track(house.fake.attached[str(shop)] or "")
        await eventually(lambda: states(house, bar)[-1:] == [CallState.PLAYING])
        view = await house.zones.view(house.shop.owner, bar)
        assert view.announcement is not None
        assert view.announcement.title == "Offer"
        await house.next_track(shop)
        await eventually(lambda: states(house, bar)[-1] is CallState.COMPLETED)
    assert house.started(shop) == house.started(bar) == ["A", "B", "C"]
    assert house.fake.sent(StartCall) == [], "it is an item of the music"
    [told] = house.told(ChannelAnnounced)
    assert set(told.zones) == {shop, bar}
    await house.zones._receipts.settled()
    rows = await PlayEvent.filter(call_id=told.call_id, device_id=None)
    assert {(row.zone_id, row.status, row.event_type) for row in rows} == {
        (shop, "completed", "scheduled"),
        (bar, "completed", "scheduled"),
    }
    assert await PlayEvent.filter(call_id=told.call_id).exclude(device_id=None).count() >= 1
    [record] = await ChannelRecord.filter(playlist_id=made)
    assert (record.outcome, record.call_id) == (Outcome.FIRED, told.call_id)
    assert record.rule == "every 2 tracks"


async def test_a_programme_that_others_hear_too_is_left_alone(house: House) -> None:
    """The bar joined the shop's music, but the playlist is not its own: a call it is."""
    shop, bar = house.shop.shop.id, house.shop.bar.id
    made = await house.playlist(style="between", default_announcement_interval_min=10)
    await house.put(made, "announcement", house.spot("Offer"))
    song = house.song("One")
    await house.zones.play(
        house.shop.owner, shop, PlayRequest(music_ids=[song, house.song("Two")], zones=[bar])
    )
    await eventually(lambda: house.started(bar) == ["One"])
    async with house.running():
        await house.clock.run_to(TEN + 10 * MINUTE)
        assert house.announced() == ["Offer"]
        assert "Offer" not in paths(house, shop)
        house.fake.end_track(house.fake.attached[str(shop)] or "")
        await eventually(lambda: len(house.fake.sent(StartCall)) == 1)
    assert house.fake.sent(StartCall)[0].zones == (str(shop),)


async def test_a_spot_of_music_every_so_many_minutes_and_announcements_in_between(
    house: House,
) -> None:
    zone = house.shop.shop.id
    made = await house.playlist(
        default_music_interval_min=15, default_announcement_interval_min=20, shuffle_music=False
    )
    await house.put(made, "music", *[house.song(title) for title in "ABC"])
    await house.put(made, "announcement", house.spot("Offer"))
    async with house.running():
        await house.play(made)
        await eventually(lambda: house.started(zone) == ["A"])
        house.fake.end_track(house.fake.attached[str(zone)] or "")
        await eventually(lambda: paths(house, zone) == [])
        await house.clock.run_to(TEN + 14 * MINUTE)
        assert house.started(zone) == ["A"]
        seen = await house.channel(zone)
        assert (seen["plays"], seen["upcoming"][0]["held_back"]) == (True, None)
        await house.clock.run_to(TEN + 15 * MINUTE)
        await eventually(lambda: house.started(zone) == ["A", "B"])
        await house.clock.run_to(TEN + 20 * MINUTE)
        assert house.announced() == ["Offer"]
        await house.clock.run_to(TEN + 31 * MINUTE)
        assert house.started(zone) == ["A", "B"], "a track that is still heard is not cut"
    records = await ChannelRecord.filter(playlist_id=made).order_by("instant")
    assert [record.rule for record in records] == [
        "music every 15 min",
        "every 20 min",
        "music every 15 min",
    ]


async def preview(house: House, zone: UUID, hours: int, start: int = 0) -> list[OutlookItem]:
    outlooks = Outlooks(house.clock, GRACE, house.zones)
    begin = TEN + start * MINUTE
    found = await outlooks.preview(house.shop.client.id, zone, begin, TEN + timedelta(hours=hours))
    return list(found.items)


def same(item: OutlookItem) -> dict[str, Any]:
    names = {"at", "playlist_id", "name", "does", "announcement_id", "result", "why", "reason"}
    return item.model_dump(include=names)


async def test_a_day_comes_to_be_as_it_was_foretold_item_by_item(house: House) -> None:
    shop, bar = house.shop.shop.id, house.shop.bar.id
    await Zone.filter(id=shop).update(quiet_from=time(13), quiet_until=time(13, 30))
    made = await house.playlist(
        zones=[str(shop), str(bar)],
        default_announcement_interval_min=25,
        shuffle_announcements=True,
        quiet_from="22:00",
        quiet_until="07:00",
    )
    await house.put(made, "music", house.song("One"))
    await house.put(made, "announcement", *[house.spot(f"Spot {n}") for n in range(4)])
    await house.put(made, "announcement", house.spot("Noon"), fixed_times=["12:00", "18:30"])
    await house.put(made, "announcement", house.spot("Often"), interval_min=90)
    await house.play(made)
    await house.zones.stop(house.shop.owner, bar)
    foretold = [await preview(house, zone, 24) for zone in (shop, bar)]
    whys = {(item.why, item.reason) for item in foretold[0]}
    assert whys == {
        (None, None),
        ("quiet", "the playlist has quiet hours until 07:00"),
        ("quiet", "the zone has quiet hours until 13:30"),
    }
    silent = {item.reason for item in foretold[1] if item.why == "silent"}
    assert silent == {"the zone's music is stopped"}
    async with house.running():
        end = TEN + timedelta(hours=24)
        while house.clock.now() < end:
            await house.clock.go_on_to(min(end, house.clock.now() + 5 * MINUTE), 5 * MINUTE)
            house.fake.end_calls()
    happened = [await preview(house, zone, 24) for zone in (shop, bar)]
    for told, came in zip(foretold, happened, strict=True):
        assert all(item.over for item in came)
        assert [same(item) for item in came] == [same(item) for item in told]
    played = [item for item in foretold[0] if item.result == "plays"]
    assert len(house.announced()) == len(played) > 40


async def _music(house: House, at: str, **music: Any) -> None:
    """A schedule that changes the music of the shop once, on the day."""
    await Schedule.create(
        client=house.shop.client,
        name=f"{music['do']} at {at}",
        kind="datetime",
        config={"kind": "datetime", "at": [f"2026-05-01T{at}:00"], "music": music},
        zones=[str(house.shop.shop.id)],
        settled_until=TEN,
        in_force_since=TEN,
    )


async def test_a_daypart_that_starts_the_playlist_again_goes_on_with_its_spots(
    house: House,
) -> None:
    """Stopped, started again, taken over by other music, and resumed: by schedules, all of it."""
    zone = house.shop.shop.id
    made = await house.playlist(default_music_interval_min=15)
    await house.put(made, "music", *[house.song(title) for title in "ABC"])
    await house.play(made)
    await _music(house, "11:05", do="stop")
    await _music(house, "11:35", do="play", playlist_id=made)
    await _music(house, "12:05", do="play", folder_ids=[str(UUID(int=1))])
    await _music(house, "12:35", do="play", playlist_id=made)
    await _music(house, "13:05", do="stop")
    await _music(house, "13:35", do="resume")
    spots = [item for item in await preview(house, zone, 4) if item.playlist_id is not None]
    times = [f"{item.at:%H:%M}" for item in spots]
    assert times == [
        *("10:15", "10:30", "10:45", "11:00"),
        *("11:45", "12:00"),
        *("12:45", "13:00"),
        *("13:45", "14:00"),
    ]
    assert {item.result for item in spots} == {Result.PLAYS}


async def test_what_is_counted_in_tracks_is_said_to_be_unknown_not_left_out(house: House) -> None:
    zone = house.shop.shop.id
    made = await house.playlist(default_announcement_every_tracks=3)
    await house.put(made, "music", *[house.song(title) for title in "ABC"])
    await house.put(made, "announcement", house.spot("Offer"))
    assert await preview(house, zone, 4) == []  # no music, no tracks
    await _music(house, "11:05", do="play", playlist_id=made)
    [start, later] = await preview(house, zone, 4)
    assert (later.at, later.result, later.rule) == (start.at, "unknown", "every 3 tracks")
    await house.play(made)
    [counted] = [item for item in await preview(house, zone, 4) if item.result == "unknown"]
    assert (counted.at, counted.does) == (TEN, "announcement")
    assert "counted in tracks" in (counted.reason or "")
    outlooks = Outlooks(house.clock, GRACE, house.zones)
    explained = (await outlooks.explain(house.shop.client.id, zone, TEN + MINUTE)).schedules
    [one] = [one for one in explained if one.playlist_id is not None]
    assert one.verdict == "not_now"
    assert "counted in tracks" in one.reason
    assert [item.result for item in (await outlooks.next(house.shop.client.id, zone, 5)).items] == [
        "plays"
    ]


async def test_explain_and_next_tell_of_playlists_too(house: House) -> None:
    shop = house.shop.shop.id
    made = await house.playlist(default_announcement_interval_min=20, style="between")
    other = await house.playlist(name="Floor", zones=[], floors=[str(house.shop.shop_floor.id)])
    await house.put(made, "music", house.song("One"))
    await house.put(made, "announcement", house.spot("Offer"))
    await house.play(made)
    outlooks = Outlooks(house.clock, GRACE, house.zones)
    client = house.shop.client.id
    at = TEN.replace(minute=20, second=0)
    explained = (await outlooks.explain(client, shop, at)).schedules
    verdicts = {str(one.playlist_id): (one.verdict, one.reason) for one in explained}
    assert verdicts[made] == ("plays", "every 20 min, between tracks: due at 10:20:00")
    assert verdicts[other][0] == "not_here"
    assert "counts for more" in verdicts[other][1]
    [not_now, _] = (await outlooks.explain(client, shop, at + MINUTE)).schedules
    assert (not_now.verdict, not_now.next_at) == ("not_now", at + 20 * MINUTE)
    coming = (await outlooks.next(client, shop, 3)).items
    assert [item.at for item in coming] == [at, at + 20 * MINUTE, at + 40 * MINUTE]


async def test_what_a_crash_leaves_undone_is_missed_and_never_done_twice(house: House) -> None:
    shop = house.shop.shop.id
    made = await house.playlist(default_announcement_interval_min=10)
    await house.put(made, "music", house.song("One"))
    spot = house.spot("Offer")
    await house.put(made, "announcement", spot)
    await house.play(made)
    # A server took 10:10 and died before it could make the call.
    at = TEN.replace(minute=10, second=0)
    await ChannelPlaylist.filter(id=made).update(settled_until=at, turn=1)
    await ChannelRecord.create(
        client_id=house.shop.client.id,
        playlist_id=UUID(made),
        instant=at,
        outcome=Outcome.FIRING,
        announcement_id=spot,
        rule="every 10 min",
        zones=[str(shop)],
    )
    await house.clock_to(at + MINUTE / 2)
    async with house.running():
        await house.clock.run_to(TEN + 20 * MINUTE)
    records = await ChannelRecord.filter(playlist_id=made).order_by("instant")
    assert [record.instant for record in records] == [at, at + 10 * MINUTE]
    assert [record.outcome for record in records] == [Outcome.MISSED, Outcome.FIRED]
    assert "stopped before" in (records[0].reason or "")
    assert len(house.announced()) == 1


async def test_zones_share_the_programme_over_a_restart(house: House) -> None:
    shop, bar = house.shop.shop.id, house.shop.bar.id
    made = await house.playlist(zones=[str(shop), str(bar)])
    await house.put(made, "music", *[house.song(title) for title in "AB"])
    await house.play(made)
    await house.next_track(shop)
    async with house.restarted():
        await eventually(lambda: len(set(house.fake.attached.values())) == 1 and paths(house, bar))
        views = await house.zones.views(house.shop.owner)
        there = {view.zone_id: view for view in views if view.zone_id in (shop, bar)}
        assert there[shop].shared_with == (bar,)
        assert {view.playback for view in there.values()} == {Playback.PLAYING}
