"""The server itself: voices, jobs, plugins and health."""

from __future__ import annotations

from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field

from antiphon import __version__
from antiphon.api.health import Health, check_health
from antiphon.api.parts import ApiParts, PluginView
from antiphon.jobs.runner import JobState, JobView
from antiphon.plugins.lists import ListQuery, Page, SortedBy, ordered_items
from antiphon.plugins.routes import Operators, Request, Route
from antiphon.plugins.speech import Voice
from antiphon.tenancy.scope import sees_client
from antiphon.types import Frozen


class VoiceQuery(ListQuery):
    """Which voices."""

    language: str | None = Field(
        default=None, max_length=20, description="The begin of a language's name, such as `en`."
    )
    ordering: Annotated[str, SortedBy("name", "language", "engine")] | None = Field(
        default=None, description="Without it, the voice that speaks by default comes first."
    )


class JobQuery(ListQuery):
    """Which jobs."""

    state: JobState | None = None
    ordering: Annotated[str, SortedBy("started_at", "label", "state", "progress")] = "-started_at"


class PluginQuery(ListQuery):
    """Which plugins."""

    ordering: Annotated[str, SortedBy("name", "status")] = "name"


class Alive(Frozen):
    """The server answers."""

    status: Literal["ok"] = "ok"


def system_routes(parts: ApiParts) -> list[Route]:
    """The routes `voices`, `jobs`, `plugins` and `health`."""

    async def voices(request: Request[None, VoiceQuery]) -> Page[Voice]:
        wanted = (request.query.language or "").lower()
        voices = await parts.speech.voices()
        found = [voice for voice in voices if voice.language.lower().startswith(wanted)]
        if request.query.ordering:
            found = ordered_items(found, request.query.ordering)
        return Page[Voice].of(found, request.query)

    async def jobs(request: Request[None, JobQuery]) -> Page[JobView]:
        found = [
            job
            for job in parts.jobs.views()
            if sees_client(request.principal, job.client_id)
            and request.query.state in (None, job.state)
        ]
        return Page[JobView].of(ordered_items(found, request.query.ordering), request.query)

    async def plugins(request: Request[None, PluginQuery]) -> Page[PluginView]:
        found = ordered_items(list(parts.plugins()), request.query.ordering)
        return Page[PluginView].of(found, request.query)

    async def health(_: Request[None, None]) -> web.Response:
        found = await check_health(parts.checks, parts.told(), __version__)
        return web.Response(
            status=200 if found.is_ready else 503,
            body=found.model_dump_json().encode(),
            content_type="application/json",
        )

    async def live(_: Request[None, None]) -> Alive:
        return Alive()

    return [
        Route(
            method="GET",
            path="voices",
            handler=voices,
            summary="List voices",
            tag="system",
            query=VoiceQuery,
            response=Page[Voice],
        ),
        Route(
            method="GET",
            path="jobs",
            handler=jobs,
            summary="List the last jobs, newest first",
            tag="system",
            query=JobQuery,
            response=Page[JobView],
        ),
        Route(
            method="GET",
            path="plugins",
            handler=plugins,
            summary="List plugins and how they are",
            tag="system",
            roles=Operators,
            query=PluginQuery,
            response=Page[PluginView],
        ),
        Route(
            method="GET",
            path="health",
            handler=health,
            summary="See whether the server is ready, part by part",
            description="Answers 503 with the same body while an essential part is away.",
            tag="system",
            roles=None,
            response=Health,
            also=(503,),
        ),
        Route(
            method="GET",
            path="health/live",
            handler=live,
            summary="See whether the server answers",
            tag="system",
            roles=None,
            response=Alive,
        ),
    ]
