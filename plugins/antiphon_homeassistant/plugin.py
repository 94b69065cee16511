"""The plugin `homeassistant`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from pydantic import BaseModel

from antiphon.plugins import PluginContext, Route, hookimpl
from antiphon_homeassistant.bridge import Bridge
from antiphon_homeassistant.routes import package_routes
from antiphon_homeassistant.settings import HomeAssistantSettings


@hookimpl
def antiphon_settings() -> type[BaseModel]:
    """The section `[homeassistant]`."""
    return HomeAssistantSettings


@hookimpl
def antiphon_routes(context: PluginContext) -> Sequence[Route]:
    """The package of media players."""
    return package_routes(context)


@hookimpl
def antiphon_services(context: PluginContext) -> Sequence[AbstractAsyncContextManager[None]]:
    """The bridge; it sleeps where there is no MQTT."""
    return [_bridge(context)]


@asynccontextmanager
async def _bridge(context: PluginContext) -> AsyncIterator[None]:
    settings = context.settings
    if not isinstance(settings, HomeAssistantSettings):
        settings = HomeAssistantSettings()

    async def work() -> None:
        mqtt = await context.mqtt.accept()
        names = context.data_dir / "names.json"
        await Bridge(
            mqtt, settings, context.log, public_url=context.public_url, names_file=names
        ).run()

    async with asyncio.TaskGroup() as group:
        working = group.create_task(work(), name="home assistant")
        yield
        working.cancel()
