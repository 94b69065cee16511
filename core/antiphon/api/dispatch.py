"""The one place where a route's promises are kept: who may call, what comes in, what goes out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import web
from multidict import MultiDict
from pydantic import BaseModel

from antiphon.api.authentication import Authenticator
from antiphon.api.inputs import read_body, read_path, read_query
from antiphon.errors import TooLarge, UnsupportedMedia
from antiphon.plugins.routes import Request, Route

PREFIX = "/api/v1/"

Endpoint = Callable[[web.Request], Awaitable[web.StreamResponse]]


def mount(
    app: web.Application, routes: Sequence[Route], authenticator: Authenticator, max_upload: int
) -> None:
    """Open `routes` under `/api/v1`, with and without a slash at the end.

    Raises ValueError where two routes claim one operation.
    """
    taken: set[tuple[str, str]] = set()
    for route in routes:
        if (operation := (route.method, route.path)) in taken:
            raise ValueError(f"Two routes claim {route.method} {route.path}")
        taken.add(operation)
        endpoint = _endpoint(route, authenticator, max_upload)
        for path in (PREFIX + route.path, PREFIX + route.path + "/"):
            app.router.add_route(route.method, path, endpoint)


def _endpoint(route: Route, authenticator: Authenticator, max_upload: int) -> Endpoint:
    async def endpoint(raw: web.Request) -> web.StreamResponse:
        principal = await authenticator.check(route, raw)
        path = read_path(raw.match_info)
        query = read_query(route.query, _parameters(raw)) if route.query else None
        body = await _body(route, raw, max_upload)
        request: Request[Any, Any] = Request(
            principal=principal, body=body, query=query, path=path, raw=raw
        )
        return _answer(route, await route.handler(request))

    return endpoint


def _parameters(raw: web.Request) -> MultiDict[str]:
    return MultiDict((name, value) for name, value in raw.query.items() if name != "token")


async def _body(route: Route, raw: web.Request, max_upload: int) -> BaseModel | None:
    if route.upload is not None and raw.content_type == "multipart/form-data":
        if (raw.content_length or 0) > max_upload:
            raise TooLarge("The upload", max_upload)
        return None
    if route.body is not None:
        return await read_body(route, route.body, raw)
    if route.upload is not None:
        raise UnsupportedMedia("The body", f"{raw.content_type} is not multipart/form-data")
    return None


def _answer(route: Route, result: BaseModel | web.StreamResponse | None) -> web.StreamResponse:
    match result:
        case None:
            return web.Response(status=204)
        case web.StreamResponse():
            return result
    return web.Response(
        status=route.status,
        body=result.model_dump_json().encode(),
        content_type="application/json",
    )
