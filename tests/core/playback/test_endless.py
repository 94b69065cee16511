"""Queues that a source goes on with for ever, and sources that fail to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError
from tests.core.playback.conftest import Stage
from tests.fakes.waiting import eventually

from antiphon.errors import NotFound
from antiphon.events import TrackStarted
from antiphon.playback import ZoneController
from antiphon.playback.filling import WINDOW
from antiphon.plugins import Media, MediaRef, MediaSource, PlayRequest
from antiphon.types import Playback, Repeat


class Channel(MediaSource):
    """Three songs in each round; `played` is what it was told of each time."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.rounds = 0
        self.played: list[list[str]] = []
        self.trouble: Exception | None = None
        self.hangs = False
        self.gate = asyncio.Event()
        self.gate.set()

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset({"channel"})

    @property
    def endless_kinds(self) -> frozenset[str]:
        return frozenset({"channel"})

    async def resolve(self, client_id: UUID, ref: MediaRef) -> Media:
        raise NotFound("single track", ref.value)

    async def expand(self, client_id: UUID, ref: MediaRef) -> Sequence[MediaRef]:
        return await self.follow(client_id, ref, ())

    async def follow(
        self, client_id: UUID, ref: MediaRef, played: Sequence[MediaRef]
    ) -> Sequence[MediaRef]:
        if self.hangs:
            await asyncio.Event().wait()
        if self.trouble is not None:
            raise self.trouble
        music = self.stage.media.music
        self.rounds += 1
        await self.gate.wait()
        self.played.append([music.tracks[UUID(one.value)][1].title for one in played])
        titles = [f"{self.rounds}.{place}" for place in range(3)]
        keys = [music.add(client_id, title) for title in titles]
        return [MediaRef(kind="music", value=str(key)) for key in keys]


@pytest.fixture
def channel(stage: Stage) -> Channel:
    channel = Channel(stage)
    stage.media.add(channel)
    return channel


async def play(stage: Stage, zones: ZoneController, repeat: Repeat = Repeat.ALL) -> None:
    request = PlayRequest(playlist_id=uuid4(), shuffle=True, repeat=repeat, zones=[stage.bar])
    view = await zones.play(stage.hotel.owner, stage.shop, request)
    assert view.source == MediaRef(kind="channel", value=str(request.playlist_id))
    await stage.hears(stage.shop, "1.0")


def heard(stage: Stage) -> list[str]:
    return [event.title for event in stage.told(TrackStarted) if event.zone_id == stage.shop]


async def has_heard(stage: Stage, tracks: int) -> None:
    await eventually(lambda: len(heard(stage)) >= tracks)


async def on(stage: Stage, tracks: int) -> None:
    name = stage.programme(stage.shop)
    for _ in range(tracks):
        expected = len(heard(stage)) + 1
        await eventually(lambda: len(stage.renderer.programmes[name].tracks) > 1)
        stage.renderer.end_track(name)
        await has_heard(stage, expected)


async def test_each_round_follows_the_one_before_and_knows_it(
    stage: Stage, zones: ZoneController, channel: Channel
) -> None:
    await play(stage, zones, Repeat.NONE)
    await on(stage, 8)
    rounds = [f"{n}.{place}" for n in (1, 2, 3) for place in range(3)]
    assert heard(stage) == rounds
    assert channel.played[:3] == [[], rounds[:3], rounds[:6]]
    assert stage.programme(stage.bar) == stage.programme(stage.shop)
    await zones.previous(stage.hotel.owner, stage.shop)
    await stage.hears(stage.shop, "3.1")


@pytest.mark.parametrize("trouble", [NotFound("playlist", 1), RuntimeError("broken"), None])
async def test_a_source_that_fails_or_hangs_does_not_stop_the_music(
    stage: Stage,
    zones: ZoneController,
    channel: Channel,
    trouble: Exception | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("antiphon.playback.window.RESOLVE_LIMIT_S", 0.05)
    channel.trouble, channel.hangs = None, False
    request = PlayRequest(playlist_id=uuid4())
    await zones.play(stage.hotel.owner, stage.shop, request)
    channel.trouble, channel.hangs = trouble, trouble is None
    await on(stage, 20)
    assert set(heard(stage)[6:]) <= set(heard(stage)[:6]), "what there is comes again"
    channel.trouble, channel.hangs = None, False
    rounds = channel.rounds
    await on(stage, 12)
    assert f"{rounds + 1}.0" in heard(stage), "and once it answers, there is something new"


async def test_redrawing_changes_what_follows_and_not_what_plays(
    stage: Stage, zones: ZoneController, channel: Channel
) -> None:
    await play(stage, zones)
    await on(stage, 1)
    programme = stage.renderer.programmes[stage.programme(stage.shop)]
    await eventually(lambda: len(programme.tracks) == WINDOW)
    drawn = channel.rounds
    await zones.redraw(stage.hotel.owner, stage.bar)
    await eventually(lambda: channel.rounds > drawn)
    assert channel.played[drawn] == ["1.0", "1.1"]
    await on(stage, 2)
    assert heard(stage) == ["1.0", "1.1", f"{drawn + 1}.0", f"{drawn + 1}.1"]
    await zones.stop(stage.hotel.owner, stage.bar)
    await zones.redraw(stage.hotel.owner, stage.bar)
    view = await zones.view(stage.hotel.owner, stage.bar)
    assert view.playback is Playback.STOPPED
    drawn = channel.rounds
    await zones.resume(stage.hotel.owner, stage.bar)
    await eventually(lambda: channel.rounds > drawn)


async def test_a_track_that_begins_while_others_are_drawn_is_played_and_then_they_follow(
    stage: Stage, zones: ZoneController, channel: Channel
) -> None:
    await play(stage, zones)
    await on(stage, 1)
    name = stage.programme(stage.shop)
    await eventually(lambda: len(stage.renderer.programmes[name].tracks) == WINDOW)
    drawn = channel.rounds
    channel.gate.clear()
    await zones.redraw(stage.hotel.owner, stage.shop)
    await eventually(lambda: channel.rounds > drawn)
    stage.renderer.end_track(name)
    channel.gate.set()
    await has_heard(stage, 3)
    await on(stage, 2)
    assert heard(stage)[:3] == ["1.0", "1.1", "1.2"]
    # What was drawn for the track before is not used: it knew nothing of this one.
    assert heard(stage)[3:] == [f"{drawn + 2}.{place}" for place in range(len(heard(stage)) - 3)]


async def test_redrawing_any_other_queue_does_nothing(
    stage: Stage, zones: ZoneController, channel: Channel
) -> None:
    await zones.play(stage.hotel.owner, stage.shop, PlayRequest(music_ids=stage.songs(3)))
    await zones.redraw(stage.hotel.owner, stage.shop)
    await stage.hears(stage.shop, "Song 1")
    await on(stage, 3)
    assert heard(stage) == ["Song 1", "Song 2", "Song 3", "Song 1"]
    assert channel.rounds == 0


def test_a_playlist_and_a_folder_at_once_are_refused() -> None:
    with pytest.raises(ValidationError, match="give one of"):
        PlayRequest(playlist_id=uuid4(), folder_ids=[uuid4()])
