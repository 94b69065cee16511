"""The server's figures, for Prometheus."""

from __future__ import annotations

import hmac
from collections import Counter
from ipaddress import ip_address

from aiohttp import web
from tortoise.functions import Count

from antiphon.api.authentication import bearer
from antiphon.api.parts import ApiParts
from antiphon.building.models import Device
from antiphon.errors import NotAuthenticated
from antiphon.jobs.runner import JobState
from antiphon.plugins.routes import Request, Route
from antiphon.tenancy.scope import scoped
from antiphon.types import Playback, Principal

_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP")
_TYPE = "text/plain"


def metrics_routes(parts: ApiParts) -> list[Route]:
    """The route `metrics`."""
    metrics = parts.metrics
    token = parts.http.metrics_token.get_secret_value()

    async def show(request: Request[None, None]) -> web.Response:
        if not _may_see(request.raw, token):
            raise NotAuthenticated(
                "The metrics are for this machine alone, or for whoever sends http.metrics_token."
            )
        views = await parts.zones.views(Principal.system())
        playing = Counter(view.playback for view in views)
        for playback in Playback:
            metrics.zones.labels(playback.value).set(playing[playback])
        rows = scoped(Device, Principal.system()).annotate(n=Count("id")).group_by("is_online")
        devices = {bool(row[0]): row[1] for row in await rows.values_list("is_online", "n")}
        for is_online in (True, False):
            metrics.devices.labels(str(is_online).lower()).set(devices.get(is_online, 0))
        jobs = Counter(job.state for job in parts.jobs.views())
        for state in JobState:
            metrics.jobs.labels(state.value).set(jobs[state])
        return web.Response(
            body=metrics.text(),
            headers={"Content-Type": f"{_TYPE}; version=0.0.4; charset=utf-8"},
        )

    return [
        Route(
            method="GET",
            path="metrics",
            handler=show,
            summary="See the server's figures in Prometheus' format",
            description=(
                "Open to programs on the server's own machine, not through a proxy; once the "
                "setting `http.metrics_token` is made, to whoever sends that as a bearer token."
            ),
            tag="system",
            roles=None,
            produces=(_TYPE,),
            errors=(NotAuthenticated,),
        )
    ]


def _may_see(request: web.Request, token: str) -> bool:
    if token:
        given = bearer(request)
        return given is not None and hmac.compare_digest(given.encode(), token.encode())
    if any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ip_address(request.remote or "").is_loopback
    except ValueError:
        return False
