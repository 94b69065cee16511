"""Everything that goes wrong in a request becomes a problem document (RFC 9457) here."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage
from pydantic import Field

from antiphon.errors import (
    AntiphonError,
    Invalid,
    MethodNotAllowed,
    NotAuthenticated,
    NotFound,
    Refused,
    TooLarge,
    TooManyRequests,
    Unavailable,
    UnexpectedError,
)
from antiphon.types import Frozen

_log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
PREPARED = web.RequestKey("prepared", bool)


class WrongField(Frozen):
    """A field of the input that is wrong."""

    field: str = Field(description="Where: a dotted path into the body, the query or the path.")
    message: str = Field(description="What is wrong with it.")


class Problem(Frozen):
    """What went wrong, for people (`detail`) and for programs (`code`)."""

    type: str = Field(description="A name of the kind of problem that never changes.")
    title: str = Field(description="The kind of problem, for people.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened, to what, and what to do.")
    code: str = Field(description="The kind of problem, for programs.")
    errors: tuple[WrongField, ...] = Field(default=(), description="All fields that are wrong.")
    instance: str | None = Field(default=None, description="A mark by which the log has it.")


def problem_of(error: AntiphonError, instance: str | None = None) -> Problem:
    """The document that tells `error`."""
    wrong = error.errors if isinstance(error, Invalid) else []
    return Problem(
        type=f"urn:antiphon:error:{error.code}",
        title=error.title,
        status=error.status,
        detail=str(error),
        code=error.code,
        errors=tuple(WrongField(field=one.field, message=one.message) for one in wrong),
        instance=instance,
    )


def respond(error: AntiphonError, instance: str | None = None) -> web.Response:
    """The answer that tells `error`."""
    problem = problem_of(error, instance)
    headers = {}
    if isinstance(error, NotAuthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="antiphon"'
    elif isinstance(error, TooManyRequests):
        headers["Retry-After"] = str(error.retry_after_s)
    elif isinstance(error, MethodNotAllowed):
        headers["Allow"] = ", ".join(error.allowed)
    return web.Response(
        status=problem.status,
        body=problem.model_dump_json(exclude_none=True).encode(),
        content_type=CONTENT_TYPE,
        headers=headers,
    )


@web.middleware
async def problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """The outermost layer: whatever is raised below is told as a problem."""
    try:
        return await handler(request)
    except Exception as error:
        if request.get(PREPARED):
            return _give_up(request, error)
        return _answer(request, error)


def _answer(request: web.Request, error: Exception) -> web.Response:
    match error:
        case AntiphonError():
            if isinstance(error, Unavailable):
                _log.warning("%s %s: %s", request.method, request.path, error)
            return respond(error)
        case web.RequestPayloadError() | ConnectionError() if _is_broken(request, error):
            # Else aiohttp would read on, and log what it finds as a mistake of its own.
            request.content.feed_eof()
            response = respond(Refused("The body broke off, or is not packed as its header says."))
            response.force_close()
            return response
        case BadHttpMessage():  # a part of a form, whose head aiohttp can not read
            response = respond(Refused("The body is not a form that can be read."))
            response.force_close()
            return response
        case web.HTTPNotFound():
            return respond(NotFound("page", request.path))
        case web.HTTPMethodNotAllowed():
            return respond(MethodNotAllowed(request.method, request.path, error.allowed_methods))
        case web.HTTPRequestEntityTooLarge():
            return respond(TooLarge("The body", request.client_max_size))
        case web.HTTPException() if 400 <= error.status < 500:
            return respond(Refused(error.reason))
    identity = secrets.token_hex(6)
    _log.error("%s %s failed (id %s)", request.method, request.path, identity, exc_info=error)
    return respond(UnexpectedError(identity), f"urn:antiphon:failure:{identity}")


def _is_broken(request: web.Request, error: Exception) -> bool:
    """Whether the body broke off, rather than a connection of our own to some other program."""
    return isinstance(error, web.RequestPayloadError) or request.content.exception() is error


def _give_up(request: web.Request, error: Exception) -> web.StreamResponse:
    """The answer has begun: all that can be said is that it is not whole."""
    if not isinstance(error, ConnectionError):
        _log.error("%s %s broke off", request.method, request.path, exc_info=error)
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
