"""Pictures of zones and people: whatever is sent, what is kept is small, clean and a picture."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image
from tests.core.api.conftest import Answer, Caller, Stage, open_stage
from tests.fakes.database import fresh_database
from tests.fakes.picture import jpeg, png, png_bomb

from antiphon.building.models import Zone
from antiphon.events import EventBus
from antiphon.jobs import JobRunner

ORIENTATION, GPS = 0x0112, 0x8825


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with (
        fresh_database(),
        JobRunner(EventBus()) as jobs,
        open_stage(media_dir=tmp_path / "media", jobs=jobs) as opened,
    ):
        yield opened


async def _put(
    caller: Caller, path: str, content: bytes, name: str = "x.png", **more: Any
) -> Answer:
    form = aiohttp.FormData(more)
    form.add_field("file", io.BytesIO(content), filename=name)
    return await caller.ask("PUT", path, data=form)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "media").rglob("*") if path.is_file())


async def test_a_picture_is_made_anew_and_can_be_kept(stage: Stage, tmp_path: Path) -> None:
    path = f"zones/{stage.ours.shop.id}/image"
    assert (await stage.owner.get(path)).status == 404
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # the camera was held upright
    exif.get_ifd(GPS)[1] = "N"
    sent = jpeg(3000, 1500, exif=exif) + b"<?php hidden behind ?>"
    kept = await _put(stage.owner, path, sent, "../../shop.php")
    assert (kept.status, kept.json["has_image"]) == (200, True)
    seen = await stage.cellar_user.get(f"zones/{stage.ours.bar.id}/image")
    assert seen.status == 404
    seen = await stage.owner.get(path)
    assert seen.headers["Content-Type"] == "image/jpeg"
    assert seen.headers["Cache-Control"].startswith("private")
    picture = Image.open(io.BytesIO(seen.body))
    assert picture.size == (600, 1200)
    assert not picture.getexif()
    assert b"php" not in seen.body
    again = await stage.owner.ask("GET", path, headers={"If-None-Match": seen.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    [file] = _files(tmp_path)
    assert file.parent.name == str(stage.ours.client.id)
    # A new one takes the place of the old one, another file of it.
    await _put(stage.owner, path, png(20, 10))
    [other] = _files(tmp_path)
    assert other != file
    seen = await stage.owner.get(path)
    assert Image.open(io.BytesIO(seen.body)).mode == "RGBA"
    assert (await stage.owner.delete(path)).status == 204
    assert _files(tmp_path) == []
    assert (await stage.owner.get(path)).status == 404


async def test_what_is_no_picture_or_too_large_changes_nothing(
    stage: Stage, tmp_path: Path
) -> None:
    path = f"zones/{stage.ours.shop.id}/image"
    await _put(stage.owner, path, png())
    before, zone = _files(tmp_path), await Zone.get(id=stage.ours.shop.id)
    for content, status, says in (
        (b"", 415, "it is empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", 415, "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", 415, "not a picture"),
        (png()[:40], 415, "can not be used"),
        (png(claimed=(60_000, 60_000)), 415, "pixels"),
        (png_bomb(), 415, "pixels"),
        (png_bomb(7_000), 415, "7000 × 7000 pixels"),
        (bytes(20_000_001), 413, "larger than the limit"),
    ):
        refused = await _put(stage.owner, path, content)
        assert refused.status == status, refused.json
        assert says in refused.json["detail"], refused.json
    assert len(png_bomb()) < 200_000
    for form in ({"title": "x"}, {"file": "text"}):
        assert (await stage.owner.ask("PUT", path, data=aiohttp.FormData(form))).status in (
            415,
            422,
        )
    refused = await _put(stage.owner, path, png(), colour="red")
    assert (refused.status, refused.json["errors"][0]["field"]) == (422, "colour")
    assert (await stage.owner.ask("PUT", path, json={})).status == 415
    assert _files(tmp_path) == before
    assert (await Zone.get(id=zone.id)).image == zone.image


async def test_faces_are_ones_own_and_seen_by_those_who_look_after_one(
    stage: Stage, tmp_path: Path
) -> None:
    kept = await _put(stage.cellar_user, "auth/me/avatar", jpeg(40, 40))
    assert (kept.status, kept.json["has_avatar"]) == (200, True)
    path = f"users/{kept.json['id']}/avatar"
    assert (await stage.cellar_user.get("auth/me/avatar")).status == 200
    for caller, status in (
        (stage.owner, 200), (stage.admin, 200), (stage.stranger, 404), (stage.cellar_user, 403),
        (stage.nobody, 401),
    ):  # fmt: skip
        assert (await caller.get(path)).status == status
    assert (await _put(stage.stranger, path, png())).status == 404
    assert (await _put(stage.owner, path, png())).status == 200
    assert (await _put(stage.admin, "auth/me/avatar", png())).status == 200
    assert [file.parent.name for file in _files(tmp_path)].count("server") == 1
    assert (await stage.cellar_user.delete("auth/me/avatar")).status == 204
    assert (await stage.owner.get("auth/me")).json["has_avatar"] is False


async def test_a_zone_of_others_has_no_picture(stage: Stage) -> None:
    path = f"zones/{stage.theirs.shop.id}/image"
    await _put(stage.stranger, path, png())
    assert (await stage.owner.get(path)).status == 404
    assert (await _put(stage.owner, path, png())).status == 404
    assert (await stage.owner.delete(path)).status == 404
    assert (await _put(stage.cellar_user, path, png())).status == 403
    shown = await stage.nobody.ask("GET", f"{path}?token={stage.stranger.token}")
    assert shown.status == 200  # for <img>, which sends no header
