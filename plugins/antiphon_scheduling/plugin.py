"""The plugin `scheduling`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import cast

from pydantic import BaseModel

from antiphon.plugins import MediaSource, PluginContext, Route, hookimpl
from antiphon_scheduling.clock import SystemClock
from antiphon_scheduling.playlists.music import ChannelSource
from antiphon_scheduling.playlists.routes import playlist_routes
from antiphon_scheduling.playlists.runner import ChannelRunner
from antiphon_scheduling.routes import schedule_routes
from antiphon_scheduling.scheduler import Scheduler
from antiphon_scheduling.service import Schedules
from antiphon_scheduling.settings import SchedulingSettings


@hookimpl
def antiphon_settings() -> type[BaseModel]:
    """See the hook."""
    return SchedulingSettings


@hookimpl
def antiphon_models() -> Sequence[str]:
    """The tables of schedules and of channel playlists."""
    return ["antiphon_scheduling.models", "antiphon_scheduling.playlists.models"]


@hookimpl
def antiphon_media_sources(context: PluginContext) -> Sequence[MediaSource]:
    """The music of channel playlists."""
    return [ChannelSource(context.media, context.bus)]


@hookimpl
def antiphon_routes(context: PluginContext) -> Sequence[Route]:
    """The operations on schedules and on channel playlists."""
    clock = SystemClock()
    return [*schedule_routes(Schedules(context, clock)), *playlist_routes(context, clock)]


@hookimpl
def antiphon_services(context: PluginContext) -> Sequence[AbstractAsyncContextManager[None]]:
    """What makes the calls."""
    return [_scheduler(context), _channels(context)]


@asynccontextmanager
async def _scheduler(context: PluginContext) -> AsyncIterator[None]:
    settings = cast(SchedulingSettings, context.settings)
    grace = timedelta(seconds=settings.misfire_grace_s)
    async with Scheduler(context, SystemClock(), grace):
        yield


@asynccontextmanager
async def _channels(context: PluginContext) -> AsyncIterator[None]:
    settings = cast(SchedulingSettings, context.settings)
    grace = timedelta(seconds=settings.misfire_grace_s)
    async with ChannelRunner(context, SystemClock(), grace):
        yield
