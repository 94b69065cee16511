"""Pictures that people send: checked by content, made small and clean, kept and shown.

For covers, zones and faces alike. A picture never changes: a new one has a new name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from aiohttp import web
from pydantic import BaseModel

from antiphon.errors import Invalid, JobFailed, NotFound, TooLarge, UnsupportedMedia
from antiphon.plugins.context import Jobs
from antiphon.plugins.files import FILE_STATUSES, send_file
from antiphon.plugins.routes import Everyone, Managers, Request, Route
from antiphon.plugins.uploads import receive_form
from antiphon.plugins.zones import ApiModel
from antiphon.types import Effect, Role

MAX_BYTES = 20_000_000
_TYPES = {".jpg": "image/jpeg", ".png": "image/png", ".gif": "image/gif", ".webp": "image/webp"}
_TIMEOUT_S = 60.0
_DESCRIPTION = (
    "JPEG, PNG, WebP or GIF, told by content, of at most 20 MB. It is made anew at 1,200 pixels "
    "or less, without what cameras write into it."
)


class PictureFields(ApiModel):
    """Nothing goes beside the file."""


class PictureUpload(PictureFields):
    """The picture."""

    file: bytes


class Pictures:
    """Pictures in `media_dir`, in the folder of whom they belong to."""

    def __init__(self, media_dir: Path, jobs: Jobs) -> None:
        self._media_dir = media_dir
        self._jobs = jobs

    async def receive(self, raw: web.Request, owner: UUID | None) -> str:
        """Keep the picture of a multipart request; returns its path in the media directory.

        `owner` is the client; None is the server itself. Raises UnsupportedMedia, TooLarge and
        Invalid.
        """
        async with receive_form(raw, self._media_dir, MAX_BYTES, PictureFields) as (incoming, _):
            made = incoming.beside(".made")
            arguments = {"source": str(incoming.path), "destination": str(made)}
            try:
                found = await self._jobs.run(
                    "antiphon.pictures:remake",
                    arguments,
                    worker="inspect",
                    timeout_s=_TIMEOUT_S,
                )
            except JobFailed as error:
                reason = "reading it failed; it is damaged"
                raise UnsupportedMedia(incoming.name, reason) from error
            if "refused" in found:
                raise UnsupportedMedia(incoming.name, found["refused"])
            name = f"{owner or 'server'}/{uuid4().hex}.{found['extension']}"
            await asyncio.to_thread(_move, made, self._media_dir / name)
        return name

    async def remove(self, name: str | None) -> None:
        """Remove a picture that is shown no more."""
        if name is not None:
            await asyncio.to_thread((self._media_dir / name).unlink, missing_ok=True)

    def send(self, name: str | None, what: str) -> web.FileResponse:
        """The picture, to show. Raises NotFound where there is none."""
        if name is None:
            raise NotFound("picture of", what)
        path = self._media_dir / name
        return send_file(path, _TYPES.get(path.suffix), f"picture of {what}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictured:
    """The things of one path that have a picture, for `picture_routes`.

    `find` looks up the row that a request is about and checks that it may be seen; `column` is
    its column with the picture's path; `keep` writes another path there (None for no picture)
    and returns the view.
    """

    path: str
    what: str
    tag: str
    column: str
    view: type[BaseModel]
    find: Callable[[Request[Any, Any]], Awaitable[Any]]
    keep: Callable[[Any, str | None], Awaitable[BaseModel]]
    readers: frozenset[Role] = field(default=Everyone)
    writers: frozenset[Role] = field(default=Managers)
    owner: Callable[[Any], UUID | None] = lambda row: row.client_id
    effect: Effect | None = None


def picture_routes(pictures: Pictures, of: Pictured) -> list[Route]:
    """The routes that show, set and remove the picture of something."""

    async def show(request: Request[None, None]) -> web.FileResponse:
        row = await of.find(request)
        return pictures.send(getattr(row, of.column), f"{of.what} {row.id}")

    async def put(request: Request[None, None]) -> BaseModel:
        row = await of.find(request)
        name = await pictures.receive(request.raw, of.owner(row))
        old = getattr(row, of.column)
        try:
            view = await of.keep(row, name)
        except BaseException:
            await pictures.remove(name)
            raise
        await pictures.remove(old)
        return view

    async def delete(request: Request[None, None]) -> None:
        row = await of.find(request)
        old = getattr(row, of.column)
        await of.keep(row, None)
        await pictures.remove(old)

    common: dict[str, Any] = {"path": of.path, "tag": of.tag}
    change: dict[str, Any] = {"roles": of.writers, "effect": of.effect, **common}
    return [
        Route(method="GET", handler=show, summary=f"See the picture of {of.what}",
              description="With an ETag, for pages that keep it.", roles=of.readers,
              produces=tuple(_TYPES.values()), errors=(NotFound,), also=FILE_STATUSES,
              **common),
        Route(method="PUT", handler=put, summary=f"Give {of.what} a picture",
              description=_DESCRIPTION, upload=PictureUpload, response=of.view,
              max_body_bytes=MAX_BYTES + (1 << 16),
              errors=(Invalid, TooLarge, UnsupportedMedia), **change),
        Route(method="DELETE", handler=delete, summary=f"Take the picture of {of.what} away",
              status=204, **change),
    ]  # fmt: skip


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)
