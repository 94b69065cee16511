"""What zones hear of their playlists: music for ever, announcements by the clock and by tracks."""

from __future__ import annotations

from datetime import timedelta

from tests.fakes.waiting import eventually
from tests.plugins.scheduling.playlists.conftest import TEN, House

from antiphon.engine.protocol import StartCall
from antiphon.errors import NotFound
from antiphon.plugins import MediaRef
from antiphon.types import Playback, Via
from antiphon_scheduling.playlists.events import ChannelAnnounced, ChannelRoundDrawn
from antiphon_scheduling.playlists.models import ChannelPlaylist

MINUTE = timedelta(minutes=1)


async def test_music_goes_on_for_ever_each_round_in_another_order(house: House) -> None:
    zone = house.shop.shop.id
    made = await house.playlist(title_gap_min=5)
    titles = [f"Song {n}" for n in range(12)]
    await house.put(made, "music", *[house.song(title) for title in titles])
    async with house.running():
        [view] = await house.play(made)
        assert view.source is not None
        assert (view.source.kind, view.source.value) == ("channel", made)
        await eventually(lambda: house.started(zone))
        for _ in range(12 * 4 - 1):
            await house.next_track(zone)
    heard = house.started(zone)
    rounds = [tuple(heard[start : start + 12]) for start in range(0, 48, 12)]
    assert all(sorted(one) == sorted(titles) for one in rounds)
    assert len(set(rounds)) == 4
    assert all(heard[n] not in heard[max(0, n - 2) : n] for n in range(len(heard)))
    assert {drawn.titles_too_soon for drawn in house.told(ChannelRoundDrawn)} == {0}
    assert (await house.zones.view(house.shop.owner, zone)).queue_length <= 212


async def test_zones_and_floors_on_one_playlist_share_a_programme(house: House) -> None:
    made = await house.playlist(floors=[str(house.shop.cellar.id)], crossfade_s=2.0)
    await house.put(made, "music", house.song("One"))
    views = await house.play(made)
    assert {view.zone_id for view in views} == {house.shop.shop.id, house.shop.bar.id}
    assert len(set(house.fake.attached.values())) == 1
    assert (await house.channel(house.shop.bar.id))["plays"] is True
    stopped = await house.owner("POST", f"channel-playlists/{made}/stop")
    assert {zone["playback"] for zone in stopped.json["zones"]} == {"stopped"}


async def test_a_restart_goes_on_with_the_channel(house: House) -> None:
    zone = house.shop.shop.id
    made = await house.playlist()
    await house.put(made, "music", *[house.song(title) for title in "AB"])
    await house.play(made)
    for _ in range(7):
        await house.next_track(zone)
    title = house.started(zone)[-1]
    async with house.restarted():
        await eventually(lambda: len(house.started(zone)) == 9)
        assert house.started(zone)[-1] == title, "the track that played goes on"
        source = (await house.zones.view(house.shop.owner, zone)).source
        assert source == MediaRef(kind="channel", value=made)
        rounds = len(house.told(ChannelRoundDrawn))
        for _ in range(4):
            await house.next_track(zone)
        await eventually(lambda: len(house.told(ChannelRoundDrawn)) > rounds)


async def test_a_playlist_without_music_is_refused_where_it_is_played(house: House) -> None:
    made = await house.playlist()
    refused = await house.owner("POST", f"channel-playlists/{made}/play")
    assert (refused.status, refused.wrong_fields) == (422, ["playlist_id"])
    assert "has no music" in refused.json["detail"]
    await house.put(made, "announcement", house.spot("Offer"))
    assert (await house.owner("POST", f"channel-playlists/{made}/play")).status == 422
    await house.owner("POST", f"channel-playlists/{made}/toggle")
    assert (await house.owner("POST", f"channel-playlists/{made}/play")).status == 409
    nowhere = await house.playlist(name="Nowhere", zones=[])
    await house.put(nowhere, "music", house.song("One"))
    assert (await house.owner("POST", f"channel-playlists/{nowhere}/play")).status == 409


async def test_what_is_taken_out_is_not_heard_again_and_off_is_silent(house: House) -> None:
    zone = house.shop.shop.id
    made = await house.playlist(shuffle_music=False)
    items = await house.put(made, "music", *[house.song(title) for title in "ABCD"])
    async with house.running():
        await house.play(made)
        await eventually(lambda: house.started(zone) == ["A"])
        await house.next_track(zone)
        rounds = len(house.told(ChannelRoundDrawn))
        await house.owner("DELETE", f"channel-playlists/{made}/items/{items[2]}")
        await house.clock.rest()
        await eventually(lambda: len(house.told(ChannelRoundDrawn)) > rounds)
        programme = house.fake.programmes[house.fake.attached[str(zone)] or ""]
        await eventually(lambda: not any("/C." in track.path for track in programme.tracks))
        for _ in range(5):
            await house.next_track(zone)
        assert "C" not in house.started(zone)
        await house.owner("POST", f"channel-playlists/{made}/toggle")
        await house.clock.rest()
        view = await house.zones.view(house.shop.owner, zone)
        assert view.playback is Playback.STOPPED
        assert "switched off" in house.silences()[-1]


async def test_intervals_and_fixed_times_are_heard_once_as_scheduled_calls(house: House) -> None:
    made = await house.playlist(default_announcement_interval_min=20)
    await house.put(made, "music", house.song("One"))
    await house.put(made, "announcement", house.spot("First"), house.spot("Second"))
    await house.put(made, "announcement", house.spot("Noon"), fixed_times=["11:20"])
    await house.play(made)
    async with house.running():
        await house.clock.run_to(TEN + 61 * MINUTE)
        assert house.announced() == ["First", "Second", "First"]
    async with house.running():
        house.fake.end_calls()
        await house.clock.run_to(TEN + 81 * MINUTE)
    assert sorted(house.announced()[3:]) == ["Noon", "Second"]
    record = house.zones._calls.get(house.told(ChannelAnnounced)[0].call_id)
    assert record.principal.via is Via.SCHEDULE
    assert record.band == "spot"
    assert house.silences() == []


async def test_each_is_heard_once_before_any_again_when_shuffled(house: House) -> None:
    made = await house.playlist(
        default_announcement_interval_min=1, shuffle_announcements=True, band="announcement"
    )
    await house.put(made, "music", house.song("One"))
    titles = [f"Spot {n}" for n in range(5)]
    await house.put(made, "announcement", *[house.spot(title) for title in titles])
    await house.play(made)
    async with house.running():
        for step in range(1, 16):
            await house.clock.advance_to(TEN + step * MINUTE)
            house.fake.end_calls()
    heard = house.announced()
    assert [sorted(heard[n : n + 5]) for n in (0, 5, 10)] == [titles] * 3
    assert len({tuple(heard[n : n + 5]) for n in (0, 5, 10)}) > 1


async def test_quiet_hours_stopped_zones_and_a_sleeping_machine_are_silent_and_say_so(
    house: House,
) -> None:
    made = await house.playlist(
        default_announcement_interval_min=10, quiet_from="10:15", quiet_until="10:35"
    )
    await house.put(made, "music", house.song("One"))
    await house.put(made, "announcement", house.spot("Offer"))
    zone = house.shop.shop.id
    async with house.running():
        await house.clock.run_to(TEN + 10 * MINUTE)
        assert house.silences() == ["the zone's music is stopped"]
        await house.play(made)
        await house.clock.run_to(TEN + 18 * MINUTE)
        seen = await house.channel(zone)
        assert seen["quiet"] is True
        [coming] = seen["upcoming"]
        assert (coming["at"], coming["held_back"]) == ("2026-05-01T10:20:00Z", "quiet hours")
        await house.clock.run_to(TEN + 31 * MINUTE)
        assert house.silences()[1:] == ["the playlist has quiet hours until 10:35"] * 2
        await house.clock.advance_to(TEN + 46 * MINUTE)
        assert house.silences()[3:] == ["2026-05-01 10:40 UTC was over before the server could act"]
        assert house.announced() == []
        await house.clock.run_to(TEN + 50 * MINUTE)
        assert house.announced() == ["Offer"]


async def test_a_deleted_announcement_gives_its_turn_to_the_next(house: House) -> None:
    made = await house.playlist(default_announcement_interval_min=10)
    await house.put(made, "music", house.song("One"))
    gone = house.spot("Gone")
    await house.put(made, "announcement", gone, house.spot("There"))
    await house.play(made)
    async with house.running():
        del house.media.speech.stored[gone]
        await house.clock.run_to(TEN + 10 * MINUTE)
    assert house.announced() == ["There"]
    [silence] = house.silences()
    assert str(NotFound("announcement", gone)) in silence


async def test_every_so_many_tracks_once_for_zones_that_share(house: House) -> None:
    shop, bar = house.shop.shop.id, house.shop.bar.id
    made = await house.playlist(
        zones=[str(shop), str(bar)], default_announcement_every_tracks=3, shuffle_music=False
    )
    await house.put(made, "music", *[house.song(title) for title in "AB"])
    await house.put(made, "announcement", house.spot("First"), house.spot("Second"))
    await house.put(made, "announcement", house.spot("Fourth"), every_tracks=4)
    async with house.running():
        await house.play(made)
        await eventually(lambda: house.started(shop))
        await house.clock.rest()
        assert house.announced() == []
        after = []
        for _ in range(5):
            await house.next_track(shop)
            after.append(house.announced()[:])
            house.fake.end_calls()
        assert [one[-1:] for one in after] == [[], ["First"], ["Fourth"], ["Fourth"], ["Second"]]
    assert all(set(event.zones) == {shop, bar} for event in house.told(ChannelAnnounced))
    starts = house.fake.sent(StartCall)
    assert [len(start.zones) for start in starts] == [2, 2, 2], "one call, on one sample"


async def test_an_instant_is_nobodys_twice(house: House) -> None:
    made = await house.playlist(default_announcement_interval_min=10)
    await house.put(made, "music", house.song("One"))
    await house.put(made, "announcement", house.spot("Offer"))
    await house.play(made)
    async with house.running(), house.running():
        await house.clock.run_to(TEN + 30 * MINUTE)
    assert len(house.announced()) == 3
    assert (await ChannelPlaylist.get(id=made)).turn == 3
