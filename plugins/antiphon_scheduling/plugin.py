"""The plugin `scheduling`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import cast

import typer
from pydantic import BaseModel

from antiphon.plugins import MediaSource, PluginContext, Route, hookimpl
from antiphon_scheduling.calendar_routes import calendar_routes
from antiphon_scheduling.calendar_service import Calendars
from antiphon_scheduling.clock import SystemClock
from antiphon_scheduling.commands import commands
from antiphon_scheduling.opening import OpeningHours
from antiphon_scheduling.opening_routes import opening_routes
from antiphon_scheduling.outlook import Outlooks
from antiphon_scheduling.outlook_routes import outlook_routes
from antiphon_scheduling.playlists.music import ChannelSource
from antiphon_scheduling.playlists.routes import playlist_routes
from antiphon_scheduling.playlists.runner import ChannelRunner
from antiphon_scheduling.refreshing import CalendarRefresher
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
    """Schedules, their calendars and records, and channel playlists."""
    return ["antiphon_scheduling.models", "antiphon_scheduling.playlists.models"]


@hookimpl
def antiphon_media_sources(context: PluginContext) -> Sequence[MediaSource]:
    """The music of channel playlists."""
    return [ChannelSource(context.media, context.bus)]


@hookimpl
def antiphon_commands() -> typer.Typer:
    """`antiphon schedule …`."""
    return commands


@hookimpl
def antiphon_routes(context: PluginContext) -> Sequence[Route]:
    """The operations on schedules, calendars and channel playlists, and those that look ahead."""
    clock = SystemClock()
    schedules = Schedules(context, clock)
    outlooks = Outlooks(clock, _grace(context), context.zones)
    return [
        *schedule_routes(schedules, outlook_routes(schedules, outlooks)),
        *calendar_routes(Calendars(context, clock)),
        *opening_routes(OpeningHours(context, clock, schedules)),
        *playlist_routes(context, clock),
    ]


@hookimpl
def antiphon_services(context: PluginContext) -> Sequence[AbstractAsyncContextManager[None]]:
    """What does by the clock what schedules and channel playlists say."""
    return [_scheduler(context), _channels(context), _calendars(context)]


@asynccontextmanager
async def _scheduler(context: PluginContext) -> AsyncIterator[None]:
    settings = cast(SchedulingSettings, context.settings)
    keep = timedelta(days=settings.keep_records_days)
    async with Scheduler(context, SystemClock(), _grace(context), keep):
        yield


@asynccontextmanager
async def _channels(context: PluginContext) -> AsyncIterator[None]:
    settings = cast(SchedulingSettings, context.settings)
    keep = timedelta(days=settings.keep_records_days)
    async with ChannelRunner(context, SystemClock(), _grace(context), keep):
        yield


@asynccontextmanager
async def _calendars(context: PluginContext) -> AsyncIterator[None]:
    settings = cast(SchedulingSettings, context.settings)
    clock = SystemClock()
    every = timedelta(hours=settings.calendar_refresh_hours)
    async with CalendarRefresher(context, clock, Calendars(context, clock), every):
        yield


def _grace(context: PluginContext) -> timedelta:
    settings = cast(SchedulingSettings, context.settings)
    return timedelta(seconds=settings.misfire_grace_s)
