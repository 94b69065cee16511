"""Every hook there is. Each is called once, at start, in the order of the functions here."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

import pluggy
import typer
from pydantic import BaseModel

from antiphon.plugins.context import PluginContext
from antiphon.plugins.devices import DeviceDriver
from antiphon.plugins.media import MediaSource
from antiphon.plugins.routes import Route
from antiphon.plugins.speech import SpeechEngine

hookspec = pluggy.HookspecMarker("antiphon")
hookimpl = pluggy.HookimplMarker("antiphon")


@hookspec
def antiphon_settings() -> type[BaseModel]:  # type: ignore[empty-body]
    """The model of the settings' section with the plugin's name; asked for before all else."""


@hookspec
def antiphon_models() -> Sequence[str]:  # type: ignore[empty-body]
    """Modules with the plugin's tables; their migrations lie in `<package>.migrations`."""


@hookspec
def antiphon_commands() -> typer.Typer:  # type: ignore[empty-body]
    """Commands under `antiphon <plugin name> …`; asked for by the command line alone."""


@hookspec
def antiphon_media_sources(context: PluginContext) -> Sequence[MediaSource]:  # type: ignore[empty-body]
    """What resolves the plugin's kinds of media."""


@hookspec
def antiphon_speech_engines(context: PluginContext) -> Sequence[SpeechEngine]:  # type: ignore[empty-body]
    """What speaks text."""


@hookspec
def antiphon_device_drivers(context: PluginContext) -> Sequence[DeviceDriver]:  # type: ignore[empty-body]
    """What carries volume and name to loudspeakers of a kind."""


@hookspec
def antiphon_routes(context: PluginContext) -> Sequence[Route]:  # type: ignore[empty-body]
    """Operations of the API."""


@hookspec
def antiphon_services(  # type: ignore[empty-body]
    context: PluginContext,
) -> Sequence[AbstractAsyncContextManager[None]]:
    """What runs as long as the server does; entered in order, left in reverse."""
