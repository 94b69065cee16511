"""Routes: one typed description per operation of the API, from which checks and OpenAPI follow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from aiohttp import web
from pydantic import BaseModel

from antiphon.errors import AntiphonError, RestoreRefused
from antiphon.types import Effect, Principal, Role

BodyT = TypeVar("BodyT", bound=BaseModel | None)
QueryT = TypeVar("QueryT", bound=BaseModel | None)

Everyone: frozenset[Role] = frozenset(Role)
Managers: frozenset[Role] = frozenset({Role.ADMIN, Role.STAFF, Role.CLIENT})
Operators: frozenset[Role] = frozenset({Role.ADMIN, Role.STAFF})
Admins: frozenset[Role] = frozenset({Role.ADMIN})


@dataclass(frozen=True, slots=True)
class Request(Generic[BodyT, QueryT]):
    """What a handler gets: everything is checked already.

    `path` holds the parsed parameters of the path by name (UUIDs where the route says so).
    `raw` is for what is streamed: multipart uploads, Range, WebSockets.
    """

    principal: Principal
    body: BodyT
    query: QueryT
    path: Mapping[str, Any]
    raw: web.Request


Handler = Callable[[Request[Any, Any]], Awaitable[BaseModel | web.StreamResponse | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation under `/api/v1`.

    `path` is relative, such as `zones/{zone_id}/playback`; parameters that end in `_id` are
    UUIDs. The handler returns a model of the type `response` (sent with `status`), None (204), or
    a response of its own where bytes are streamed. `roles` is who may call it; None lets
    anyone in, and `Request.principal` is then a principal without reach. `upload` documents a
    multipart body by a model whose file field is of type bytes; `produces` documents a
    response that is not JSON. `errors` are those that the handler raises by itself; what the
    framework can answer (401, 403, 404 for a path id, 413, 422…) is added to the document. `also`
    are statuses that the handler sends besides `status`: 206 and 503 with the same content, others
    with none.
    `effect` is what the operation does, unless it reads (GET) or changes something (the rest):
    whatever starts, stops or moves sound and leaves all else as it is has the effect `control`.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    tag: str
    roles: frozenset[Role] | None = Everyone
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    response: type[BaseModel] | None = None
    status: int = 200
    upload: type[BaseModel] | None = None
    produces: tuple[str, ...] = ()
    errors: tuple[type[AntiphonError], ...] = ()
    also: tuple[int, ...] = ()
    max_body_bytes: int = 1 << 20
    description: str = ""
    example: Mapping[str, Any] = field(default_factory=dict)
    effect: Effect | None = None

    @property
    def needs(self) -> Effect:
        """What the operation does. One that nobody thought about counts as changing things."""
        if self.effect is not None:
            return self.effect
        return Effect.READ if self.method in ("GET", "HEAD") else Effect.MANAGE


def restore_route(
    path: str,
    handler: Handler,
    *,
    what: str,
    response: type[BaseModel],
    roles: frozenset[Role] = Managers,
    errors: tuple[type[AntiphonError], ...] = (),
) -> Route:
    """`POST …/restore`: brings `what` back, such as "a folder"; `path` is that of one of them."""
    return Route(
        method="POST",
        path=f"{path}/restore",
        handler=handler,
        summary=f"Bring {what} back that was deleted",
        description="The list shows what was deleted with `deleted=true`, until it is purged.",
        tag=path.partition("/")[0],
        roles=roles,
        response=response,
        errors=(RestoreRefused, *errors),
    )
