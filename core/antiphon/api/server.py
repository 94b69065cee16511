"""Puts the API together and opens it to the network."""

from __future__ import annotations

import errno
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from antiphon import __version__
from antiphon.api.accounts import AccountParts
from antiphon.api.audited import audited
from antiphon.api.authentication import Authenticator
from antiphon.api.dispatch import mount
from antiphon.api.endless import EndlessAnswers
from antiphon.api.journal import Journal
from antiphon.api.openapi import openapi
from antiphon.api.pages import add_pages
from antiphon.api.parts import ApiParts
from antiphon.api.problems import PREPARED, problems
from antiphon.api.protocol import HEADERS, Runner
from antiphon.api.proxies import trusting
from antiphon.api.routes.api_tokens import api_token_routes
from antiphon.api.routes.audit import audit_routes
from antiphon.api.routes.auth import auth_routes
from antiphon.api.routes.building import building_routes
from antiphon.api.routes.calls import call_routes
from antiphon.api.routes.clients import client_routes
from antiphon.api.routes.devices import device_routes
from antiphon.api.routes.events import event_routes
from antiphon.api.routes.listen import listen_routes
from antiphon.api.routes.metrics import metrics_routes
from antiphon.api.routes.playback import playback_routes
from antiphon.api.routes.stats import stats_routes
from antiphon.api.routes.system import system_routes
from antiphon.api.routes.users import user_routes
from antiphon.api.sockets import SocketParts
from antiphon.errors import Misconfigured
from antiphon.plugins.pictures import Pictures
from antiphon.plugins.routes import Route
from antiphon.settings.models import HttpSettings
from antiphon.tenancy.mail import Mailer
from antiphon.tenancy.tokens import Tokens

_log = logging.getLogger(__name__)

_SHUTDOWN_S = 2.0
_SLOW_S = 1.0


@dataclass(frozen=True, slots=True)
class Server:
    """An open API. `port` differs from the setting where that was taken, or 0."""

    url: str
    host: str
    port: int


@asynccontextmanager
async def serve(parts: ApiParts) -> AsyncIterator[Server]:
    """Open the API for as long as this lasts. The database must be open already.

    Raises Misconfigured where the host's address is not one of this machine.
    """
    endless, journal = EndlessAnswers(), Journal()
    app = _application(parts, endless, journal)
    runner = Runner(
        app, access_log_class=_AccessLog, handle_signals=False, shutdown_timeout=_SHUTDOWN_S
    )
    await runner.setup()
    try:
        with journal.following(parts.bus):
            async with parts.metrics.watching():
                yield await _listen(runner, parts.http)
    finally:
        endless.end()
        await runner.cleanup()


def core_routes(
    parts: ApiParts,
    authenticator: Authenticator,
    endless: EndlessAnswers,
    journal: Journal | None = None,
    mailer: Mailer | None = None,
) -> list[Route]:
    """Every operation that the core brings."""
    accounts = AccountParts.of(
        authenticator, parts.accounts, parts.http, mailer or Mailer(parts.mail)
    )
    sockets = SocketParts(parts, authenticator, endless, journal or Journal())
    return [
        *auth_routes(accounts),
        *api_token_routes(),
        *user_routes(accounts, Pictures(parts.media_dir, parts.jobs)),
        *client_routes(accounts, parts.bus),
        *building_routes(parts),
        *playback_routes(parts),
        *listen_routes(parts, endless),
        *call_routes(parts),
        *device_routes(parts),
        *system_routes(parts),
        *audit_routes(),
        *stats_routes(parts),
        *metrics_routes(parts),
        *event_routes(sockets),
    ]


def core_operations(parts: ApiParts) -> set[tuple[str, str]]:
    """The method and the path of every operation that no plugin may claim."""
    authenticator = Authenticator(Tokens(parts.secret_key, 1))
    routes = core_routes(parts, authenticator, EndlessAnswers(), Journal(), Mailer(parts.mail))
    return {(route.method, route.path) for route in routes}


def _application(parts: ApiParts, endless: EndlessAnswers, journal: Journal) -> web.Application:
    max_upload = parts.http.max_upload_mb << 20
    app = web.Application(
        middlewares=[
            *trusting(parts.http.trusted_proxies),
            parts.metrics.middleware(),
            problems,
        ],
        client_max_size=max_upload,
    )
    authenticator = Authenticator(Tokens(parts.secret_key, parts.http.access_token_minutes * 60))
    mailer = Mailer(parts.mail)
    routes = audited(
        [*core_routes(parts, authenticator, endless, journal, mailer), *parts.routes], parts.audit
    )
    mount(app, routes, authenticator, max_upload)
    add_pages(app, partial(openapi, routes, __version__))
    app.on_response_prepare.append(_finish_headers)

    async def close_mailer(_: web.Application) -> None:
        await mailer.close()

    app.on_cleanup.append(close_mailer)
    return app


async def _finish_headers(request: web.Request, response: web.StreamResponse) -> None:
    request[PREPARED] = True
    response.headers["Server"] = HEADERS["Server"]
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


async def _listen(runner: web.AppRunner, http: HttpSettings) -> Server:
    try:
        await web.TCPSite(runner, http.host, http.port).start()
    except OSError as error:
        if error.errno != errno.EADDRINUSE or http.port == 0:
            raise _unusable(http, error) from error
        await web.TCPSite(runner, http.host, 0).start()
        _log.warning(
            "Port %d is taken by another program; the API is on port %d instead",
            http.port,
            runner.addresses[0][1],
        )
    host, port = runner.addresses[0][:2]
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  a comparison
    shown = f"[{reachable}]" if ":" in reachable else reachable
    return Server(url=f"http://{shown}:{port}", host=host, port=port)


def _unusable(http: HttpSettings, error: OSError) -> Misconfigured:
    reason = error.strerror or str(error)
    return Misconfigured(
        [f"http.host, http.port: can not listen on {http.host}:{http.port}: {reason}"]
    )


class _AccessLog(AbstractAccessLogger):
    """A line per request for those who look for something; else what went wrong or took long.

    Always without its query: tokens may be in there.
    """

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        self.logger.log(
            _level(response, time),
            "%s %s %s %d %.0f ms",
            request.remote,
            request.method,
            request.path,
            response.status,
            time * 1000,
        )


def _level(response: web.StreamResponse, time: float) -> int:
    if response.status >= 500:
        return logging.WARNING
    if time < _SLOW_S or response.status == 101 or response.content_type.startswith("audio/"):
        return logging.DEBUG
    return logging.INFO
