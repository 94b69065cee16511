"""The plugin `ai`: speech engines, and the AI services that the server may use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import cast

from pydantic import BaseModel

from antiphon.errors import AntiphonError
from antiphon.plugins import PluginContext, Route, SpeechEngine, hookimpl
from antiphon_ai.engine import PiperEngine
from antiphon_ai.providers import Providers
from antiphon_ai.routes import provider_routes
from antiphon_ai.settings import AiSettings
from antiphon_ai.voices import VoiceLibrary

_USED_EVERY_S = 120.0


@hookimpl
def antiphon_settings() -> type[BaseModel]:
    """See the hook."""
    return AiSettings


@hookimpl
def antiphon_models() -> Sequence[str]:
    """The table of AI services."""
    return ["antiphon_ai.models"]


@hookimpl
def antiphon_routes(context: PluginContext) -> Sequence[Route]:
    """The operations on AI services."""
    return provider_routes(Providers(context.secrets))


@hookimpl
def antiphon_speech_engines(context: PluginContext) -> Sequence[SpeechEngine]:
    """Piper."""
    return [_piper(context)]


@hookimpl
def antiphon_services(context: PluginContext) -> Sequence[AbstractAsyncContextManager[None]]:
    """What keeps the first voice loaded, if that is wanted."""
    return [_warm(context)] if _settings(context).warm_up else []


@asynccontextmanager
async def _warm(context: PluginContext) -> AsyncIterator[None]:
    engine = _piper(context)
    await engine.warm_up()
    keeping = asyncio.create_task(_keep_warm(context, engine), name="keep the voice loaded")
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


async def _keep_warm(context: PluginContext, engine: PiperEngine) -> None:
    """Use the worker now and then: one that idles is ended, and its voice with it."""
    while True:
        await asyncio.sleep(_USED_EVERY_S)
        try:
            await engine.load()
        except AntiphonError as error:
            context.log.warning("The voice is not loaded: %s", error)


def _piper(context: PluginContext) -> PiperEngine:
    settings = _settings(context)
    folder = settings.voices_dir or context.data_dir / "voices"
    return PiperEngine(VoiceLibrary(folder), context.jobs, settings.threads)


def _settings(context: PluginContext) -> AiSettings:
    return cast(AiSettings, context.settings)
