"""Lets every route that changes something leave its trace in the audit trail."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel

from antiphon.audit import Entry
from antiphon.audit.changes import differences, name_of, told
from antiphon.errors import NotAuthenticated
from antiphon.plugins.routes import Handler, Request, Route

_log = logging.getLogger(__name__)

_LOOKS = ("GET", "HEAD", "OPTIONS")
_COMPARED = ("PATCH", "PUT", "DELETE")
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "update", "DELETE": "delete"}
# These change nothing that anybody would look for.
_QUIET = frozenset({"refresh", "preview", "explain"})
_LOOK_S = 1.0
_PARAMETER = re.compile(r"{(\w+)[^}]*}")


def audited(routes: Iterable[Route], note: Callable[[Entry], None]) -> list[Route]:
    """The routes, with handlers that note what they did. Looking at something leaves no trace.

    For a change, the thing is looked at before by the route that shows it, so that the trail can
    tell which fields changed from what to what.
    """
    routes = list(routes)
    shows = {
        route.path: route.handler
        for route in routes
        if route.method == "GET" and route.query is None and route.response is not None
    }
    return [
        replace(route, handler=_noting(route, shows.get(route.path), note))
        if leaves_trace(route)
        else route
        for route in routes
    ]


def leaves_trace(route: Route) -> bool:
    """Whether what the route does is kept in the audit trail."""
    return route.method not in _LOOKS and route.path.rpartition("/")[2] not in _QUIET


def action_of(route: Route) -> str:
    """`create`, `update`, `delete`, or the words of the path: `playback.volume`, `items.delete`."""
    words = [part for part in route.path.split("/")[1:] if not part.startswith("{")]
    is_command = route.method == "POST" and route.status != 201 and bool(words)
    return ".".join(words if is_command else [*words, _VERBS[route.method]])


def _noting(route: Route, show: Handler | None, note: Callable[[Entry], None]) -> Handler:
    async def handler(request: Request[Any, Any]) -> BaseModel | web.StreamResponse | None:
        before = None
        if show is not None and route.method in _COMPARED:
            before = await _look(show, request)
        try:
            result = await route.handler(request)
        except NotAuthenticated as error:
            if route.roles is None:  # a log-in that was refused
                _note(note, route, request, None, {"refused": error.code} | told(request.body))
            raise
        details = {}
        if isinstance(before, BaseModel) and isinstance(result, type(before)):
            details["changed"] = differences(before, result)
        elif given := told(request.body):
            details["given"] = given
        _note(note, route, request, result or before, details)
        return result

    return handler


async def _look(show: Handler, request: Request[Any, Any]) -> BaseModel | None:
    """The thing as it is. Whatever is wrong with it, the change itself will tell."""
    try:
        async with asyncio.timeout(_LOOK_S):
            seen = await show(replace(request, body=None, query=None))
    except Exception:
        return None
    return seen if isinstance(seen, BaseModel) else None


def _note(
    note: Callable[[Entry], None],
    route: Route,
    request: Request[Any, Any],
    thing: object,
    details: dict[str, Any],
) -> None:
    try:
        note(_entry(route, request, thing, details))
    except Exception:
        _log.exception("%s %s left no trace in the audit trail", route.method, route.path)


def _entry(
    route: Route, request: Request[Any, Any], thing: object, details: dict[str, Any]
) -> Entry:
    view: Mapping[str, Any] = thing.__dict__ if isinstance(thing, BaseModel) else {}
    who = request.principal
    resource_type = route.path.partition("/")[0]
    ids = {name: request.path[name] for name in _PARAMETER.findall(route.path)}
    key = next(iter(ids.values()), view.get("id"))
    client_id = view.get("client_id") or ids.get("client_id") or who.client_id
    user_id = who.user_id
    if resource_type == "clients" and isinstance(key, UUID):
        client_id = key
    if user_id is None and isinstance(user := view.get("user"), BaseModel):
        # Who just logged in.
        user_id, client_id = user.__dict__.get("id"), user.__dict__.get("client_id")
        key, view = user_id, user.__dict__
    if others := {name: str(value) for name, value in list(ids.items())[1:]}:
        details = {"of": others} | details
    return Entry(
        action=action_of(route),
        resource_type=resource_type,
        resource_id=str(key) if key is not None else None,
        resource_name=name_of(view),
        client_id=client_id,
        user_id=user_id,
        via=who.via,
        details=details,
        ip_address=request.raw.remote or "",
        user_agent=request.raw.headers.get("User-Agent", ""),
    )
