"""Channel playlists and the real renderer: one decode for all zones, and every N tracks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.conftest import Migrated
from tests.fakes.waiting import eventually
from tests.plugins.scheduling.playlists.conftest import House, open_house
from tests.sounds import tone, write_wav

from antiphon.engine.host import RendererHost
from antiphon.events import CallChanged, EventBus, TrackFinished
from antiphon.types import CallState
from antiphon_scheduling.playlists.events import ChannelAnnounced


@pytest.fixture
async def house(tmp_path: Path, migrated: Migrated) -> AsyncIterator[House]:
    migrated(tmp_path / "data")
    bus = EventBus()
    async with RendererHost(bus) as renderer, open_house(tmp_path, bus, renderer) as house:
        yield house


def songs(house: House, folder: Path, count: int, seconds: float) -> list[str]:
    """Some music on disk, by its titles."""
    for number in range(count):
        path = write_wav(folder / f"song{number}.wav", tone(seconds, 300 + 40 * number))
        house.song(f"Song {number}", path=path, duration_s=seconds)
    return [f"Song {number}" for number in range(count)]


def open_music(renderer: RendererHost) -> list[str]:
    """The sound files that the renderer's process has open."""
    folder = Path(f"/proc/{renderer.pid}/fd")
    links = []
    for entry in folder.iterdir():
        try:
            links.append(str(entry.readlink()))
        except OSError:  # closed meanwhile
            continue
    return [link for link in links if link.endswith(".wav")]


async def test_zones_that_share_a_playlist_decode_it_once(house: House, tmp_path: Path) -> None:
    shop, bar = house.shop.shop.id, house.shop.bar.id
    made = await house.playlist(zones=[str(shop), str(bar)])
    songs(house, tmp_path, 2, 20.0)
    await house.put(made, "music", *house.media.music.tracks)
    views = await house.play(made)
    assert {view.zone_id: view.shared_with for view in views} == {shop: (bar,), bar: (shop,)}
    await eventually(lambda: house.started(shop) and house.started(bar))
    assert house.started(shop) == house.started(bar)
    assert isinstance(house.renderer, RendererHost)
    opened = open_music(house.renderer)
    assert len(opened) == len(set(opened)) > 0, "one decoder for both zones"


async def test_every_second_track_is_spoken_over_and_the_music_never_stops(
    house: House, tmp_path: Path
) -> None:
    shop, bar = house.shop.shop.id, house.shop.bar.id
    made = await house.playlist(
        zones=[str(shop), str(bar)], default_announcement_every_tracks=2, title_gap_min=0
    )
    titles = songs(house, tmp_path, 3, 0.7)
    await house.put(made, "music", *house.media.music.tracks)
    clip = write_wav(tmp_path / "offer.wav", tone(0.3, 900))
    await house.put(made, "announcement", house.spot("Offer", clip, 0.3))
    async with house.running():
        await house.play(made)
        await eventually(lambda: len(house.started(shop)) >= 8, 20.0)
    heard = house.started(shop)
    assert [sorted(heard[n : n + 3]) for n in (0, 3)] == [titles, titles]
    assert house.started(bar)[:8] == heard[:8]
    calls = house.told(ChannelAnnounced)
    assert 3 <= len(calls) <= 4, "at the second, fourth, sixth and eighth track"
    assert all(set(call.zones) == {shop, bar} for call in calls)
    ends = [event for event in house.told(CallChanged) if event.state is CallState.COMPLETED]
    assert len({end.call_id for end in ends}) >= 3
    played = [end.played_s for end in house.told(TrackFinished) if end.zone_id == shop]
    assert all(seconds == pytest.approx(0.7, abs=0.05) for seconds in played)
