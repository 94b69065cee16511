"""Spoken texts are kept: one synthesis per text and voice, shared, bounded, and whole."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from uuid import uuid4

import pytest
from tests.plugins.announcements.conftest import Shop

from antiphon.errors import Invalid, NotFound
from antiphon.plugins import Media, MediaRef
from antiphon_announcements.settings import AnnouncementsSettings


async def _say(shop: Shop, text: str, voice: str | None = None) -> Media:
    ref = MediaRef(kind="text", value=text, voice=voice)
    return await shop.context.media.resolve(shop.client.id, ref)


async def test_the_same_text_and_voice_is_one_synthesis(shop: Shop) -> None:
    first = await _say(shop, "Lunch is ready.")
    assert await _say(shop, "  Lunch is\nready. ", "tone:low") == first.model_copy(
        update={"ref": MediaRef(kind="text", value="  Lunch is\nready. ", voice="tone:low")}
    )
    await shop.owner("POST", "announcements", {"title": "Lunch", "text": "Lunch is ready."})
    assert shop.voice.spoken == ["Lunch is ready."]


async def test_another_voice_another_version_and_another_client_are_other_clips(
    shop: Shop,
) -> None:
    await _say(shop, "Lunch")
    await _say(shop, "Lunch", "tone:high")
    shop.voice.replace_voices("2")
    await _say(shop, "Lunch")
    await shop.context.media.resolve(uuid4(), MediaRef(kind="text", value="Lunch"))
    assert len(shop.voice.spoken) == 4


async def test_requests_at_the_same_time_share_one_synthesis(shop: Shop) -> None:
    shop.voice.gate.clear()
    asking = [asyncio.create_task(_say(shop, "Fire drill at noon")) for _ in range(5)]
    await asyncio.wait_for(shop.voice.asked.wait(), 10)
    asking[0].cancel()  # one that gives up takes nothing from the others
    shop.voice.gate.set()
    found = await asyncio.gather(*asking[1:])
    assert len({media.path for media in found}) == 1
    assert shop.voice.spoken == ["Fire drill at noon"]


async def test_a_failure_is_not_kept(shop: Shop) -> None:
    shop.voice.trouble = Invalid.field("text", "no")
    with pytest.raises(Invalid):
        await _say(shop, "Hello")
    shop.voice.trouble = None
    assert (await _say(shop, "Hello")).duration_s > 0


async def test_a_clip_without_its_measures_is_made_anew(shop: Shop) -> None:
    media = await _say(shop, "Hello")
    media.path.with_suffix(".json").write_text("{", encoding="utf-8")
    assert (await _say(shop, "Hello")).loudness_lufs == media.loudness_lufs
    assert len(shop.voice.spoken) == 2


class TestBound:
    @pytest.fixture
    def settings(self) -> AnnouncementsSettings:
        return AnnouncementsSettings(spoken_cache_mb=1)

    async def test_the_clips_unused_for_longest_go_first(self, shop: Shop) -> None:
        texts = [f"{letter} " + "la" * 150 for letter in "abc"]  # 0.66 MB each
        oldest, used, _ = [await _say(shop, text) for text in texts]
        _age(oldest.path, hours=3)
        _age(used.path, hours=4)
        await _say(shop, texts[1])
        await _say(shop, "something new")
        assert not oldest.path.exists()
        assert used.path.exists()


def _age(path: Path, hours: int) -> None:
    then = time.time() - hours * 3600
    os.utime(path, (then, then))


def _size_and_inode(path: Path) -> tuple[int, int]:
    return path.stat().st_size, path.stat().st_ino


@pytest.mark.parametrize("name", ["default", "two_tone", "three_tone"])
async def test_a_chime_sounds_and_is_made_once(shop: Shop, name: str) -> None:
    ref = MediaRef(kind="chime", value=name)
    chime = await shop.context.media.resolve(shop.client.id, ref)
    made = _size_and_inode(chime.path)
    assert 1.5 < chime.duration_s < 4
    assert chime.loudness_lufs is not None
    assert -30 < chime.loudness_lufs < -8
    assert await shop.context.media.resolve(uuid4(), ref) == chime
    assert _size_and_inode(chime.path) == made


async def test_an_unknown_chime_does_not_exist(shop: Shop) -> None:
    with pytest.raises(NotFound):
        await shop.context.media.resolve(shop.client.id, MediaRef(kind="chime", value="../x"))


class TestNoChime:
    @pytest.fixture
    def settings(self) -> AnnouncementsSettings:
        return AnnouncementsSettings(chime="none")

    async def test_no_chime_where_the_settings_want_none(self, shop: Shop) -> None:
        with pytest.raises(NotFound):
            await shop.context.media.resolve(
                shop.client.id, MediaRef(kind="chime", value="default")
            )
