"""Announcements behind a URL: fetched from the hosts that the settings name, and from no other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from tests.plugins.announcements.conftest import Shop
from tests.plugins.music.sounds import sound

from antiphon.errors import Invalid, Unavailable
from antiphon.plugins import MediaRef
from antiphon_announcements.settings import AnnouncementsSettings


@pytest.fixture
def settings() -> AnnouncementsSettings:
    return AnnouncementsSettings(spoken_cache_mb=1, url_hosts=["127.0.0.1"])


@asynccontextmanager
async def _serving(body: bytes) -> AsyncIterator[tuple[str, list[str]]]:
    """A server of files: its address, and the paths that it was asked for."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        if request.path == "/moved.wav":
            raise web.HTTPFound("http://127.0.0.1:9/elsewhere.wav")
        if request.path != "/tts.wav":
            raise web.HTTPNotFound
        return web.Response(body=body)

    app = web.Application()
    app.router.add_get("/{name}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        (port,) = (address[1] for address in runner.addresses)
        yield f"http://127.0.0.1:{port}", asked
    finally:
        await runner.cleanup()


def _ref(url: str) -> MediaRef:
    return MediaRef(kind="url", value=url)


async def test_a_file_is_fetched_measured_and_fetched_once_for_many_zones(
    shop: Shop, tmp_path: Path
) -> None:
    file = sound(tmp_path / "tts.wav", seconds=1.0)
    async with _serving(file.read_bytes()) as (url, asked):
        media = await shop.context.media.resolve(shop.client.id, _ref(f"{url}/tts.wav"))
        again = await shop.context.media.resolve(shop.client.id, _ref(f"{url}/tts.wav"))
    assert (media.title, round(media.duration_s, 1)) == ("tts.wav", 1.0)
    assert media.path.is_file()
    assert len(asked) == len({media.path, again.path}), "twice where a minute ended in between"


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1/a.wav",
        "http://localhost/a.wav",
        "file:///etc/passwd",
        "ftp://127.0.0.1/a.wav",
        "http:///a.wav",
        "http://127.0.0.1@192.0.2.1/a.wav",
        "http://127.0.0.1:x/a.wav",
        "nonsense",
    ],
)
async def test_nothing_is_fetched_from_elsewhere(shop: Shop, url: str) -> None:
    with pytest.raises(Invalid, match="url"):
        await shop.context.media.resolve(shop.client.id, _ref(url))


async def test_what_is_missing_moved_or_no_sound_is_told(shop: Shop) -> None:
    async with _serving(b"no sound at all") as (url, asked):
        for name in ("gone.wav", "moved.wav", "tts.wav"):
            with pytest.raises(Unavailable):
                await shop.context.media.resolve(shop.client.id, _ref(f"{url}/{name}"))
    assert asked == ["/gone.wav", "/moved.wav", "/tts.wav"], "redirects are not followed"
    with pytest.raises(Unavailable):
        await shop.context.media.resolve(shop.client.id, _ref(f"{url}/tts.wav"))


async def test_what_is_too_large_is_refused(shop: Shop) -> None:
    async with _serving(b"x" * 1_100_000) as (url, _):
        with pytest.raises(Invalid, match="more than 1,000,000 bytes"):
            await shop.context.media.resolve(shop.client.id, _ref(f"{url}/tts.wav"))
