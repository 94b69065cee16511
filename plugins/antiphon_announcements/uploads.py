"""Multipart uploads: streamed to disk, one file and some fields beside it."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import TypeVar

from aiohttp import BodyPartReader, web
from pydantic import BaseModel, ValidationError

from antiphon.errors import FieldError, Invalid, PartAway, TooLarge, UnsupportedMedia
from antiphon_announcements.files import flush

_CHUNK_BYTES = 1 << 18
_FIELD_BYTES = 1 << 14
_MAX_FIELDS = 50

M_ = TypeVar("M_", bound=BaseModel)


@dataclass(slots=True)
class Upload:
    """A received file, until the end of its request, and the fields that came with it."""

    path: Path
    filename: str = ""
    size: int = 0
    sha256: str = ""
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """A title from the user's name of the file, without folders and ending."""
        stem = PureWindowsPath(self.filename).stem
        return "".join(c if c.isprintable() else " " for c in stem).strip()[:200] or "Announcement"

    def read_fields(self, model: type[M_]) -> M_:
        """The fields as `model`; empty ones count as left out. Raises Invalid."""
        try:
            return model.model_validate({name: v for name, v in self.fields.items() if v})
        except ValidationError as error:
            raise Invalid(
                FieldError(
                    ".".join(map(str, wrong["loc"])) or "body",
                    wrong["msg"].removeprefix("Value error, "),
                )
                for wrong in error.errors()
            ) from None


@asynccontextmanager
async def receive(raw: web.Request, folder: Path, limit_bytes: int) -> AsyncIterator[Upload]:
    """Receive the multipart request `raw` with its part `file`; what is left of it goes at the end.

    Raises Invalid, TooLarge, or UnsupportedMedia where it is not a multipart request.
    """
    if raw.content_type != "multipart/form-data":
        raise UnsupportedMedia(
            f"A body of type {raw.content_type}", "send JSON, or multipart/form-data with a file"
        )
    upload = Upload(path=folder / f"{uuid.uuid4()}.upload")
    try:
        try:
            await _read(raw, upload, limit_bytes)
        except ValueError as error:  # what aiohttp raises for a malformed body
            raise Invalid.field("body", f"it is not complete: {error}") from error
        except OSError as error:
            raise PartAway(
                "The media folder", f"It can not be written: {error.strerror}."
            ) from error
        if not upload.sha256:
            raise Invalid.field("file", "there is no part of this name with a file in it")
        if not upload.size:
            raise UnsupportedMedia(upload.filename or "The file", "it is empty")
        yield upload
    finally:
        await asyncio.to_thread(upload.path.unlink, missing_ok=True)


async def _read(raw: web.Request, upload: Upload, limit_bytes: int) -> None:
    async for part in await raw.multipart():
        if not isinstance(part, BodyPartReader) or part.name is None:
            raise Invalid.field("body", "every part needs a name, and may not hold parts itself")
        if part.name == "file":
            if upload.sha256:
                raise Invalid.field("file", "send one file per request")
            upload.filename = part.filename or ""
            await _store(part, upload, limit_bytes)
        else:
            upload.fields[part.name] = await _text(part)
            if len(upload.fields) > _MAX_FIELDS:
                raise Invalid.field("body", "there are too many parts in it")


async def _store(part: BodyPartReader, upload: Upload, limit_bytes: int) -> None:
    digest = hashlib.sha256()
    await asyncio.to_thread(upload.path.parent.mkdir, parents=True, exist_ok=True)
    with await asyncio.to_thread(upload.path.open, "wb") as file:
        while chunk := await part.read_chunk(_CHUNK_BYTES):
            upload.size += len(chunk)
            if upload.size > limit_bytes:
                raise TooLarge(upload.filename or "The file", limit_bytes)
            digest.update(chunk)
            await asyncio.to_thread(file.write, chunk)
        await asyncio.to_thread(flush, file)
    upload.sha256 = digest.hexdigest()


async def _text(part: BodyPartReader) -> str:
    content = bytearray()
    while chunk := await part.read_chunk(_FIELD_BYTES):
        content += chunk
        if len(content) > _FIELD_BYTES:
            raise TooLarge(f"The field {part.name}", _FIELD_BYTES)
    try:
        return content.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise Invalid.field(part.name or "body", "it is not text in UTF-8") from None
