"""What a browser opens: the start page, and the API's document with a page to read it."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from aiohttp import web

from antiphon.api.dispatch import PREFIX

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")
# Scripts and styles from this server alone; sounds also from memory, as a player may need them.
_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def add_pages(app: web.Application, document: Callable[[], dict[str, Any]]) -> None:
    """Open the pages and the document, which is made when somebody first asks for it."""

    @cache
    def content() -> bytes:
        return json.dumps(document(), ensure_ascii=False, indent=1).encode()

    async def openapi(_: web.Request) -> web.Response:
        return web.Response(body=content(), content_type="application/json")

    app.router.add_get(PREFIX + "openapi.json", openapi)
    here = Path(str(files("antiphon.api")))
    app.router.add_get(PREFIX + "docs", _page(here / "reader", "docs.html"))
    _add_folder(app, PREFIX + "docs", here / "reader")
    _add_folder(app, "/static", here / "static")
    app.router.add_get("/", _page(here / "static", "index.html"))


def _add_folder(app: web.Application, prefix: str, folder: Path) -> None:
    async def asset(request: web.Request) -> web.FileResponse:
        return _file(folder, request.match_info["name"])

    app.router.add_get(prefix + "/{name}", asset)


def _page(folder: Path, name: str) -> Callable[[web.Request], Awaitable[web.FileResponse]]:
    async def page(_: web.Request) -> web.FileResponse:
        return _file(folder, name)

    return page


def _file(folder: Path, name: str) -> web.FileResponse:
    kind = _TYPES.get(Path(name).suffix)
    if kind is None or not _NAME.fullmatch(name) or not (folder / name).is_file():
        raise web.HTTPNotFound
    return web.FileResponse(
        folder / name,
        headers={
            "Content-Type": kind,
            "Cache-Control": "no-cache",
            "Content-Security-Policy": _POLICY,
        },
    )
