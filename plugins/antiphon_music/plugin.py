"""What the music library gives to the server."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import cast

import typer
from pydantic import BaseModel

from antiphon.plugins import MediaSource, Pictures, PluginContext, Route, hookimpl
from antiphon_music.art import ArtKeys
from antiphon_music.art_route import art_route
from antiphon_music.commands import commands
from antiphon_music.folder_routes import folder_routes
from antiphon_music.folders import Folders
from antiphon_music.library import Library
from antiphon_music.measuring import Measurer, keep_measured
from antiphon_music.routes import music_routes
from antiphon_music.settings import MusicSettings
from antiphon_music.source import MusicSource


@hookimpl
def antiphon_settings() -> type[BaseModel]:
    """The section `[music]`."""
    return MusicSettings


@hookimpl
def antiphon_models() -> Sequence[str]:
    """Folders and files."""
    return ["antiphon_music.models"]


@hookimpl
def antiphon_commands() -> typer.Typer:
    """`antiphon music …`."""
    return commands


@hookimpl
def antiphon_media_sources(context: PluginContext) -> Sequence[MediaSource]:
    """Tracks, folders, the whole library."""
    return [MusicSource(context.media_dir, _art(context))]


@hookimpl
def antiphon_routes(context: PluginContext) -> Sequence[Route]:
    """`folders/` and `music/`."""
    library = _library(context)
    folders = Folders(library.changing, context.bus)
    pictures = Pictures(context.media_dir, context.jobs)
    routes = [*folder_routes(folders, pictures), *music_routes(library, folders, pictures)]
    return [*routes, art_route(library, _art(context))]


@hookimpl
def antiphon_services(context: PluginContext) -> Sequence[AbstractAsyncContextManager[None]]:
    """What measures loudness."""
    library = _library(context)
    measurer = Measurer(library, context.jobs, context.bus, context.log)
    return [keep_measured(library, measurer, context.bus, context.log)]


def _art(context: PluginContext) -> ArtKeys:
    return ArtKeys.of_file(context.data_dir / "art.key")


def _library(context: PluginContext) -> Library:
    settings = cast(MusicSettings, context.settings or MusicSettings())
    return Library(context.media_dir, context.jobs, settings, context.bus)
