"""`antiphon schedule render`: a period as a file, by the real mixing, as the preview says."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import Migrated
from tests.sounds import RATE, Sound, tone, tone_db, write_wav
from typer.testing import CliRunner, Result

from antiphon.building.models import Floor, Zone
from antiphon.engine.codec import Reader
from antiphon.errors import Invalid
from antiphon.playback.models import PlaybackState
from antiphon.plugins.manager import load_plugins
from antiphon.store import open_database
from antiphon.tenancy.models import Client
from antiphon_announcements.models import Announcement
from antiphon_music.models import Folder, MusicFile
from antiphon_scheduling.commands import commands
from antiphon_scheduling.models import Schedule
from antiphon_scheduling.playlists.models import (
    ChannelAssignment,
    ChannelPlaylist,
    ChannelPlaylistItem,
    ItemType,
    Style,
)

SONG_HZ, SPOT_HZ, OFFER_HZ = 300.0, 900.0, 1_500.0


class Shop:
    """What is written into the data directory of a server that does not run."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.begin = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=2)

    async def fill(self) -> None:
        async with open_database("", self.data_dir, load_plugins(()).tables()):
            self.client = await Client.create(name="Shop", timezone="UTC")
            floor = await Floor.create(client=self.client, name="Ground")
            self.zone = await Zone.create(client=self.client, floor=floor, name="Lobby")
            self.folder = await Folder.create(client=self.client, name="Music")
            for number in range(3):
                await self._song(number)
            self.spot = await self._announcement("Spot", SPOT_HZ, 2.0)
            self.offer = await self._announcement("Offer", OFFER_HZ, 1.0)
            await self._playlist()
            await self._schedule("Open", 5, {"music": {"do": "play", "folder_ids": self._folders}})
            await self._schedule("Spot", 30, {"announcements": [str(self.spot.id)]})
            await self._schedule("Late", 50, {"music": {"do": "stop"}})

    @property
    def _folders(self) -> list[str]:
        return [str(self.folder.id)]

    async def _song(self, number: int) -> None:
        name = f"song{number}.wav"
        write_wav(self._media(name), tone(12.0, SONG_HZ, -12.0))
        await MusicFile.create(
            client=self.client,
            folder=self.folder,
            file=name,
            filename=name,
            file_size=1,
            title=f"Song {number}",
            artist=f"Artist {number}",
            duration_s=12.0,
            content_hash=str(number),
        )

    async def _announcement(self, title: str, hertz: float, seconds: float) -> Announcement:
        name = f"{title}.wav"
        folder = self._media(str(self.client.id))
        folder.mkdir(exist_ok=True)
        write_wav(folder / name, tone(seconds, hertz, -12.0))
        return await Announcement.create(
            client=self.client,
            title=title,
            file=name,
            file_size=1,
            duration_s=seconds,
            content_hash=title,
        )

    def _media(self, name: str) -> Path:
        folder = self.data_dir / "media"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / name

    async def _playlist(self) -> None:
        base: dict[str, Any] = {"client": self.client, "settled_until": datetime.now(UTC)}
        playlist = await ChannelPlaylist.create(name="Day", style=Style.BETWEEN, **base)
        await ChannelAssignment.create(playlist=playlist, zone_id=self.zone.id)
        await ChannelPlaylistItem.create(
            playlist=playlist,
            item_type=ItemType.ANNOUNCEMENT,
            content_id=self.offer.id,
            order=0,
            every_tracks=2,
        )

    async def _schedule(self, name: str, second: int, does: dict[str, Any]) -> None:
        at = [(self.begin + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S")]
        await Schedule.create(
            client=self.client,
            name=name,
            kind="datetime",
            config={"kind": "datetime", "at": at, **does},
            settled_until=datetime.now(UTC),
        )

    def render(self, name: str, seconds: float = 60.0) -> Result:
        begin = self.begin.strftime("%Y-%m-%dT%H:%M:%S")
        words = ["render", "Lobby", "--from", begin, "--to", f"+{seconds / 60}"]
        return CliRunner().invoke(commands, [*words, "-o", str(self.data_dir / name)])

    def heard(self, name: str) -> Sound:
        with Reader(self.data_dir / name) as reader:
            return np.concatenate(list(reader.blocks()))


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, migrated: Migrated) -> Shop:
    migrated(tmp_path)
    monkeypatch.setenv("ANTIPHON_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    shop = Shop(tmp_path)
    asyncio.run(shop.fill())
    return shop


def test_a_minute_is_rendered_as_it_will_sound(shop: Shop) -> None:
    done = shop.render("out.flac")
    assert done.exit_code == 0, done.output
    heard = shop.heard("out.flac")
    assert len(heard) == 60 * RATE

    def level(at_s: float, hertz: float) -> float:
        return tone_db(heard[round(at_s * RATE) : round((at_s + 0.4) * RATE)], hertz)

    assert level(2.0, SONG_HZ) < -60, "nothing plays before the schedule starts the music"
    music_db = level(8.0, SONG_HZ)
    assert music_db > -40
    assert level(29.0, SPOT_HZ) < music_db - 30
    assert level(30.1, SPOT_HZ) > music_db - 10, "the first word is heard at its second"
    assert level(30.5, SONG_HZ) < music_db - 8, "over lowered music"
    # Two songs of 12 s from second 5 on, then the offer, whole, between two tracks.
    assert level(29.2, OFFER_HZ) > music_db - 10
    assert level(29.2, SONG_HZ) < music_db - 30
    assert level(52.0, SONG_HZ) < -60, "a schedule stops the music"
    lines = done.output.splitlines()
    assert "times of UTC" in done.output
    rows = [tuple(re.split(r"\s*│\s*", line)[1:5]) for line in lines if "│" in line]
    titles = [row[3] for row in rows]
    assert [title.split(" · ")[0] for title in titles[:2]] == ["Song 0", "Song 1"]
    assert titles.index("Offer") < titles.index("Spot")
    [spot] = [row for row in rows if row[3] == "Spot"]
    assert float(spot[0]) == pytest.approx(30.0, abs=0.05)
    assert spot[2] == "announcement"
    assert "× real time" in lines[-1]


async def _set(shop: Shop, *, enabled: bool = True, **state: Any) -> None:
    async with open_database("", shop.data_dir, load_plugins(()).tables()):
        await Zone.all().update(schedules_enabled=enabled)
        await PlaybackState.filter(zone_id=shop.zone.id).delete()
        await PlaybackState.create(zone_id=shop.zone.id, **state)


def test_it_is_as_loud_as_the_zone_is_set_and_schedules_that_are_off_are_off(shop: Shop) -> None:
    def level(name: str) -> float:
        done = shop.render(name, 12.0)
        assert done.exit_code == 0, done.output
        said.append(done.output)
        heard = shop.heard(name)
        return tone_db(heard[8 * RATE : 9 * RATE], SONG_HZ)

    said: list[str] = []
    asyncio.run(_set(shop, volume=100))
    full_db = level("full.flac")
    asyncio.run(_set(shop, volume=40))
    assert -60 < level("quiet.flac") < full_db - 6
    assert "At volume 40" in said[-1]
    asyncio.run(_set(shop, volume=100, muted=True))
    assert level("muted.flac") < -90
    assert "muted" in said[-1]
    asyncio.run(_set(shop, volume=100, enabled=False))
    assert level("off.flac") < -90
    assert "schedules are switched off in this zone" in said[-1]
    assert "Schedules are switched off in this zone" in said[-1]


@pytest.mark.parametrize("name", ["out.wav", "out.mp3", "out.ogg", "out.opus"])
def test_the_format_is_that_of_the_name(shop: Shop, name: str) -> None:
    done = shop.render(name, 12.0)
    assert done.exit_code == 0, done.output
    heard = shop.heard(name)
    assert len(heard) / RATE == pytest.approx(12.0, abs=0.1)
    assert tone_db(heard[8 * RATE : 9 * RATE], SONG_HZ) > -40


def test_what_makes_no_sense_is_refused_by_field(shop: Shop) -> None:
    bad = {
        "output": ["-o", "out.doc"],
        "to": ["--to", "+2000"],
        "from": ["--from", "2020-01-01T10:00"],
    }
    for field, words in bad.items():
        refused = CliRunner().invoke(commands, ["render", "Lobby", *words])
        assert isinstance(refused.exception, Invalid), (field, refused.output)
        assert refused.exception.errors[0].field == field
    refused = CliRunner().invoke(commands, ["render", "Lobby", "--from", "soon"])
    assert isinstance(refused.exception, Invalid)


def test_the_preview_names_what_the_file_holds(shop: Shop) -> None:
    day = shop.begin.strftime("%Y-%m-%d")
    printed = CliRunner().invoke(commands, ["preview", "Lobby", "--day", day])
    assert printed.exit_code == 0, printed.output
    assert "Spot" in printed.output
    assert "music starts" in printed.output
