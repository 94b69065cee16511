"""What comes before there is a request: bytes that are no HTTP, or a head that is too long."""

from __future__ import annotations

import logging

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.web_protocol import RequestHandler
from multidict import istr

from antiphon.api.problems import respond
from antiphon.errors import Refused

_log = logging.getLogger(__name__)

# On every answer. Names in this form are compared without being folded each time.
HEADERS: dict[str, str] = {
    istr("Server"): "Antiphon",
    istr("X-Content-Type-Options"): "nosniff",
    istr("X-Frame-Options"): "DENY",
    istr("Referrer-Policy"): "no-referrer",
    istr("Cross-Origin-Resource-Policy"): "same-origin",
    istr("Cross-Origin-Opener-Policy"): "same-origin",
    istr("Content-Security-Policy"): "default-src 'none'; frame-ancestors 'none'",
    istr("Cache-Control"): "no-store",
}


class Runner(web.AppRunner):
    """Tells as a problem what aiohttp would answer with a line of its own.

    It would also log each with a traceback, and with what was sent: tokens may be in there.
    """

    __slots__ = ()

    async def _make_server(self) -> web.Server:
        # aiohttp has no other door for this: the server that it makes chooses the protocol.
        server = await super()._make_server()
        server.__class__ = _Server
        return server


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Protocol(self, loop=self._loop, **self._kwargs)


class _Protocol(RequestHandler):
    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """See `RequestHandler`."""
        if not isinstance(exc, HttpProcessingError):
            return super().handle_error(request, status, exc, message)
        _log.debug("%s sent no request that can be read", request.remote)
        if isinstance(exc, LineTooLong):
            error = Refused("The address or a header is longer than 8,190 bytes.")
        else:
            error = Refused("This is not a request that can be read.")
        response = respond(error)
        response.headers.update(HEADERS)
        response.force_close()
        return response
