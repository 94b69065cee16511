"""Deleted announcements, and what a client may store of music and announcements together."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any

from aiohttp import FormData
from tests.fakes.plugin_api import Answer
from tests.fakes.speech import write_tone
from tests.plugins.announcements.conftest import Shop

from antiphon.tenancy.models import Client
from antiphon_announcements.models import Announcement
from antiphon_music.models import Folder, FolderType, MusicFile


async def _speak(shop: Shop, **more: Any) -> Answer:
    return await shop.owner("POST", "announcements", {"title": "A", "text": "Hello there", **more})


async def test_an_announcement_comes_back(shop: Shop) -> None:
    folder = await Folder.create(client=shop.client, name="Calls", type=FolderType.ANNOUNCEMENTS)
    made = (await _speak(shop, folder_id=str(folder.id))).json
    path = f"announcements/{made['id']}"
    await shop.owner("DELETE", path)
    [gone] = (await shop.owner("GET", "announcements?deleted=true")).json["items"]
    assert gone["id"] == made["id"]
    assert (await shop.owner("GET", "announcements")).json["total"] == 0
    await Folder.filter(id=folder.id).update(deleted_at=gone["deleted_at"])
    back = await shop.owner("POST", f"{path}/restore")
    assert (back.status, back.json["folder_id"], back.json["deleted_at"]) == (200, None, None)
    assert (await shop.owner("GET", f"{path}/audio")).status == 200
    assert (await shop.owner("POST", f"{path}/restore")).status == 404


async def test_lists_are_sorted(shop: Shop) -> None:
    for title in ("B", "C", "A"):
        await _speak(shop, title=title)
    for order, titles in (("title", "ABC"), ("-title", "CBA"), ("created_at", "BCA")):
        page = (await shop.owner("GET", f"announcements?ordering={order}")).json
        assert "".join(item["title"] for item in page["items"]) == titles
    assert (await shop.owner("GET", "announcements?ordering=file")).status == 422


async def _upload(shop: Shop, content: bytes) -> Answer:
    form = FormData()
    form.add_field("file", io.BytesIO(content), filename="x.wav")
    return await shop.owner("POST", "announcements", data=form)


async def test_music_and_announcements_share_the_storage(shop: Shop, tmp_path: Path) -> None:
    write_tone(tmp_path / "tone.wav", 1.0)
    content = (tmp_path / "tone.wav").read_bytes()
    await MusicFile.create(
        client=shop.client, file="x", filename="x", file_size=1_000_000, title="x", duration_s=1,
        content_hash="x",
    )  # fmt: skip
    limit = (1_000_000 + 2.5 * len(content)) / 1e9
    await Client.filter(id=shop.client.id).update(max_storage_gb=limit)
    # Many at once do not slip past the limit.
    answers = await asyncio.gather(*(_upload(shop, content) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [201, 201, 409, 409, 409]
    refused = next(answer for answer in answers if answer.status == 409)
    assert refused.json["code"] == "storage_full"
    assert len([path for path in shop.context.media_dir.rglob("*.*") if path.is_file()]) == 2
    assert (await _speak(shop, text="A longer text that needs its room " * 20)).status == 409
    assert await Announcement.all().count() == 2
    made = await Announcement.all().first()
    assert made is not None
    longer = {"text": "x"}
    assert (await shop.owner("PATCH", f"announcements/{made.id}", longer)).status == 422
    await MusicFile.all().delete()
    assert (await _upload(shop, content)).status == 201
