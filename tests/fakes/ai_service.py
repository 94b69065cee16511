"""An AI service on this machine, shaped after the public documentation of the real ones.

OpenAI-compatible: `GET /v1/models` with a bearer key answers `{"object": "list", "data": [...]}`,
and what is wrong comes as `{"error": {"message": ...}}`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import TestServer

KEY = "sk-test-0123456789abcdef"


@dataclass
class AiService:
    """`seen` are the headers of each request, `sick` is what it does instead of answering."""

    url: str = ""
    sick: str = ""
    seen: list[dict[str, str]] = field(default_factory=list)

    async def models(self, request: web.Request) -> web.StreamResponse:
        self.seen.append({name.lower(): value for name, value in request.headers.items()})
        match self.sick:
            case "slow":
                await asyncio.sleep(60)
            case "broken":
                return _error(500, "The server had an error")
            case "busy":
                return _error(429, "Rate limit reached for requests")
            case "moved":
                raise web.HTTPFound("http://elsewhere.example/v1/models")
            case "page":
                return web.Response(text="<html>Welcome to my router</html>")
            case "other":
                return web.json_response({"hello": "world"})
            case "endless":
                return web.Response(body=b" " * (5 << 20))
        keys = {request.headers.get("x-api-key"), request.headers.get("xi-api-key")}
        if f"Bearer {KEY}" != request.headers.get("Authorization") and KEY not in keys:
            return _error(401, "Incorrect API key provided")
        data = [
            {"id": name, "object": "model", "created": 1_700_000_000, "owned_by": "us"}
            for name in ("small-1", "large-1")
        ]
        return web.json_response({"object": "list", "data": data})


def _error(status: int, message: str) -> web.Response:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return web.json_response({"error": error}, status=status)


@asynccontextmanager
async def ai_service() -> AsyncIterator[AiService]:
    service = AiService()
    app = web.Application()
    app.router.add_get("/v1/models", service.models)
    async with TestServer(app) as server:
        service.url = str(server.make_url("/v1"))
        yield service
