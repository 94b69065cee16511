"""What was deleted long ago goes for good: rows of every table, and their files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.fakes.database import fresh_database, make_tenant

from antiphon.building.models import Device, Floor, Zone
from antiphon.playback.models import PlaybackState
from antiphon.store.purge import purge
from antiphon.tenancy.models import Client, User
from antiphon.types import Role

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OLD, YOUNG = NOW - timedelta(days=40), NOW - timedelta(days=20)
BEFORE = NOW - timedelta(days=30)


def _file(folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


async def test_only_what_was_deleted_long_ago_goes_with_its_files(tmp_path: Path) -> None:
    async with fresh_database():
        ours, theirs = await make_tenant("ours"), await make_tenant("theirs")
        files = {}
        for zone, at in ((ours.shop, OLD), (ours.bar, YOUNG), (theirs.shop, None)):
            zone.image, zone.deleted_at = f"{zone.client_id}/{zone.id}.jpg", at
            files[zone.id] = _file(tmp_path, zone.image)
            await zone.save()
        await PlaybackState.create(zone=ours.shop)
        user = await User.create(
            email="x", role=Role.CLIENT, client=ours.client, password_hash="-", avatar="a/face.jpg",
            deleted_at=OLD,
        )  # fmt: skip
        face = _file(tmp_path, "a/face.jpg")
        assert await purge(tmp_path, BEFORE) == 2
        assert [files[zone.id].exists() for zone in (ours.shop, ours.bar, theirs.shop)] == [
            False, True, True,
        ]  # fmt: skip
        assert not face.exists()
        assert not await User.exists(id=user.id)
        assert {zone.id for zone in await Zone.all()} == {
            ours.bar.id,
            theirs.shop.id,
            theirs.bar.id,
        }
        assert await PlaybackState.all().count() == 0
        # A loudspeaker outlives its zone.
        assert (await Device.get(id=ours.speaker.id)).zone_id is None


async def test_a_client_goes_with_all_that_is_its_own(tmp_path: Path) -> None:
    async with fresh_database():
        ours, theirs = await make_tenant("ours"), await make_tenant("theirs")
        ours.client.deleted_at = OLD
        await ours.client.save()
        mine = _file(tmp_path, f"{ours.client.id}/song.mp3")
        other = _file(tmp_path, f"{theirs.client.id}/song.mp3")
        assert await purge(tmp_path, BEFORE) == 1
        assert (mine.parent.exists(), other.exists()) == (False, True)
        assert [client.id for client in await Client.all()] == [theirs.client.id]
        assert {floor.client_id for floor in await Floor.all()} == {theirs.client.id}


async def test_files_that_are_gone_and_things_one_upon_the_other(tmp_path: Path) -> None:
    async with fresh_database():
        ours = await make_tenant("ours")
        for row in (ours.shop, ours.bar, ours.shop_floor, ours.cellar):
            row.deleted_at = OLD
            await row.save()
        ours.shop.image = "nowhere/x.jpg"
        await ours.shop.save()
        assert await purge(tmp_path, BEFORE) == 4
        assert await purge(tmp_path, BEFORE) == 0
        assert await Floor.all().count() == 0
