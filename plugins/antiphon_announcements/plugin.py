"""The plugin `announcements`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import cast
from uuid import UUID

from pydantic import BaseModel

from antiphon.errors import AntiphonError
from antiphon.plugins import MediaRef, MediaSource, PluginContext, Route, hookimpl
from antiphon_announcements.clips import ClipStore
from antiphon_announcements.fetched import UrlSource
from antiphon_announcements.files import sweep
from antiphon_announcements.library import AnnouncementLibrary
from antiphon_announcements.routes import announcement_routes
from antiphon_announcements.settings import AnnouncementsSettings
from antiphon_announcements.sources import AnnouncementSource, ChimeSource, TextSource
from antiphon_announcements.template_routes import template_routes
from antiphon_announcements.templates import Templates

_MEGABYTE = 1_000_000
_LEFTOVERS = ("incoming/*", "spoken/*/*.part*", "fetched/*/*.part*", "*/*.part*")
_NOBODY = UUID(int=0)  # a chime is everybody's


@hookimpl
def antiphon_settings() -> type[BaseModel]:
    """See the hook."""
    return AnnouncementsSettings


@hookimpl
def antiphon_models() -> Sequence[str]:
    """The tables of announcements and templates."""
    return ["antiphon_announcements.models"]


@hookimpl
def antiphon_media_sources(context: PluginContext) -> Sequence[MediaSource]:
    """Stored announcements, texts, files behind a URL and chimes."""
    settings = _settings(context)
    clips = ClipStore(context.jobs)
    cache_bytes = settings.spoken_cache_mb * _MEGABYTE
    return [
        AnnouncementSource(context.media_dir),
        TextSource(context.speech, clips, context.data_dir / "spoken", cache_bytes),
        UrlSource(clips, context.data_dir / "fetched", settings.url_hosts, cache_bytes),
        ChimeSource(context.jobs, clips, context.data_dir / "chimes", settings.chime),
    ]


@hookimpl
def antiphon_routes(context: PluginContext) -> Sequence[Route]:
    """The operations on announcements and their templates."""
    library = AnnouncementLibrary(context)
    limit = _settings(context).max_upload_mb * _MEGABYTE
    return [
        *announcement_routes(context, library, limit),
        *template_routes(Templates(library, context.speech)),
    ]


@hookimpl
def antiphon_services(context: PluginContext) -> Sequence[AbstractAsyncContextManager[None]]:
    """Removes what earlier runs left behind, and makes the chime before the first call."""
    return [_prepared(context)]


@asynccontextmanager
async def _prepared(context: PluginContext) -> AsyncIterator[None]:
    await asyncio.to_thread(sweep, context.data_dir, *_LEFTOVERS)
    chime = asyncio.create_task(_make_chime(context), name="make the chime")
    try:
        yield
    finally:
        chime.cancel()
        await asyncio.gather(chime, return_exceptions=True)


async def _make_chime(context: PluginContext) -> None:
    if _settings(context).chime != "none":
        try:
            await context.media.resolve(_NOBODY, MediaRef(kind="chime", value="default"))
        except AntiphonError as error:
            context.log.warning("The chime could not be made: %s", error)


def _settings(context: PluginContext) -> AnnouncementsSettings:
    return cast(AnnouncementsSettings, context.settings)
