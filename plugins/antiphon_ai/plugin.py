"""The plugin `ai`: speech engines and the list of voices."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import cast

from pydantic import BaseModel

from antiphon.plugins import (
    PluginContext,
    Route,
    SpeechEngine,
    hookimpl,
)
from antiphon_ai.engine import PiperEngine
from antiphon_ai.routes import voice_routes
from antiphon_ai.settings import AiSettings
from antiphon_ai.voices import VoiceLibrary


@hookimpl
def antiphon_settings() -> type[BaseModel]:
    """See the hook."""
    return AiSettings


@hookimpl
def antiphon_speech_engines(context: PluginContext) -> Sequence[SpeechEngine]:
    """Piper."""
    return [_piper(context)]


@hookimpl
def antiphon_routes(context: PluginContext) -> Sequence[Route]:
    """The list of voices."""
    return voice_routes(context.speech)


@hookimpl
def antiphon_services(context: PluginContext) -> Sequence[AbstractAsyncContextManager[None]]:
    """The warm-up, if it is wanted."""
    return [_warm_up(_piper(context))] if _settings(context).warm_up else []


@asynccontextmanager
async def _warm_up(engine: PiperEngine) -> AsyncIterator[None]:
    await engine.warm_up()
    yield


def _piper(context: PluginContext) -> PiperEngine:
    settings = _settings(context)
    folder = settings.voices_dir or context.data_dir / "voices"
    return PiperEngine(VoiceLibrary(folder), context.jobs, settings.threads)


def _settings(context: PluginContext) -> AiSettings:
    return cast(AiSettings, context.settings)
