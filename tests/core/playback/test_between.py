"""Announcements that are items of a programme, rests, and edits that meet the next track."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from tests.core.playback.conftest import Stage
from tests.fakes.waiting import eventually

from antiphon.engine.protocol import TrackStarted as Began
from antiphon.errors import Conflict
from antiphon.events import CallChanged, TrackStarted
from antiphon.playback import ZoneController
from antiphon.playback.models import PlayEvent
from antiphon.plugins import (
    REST,
    CallRequest,
    CallView,
    Media,
    MediaRef,
    MediaSource,
    PlayRequest,
)
from antiphon.types import CallState, Playback


def announcement(stage: Stage, title: str, *, chime: bool = False) -> UUID:
    key = uuid4()
    ref = MediaRef(kind="announcement", value=str(key))
    clip = Path(f"/music/{title}.flac")
    stage.media.speech.stored[key] = Media(
        ref=ref, path=clip, title=title, duration_s=2.0, chime=chime
    )
    return key


async def play(stage: Stage, zones: ZoneController, *titles: UUID) -> None:
    request = PlayRequest(music_ids=list(titles) or stage.songs(3), zones=[stage.bar])
    await zones.play(stage.hotel.owner, stage.shop, request)
    await stage.hears(stage.shop, "Song 1")


async def say(stage: Stage, zones: ZoneController, key: UUID, *where: UUID) -> CallView:
    places = list(where) or [stage.shop, stage.bar]
    return await zones.call_between(
        stage.hotel.owner, CallRequest(announcement_id=key, zones=places)
    )


async def handed(stage: Stage, *titles: str) -> None:
    """The renderer has these in hand, in this order."""

    def paths() -> list[str]:
        tracks = stage.renderer.programmes[stage.programme(stage.shop)].tracks
        return [Path(track.path).stem for track in tracks][: len(titles)]

    await eventually(lambda: paths() == list(titles))


def end_track(stage: Stage) -> None:
    stage.renderer.end_track(stage.programme(stage.shop))


def states(stage: Stage, zone: UUID) -> list[CallState]:
    return [event.state for event in stage.told(CallChanged) if event.zone_id == zone]


def tracks(stage: Stage) -> list[str]:
    return [event.title for event in stage.told(TrackStarted) if event.zone_id == stage.shop]


async def test_it_is_heard_between_two_tracks_whole_and_in_all_zones_with_receipts(
    stage: Stage, zones: ZoneController
) -> None:
    await play(stage, zones)
    await handed(stage, "Song 1", "Song 2")
    call = await say(stage, zones, announcement(stage, "Offer", chime=True))
    await handed(stage, "Song 1", "chime", "Offer", "Song 2")
    programme = stage.renderer.programmes[stage.programme(stage.shop)]
    assert [track.blends for track in programme.tracks[:4]] == [True, False, False, True]
    end_track(stage)
    await stage.hears(stage.shop, "/chime.wav")
    view = await zones.view(stage.hotel.owner, stage.bar)
    assert view.announcement is not None
    assert (view.announcement.title, view.track) == ("Offer", None)
    end_track(stage)
    await stage.hears(stage.shop, "Offer")
    end_track(stage)
    await stage.hears(stage.shop, "Song 2")
    await eventually(lambda: len(tracks(stage)) > 1)
    assert tracks(stage) == ["Song 1", "Song 2"], "it is no track"
    expected = [CallState.QUEUED, CallState.PLAYING, CallState.COMPLETED]
    assert states(stage, stage.shop) == states(stage, stage.bar) == expected
    seen = await zones.get_call(stage.hotel.owner, call.id)
    assert {part.state for part in seen.zones} == {CallState.COMPLETED}
    await zones._receipts.settled()
    rows = await PlayEvent.filter(call_id=call.id, device_id=None)
    assert {row.zone_id for row in rows} == {stage.shop, stage.bar}
    assert {(row.status, row.outcome) for row in rows} == {("completed", "completed")}
    assert all(row.seconds_heard == 200.0 for row in rows), "what the renderer told of both items"


async def test_zones_that_are_not_those_of_one_programme_and_silent_ones_are_refused(
    stage: Stage, zones: ZoneController
) -> None:
    key = announcement(stage, "Offer")
    with pytest.raises(Conflict, match="No music plays"):
        await say(stage, zones, key, stage.shop)
    await play(stage, zones)
    with pytest.raises(Conflict, match="one programme"):
        await say(stage, zones, key, stage.shop)
    assert not stage.told(CallChanged)


async def test_a_skip_a_stop_and_a_revocation_are_told(stage: Stage, zones: ZoneController) -> None:
    owner = stage.hotel.owner
    await play(stage, zones)
    await say(stage, zones, announcement(stage, "First"))
    end_track(stage)
    await stage.hears(stage.shop, "First")
    await zones.next(owner, stage.shop)
    await stage.hears(stage.shop, "Song 2")
    await eventually(lambda: states(stage, stage.shop)[-1] is CallState.CUT)
    second = await say(stage, zones, announcement(stage, "Second"))
    await handed(stage, "Song 2", "Second", "Song 3")
    await zones.revoke(owner, second.id)
    await handed(stage, "Song 2", "Song 3")
    assert states(stage, stage.shop)[-1] is CallState.REVOKED
    third = await say(stage, zones, announcement(stage, "Third"))
    await zones.next(owner, stage.shop)
    await stage.hears(stage.shop, "Third")
    await eventually(lambda: states(stage, stage.shop)[-1] is CallState.PLAYING)
    await zones.revoke(owner, third.id)
    await stage.hears(stage.shop, "Song 3")
    await say(stage, zones, announcement(stage, "Fourth"))
    for zone in (stage.shop, stage.bar):
        await zones.stop(owner, zone)
    assert states(stage, stage.bar)[-1] is CallState.FAILED
    assert (await zones.view(owner, stage.shop)).playback is Playback.STOPPED


async def test_what_comes_too_late_for_this_end_is_heard_at_the_next(
    stage: Stage, zones: ZoneController
) -> None:
    await play(stage, zones)
    await handed(stage, "Song 1", "Song 2", "Song 3")
    name = stage.programme(stage.shop)
    before = list(stage.renderer.programmes[name].tracks)
    await say(stage, zones, announcement(stage, "Offer"))
    # The renderer had begun with the next track before it was told of the announcement.
    stage.renderer.programmes[name].tracks = before
    end_track(stage)
    await handed(stage, "Song 2", "Offer", "Song 3")
    assert tracks(stage) == ["Song 1", "Song 2"]


async def test_a_restart_in_the_middle_of_it_goes_on_behind_it(
    stage: Stage, zones: ZoneController
) -> None:
    await play(stage, zones)
    call = await say(stage, zones, announcement(stage, "Offer"))
    end_track(stage)
    await stage.hears(stage.shop, "Offer")
    await eventually(lambda: states(stage, stage.shop)[-1] is CallState.PLAYING)
    await stage.restart()
    await stage.hears(stage.shop, "Song 2")
    for row in await PlayEvent.filter(call_id=call.id):
        assert (row.status, row.error_message) == ("failed", "the server was restarted")


class Resting(MediaSource):
    """A song and a rest, again and again; `gate` holds the answer, `called` counts the rounds."""

    def __init__(self, stage: Stage, *, rests: bool = True) -> None:
        self.stage, self.rests, self.called = stage, rests, 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.played: list[list[str]] = []

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset({"channel"})

    endless_kinds = kinds

    async def resolve(self, client_id: UUID, ref: MediaRef) -> Media:
        raise AssertionError("it is no track")

    async def expand(self, client_id: UUID, ref: MediaRef) -> Sequence[MediaRef]:
        return await self.follow(client_id, ref, ())

    async def follow(
        self, client_id: UUID, ref: MediaRef, played: Sequence[MediaRef]
    ) -> Sequence[MediaRef]:
        self.called += 1
        await self.gate.wait()
        music = self.stage.media.music
        titles = [music.tracks[UUID(one.value)][1].title for one in played if one != REST]
        self.played.append(titles)
        found: list[MediaRef] = []
        for place in range(3):
            key = music.add(client_id, f"{self.called}.{place}")
            found += [MediaRef(kind="music", value=str(key)), *([REST] if self.rests else [])]
        return found


async def rests(zones: ZoneController, zone: UUID) -> None:
    def is_so() -> bool:
        channel = zones._channels.find(zone)
        return channel is not None and channel.programme.is_resting

    await eventually(is_so)


async def test_music_rests_until_it_is_told_to_go_on_also_over_a_restart(
    stage: Stage, zones: ZoneController
) -> None:
    owner, zone = stage.hotel.owner, stage.shop
    stage.media.add(Resting(stage))
    await zones.play(owner, zone, PlayRequest(playlist_id=uuid4()))
    await stage.hears(zone, "1.0")
    await zones.go_on(owner, zone)
    end_track(stage)
    await rests(zones, zone)
    view = await zones.view(owner, zone)
    assert (view.playback, view.track) == (Playback.PLAYING, None)
    assert tracks(stage) == ["1.0"]
    call = await say(stage, zones, announcement(stage, "Offer"), zone)
    await stage.hears(zone, "Offer")
    end_track(stage)
    await rests(zones, zone)
    await eventually(lambda: states(stage, zone)[-1] is CallState.COMPLETED)
    assert (await zones.get_call(owner, call.id)).zones[0].state is CallState.COMPLETED
    await zones.go_on(owner, zone)
    await stage.hears(zone, "1.1")
    end_track(stage)
    await rests(zones, zone)
    zones = await stage.restart()
    assert (await zones.view(owner, zone)).playback is Playback.PLAYING
    await rests(zones, zone)
    assert tracks(stage) == [], "the rest goes on"
    await zones.go_on(owner, zone)
    await stage.hears(zone, "1.2")
    await zones.next(owner, zone)
    await eventually(lambda: tracks(stage)[-1].endswith(".0"))


async def test_the_next_track_begins_while_it_is_replaced_and_stands_in_the_queue(
    stage: Stage, zones: ZoneController
) -> None:
    """The renderer took a track that an edit has just put aside: it is heard, seen, and passed."""
    owner, zone = stage.hotel.owner, stage.shop
    source = Resting(stage, rests=False)
    stage.media.add(source)
    await zones.play(owner, zone, PlayRequest(playlist_id=uuid4()))
    await handed(stage, "1.0", "1.1", "1.2")
    name = stage.programme(zone)
    held = list(stage.renderer.programmes[name].tracks)
    drawn = source.called
    await zones.redraw(owner, zone)
    await handed(stage, "1.0", f"{drawn + 1}.0")
    behind = list(stage.renderer.programmes[name].tracks[1:])
    stage.renderer.programmes[name].tracks = behind
    stage.renderer.emit(Began(name, held[1].entry, 0.0, 100.0))
    await eventually(lambda: tracks(stage) == ["1.0", "1.1"])
    view = await zones.view(owner, zone)
    assert view.track is not None
    assert view.track.title == "1.1"
    stage.renderer.emit(Began(name, behind[0].entry, 0.0, 100.0))
    await eventually(lambda: tracks(stage)[2:] == [f"{drawn + 1}.0"])
    await zones.previous(owner, zone)
    await stage.hears(zone, "1.1")


async def test_what_is_drawn_knows_the_track_that_began_meanwhile(
    stage: Stage, zones: ZoneController
) -> None:
    source = Resting(stage, rests=False)
    stage.media.add(source)
    await zones.play(stage.hotel.owner, stage.shop, PlayRequest(playlist_id=uuid4()))
    await handed(stage, "1.0", "1.1", "1.2")
    source.gate.clear()
    drawn = source.called
    await zones.redraw(stage.hotel.owner, stage.shop)
    await eventually(lambda: source.called > drawn)
    end_track(stage)
    await eventually(lambda: tracks(stage) == ["1.0", "1.1"])
    source.gate.set()
    await handed(stage, "1.1", f"{drawn + 2}.0")
    assert source.played[drawn + 1] == ["1.0", "1.1"]
