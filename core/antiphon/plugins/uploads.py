"""Uploads: multipart forms whose file goes to disk as it comes, and is gone unless it is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

from aiohttp import BodyPartReader, MultipartReader, web
from pydantic import BaseModel, ValidationError

from antiphon.errors import FieldError, Invalid, TooLarge, UnsupportedMedia
from antiphon.plugins.incoming import Incoming, receive_file
from antiphon.plugins.wrong import unstorable, wrong_fields

_CHUNK_BYTES = 1 << 16
_FIELD_BYTES = 1 << 14
_MAX_FIELDS = 50

F_ = TypeVar("F_", bound=BaseModel)


@asynccontextmanager
async def receive_form(
    raw: web.Request, media_dir: Path, limit_bytes: int, fields: type[F_]
) -> AsyncIterator[tuple[Incoming, F_]]:
    """The part `file` of a form, and the parts beside it as `fields`, in whatever order they come.

    Empty fields count as left out. Raises Invalid with all that is wrong with the form, and what
    `receive_file` raises.
    """
    if raw.content_type != "multipart/form-data":
        raise UnsupportedMedia("The body", f"{raw.content_type} is not multipart/form-data")
    incoming: Incoming | None = None
    wrong: list[FieldError] = []
    values: dict[str, str] = {}
    async with AsyncExitStack() as stack:
        async for part in _parts(raw):
            name = part.name or "body"
            if name == "file" and incoming is None:
                receiving = receive_file(media_dir, _chunks(part), _filename(part), limit_bytes)
                incoming = await stack.enter_async_context(receiving)
            elif name == "file" or name in values:
                raise Invalid.field(name[:80], "is given more than once")
            elif len(values) >= _MAX_FIELDS:
                raise Invalid.field("body", "there are too many parts in it")
            else:
                values[name] = await _text(part, name)
        if incoming is None:
            wrong.append(FieldError("file", "there is no part of this name with a file in it"))
        yield _whole(incoming, values, wrong, fields)


def _whole(
    incoming: Incoming | None, values: dict[str, str], wrong: list[FieldError], fields: type[F_]
) -> tuple[Incoming, F_]:
    given = {name: value for name, value in values.items() if value}
    wrong += unstorable(given)
    try:
        checked = fields.model_validate(given)
    except ValidationError as error:
        raise Invalid([*wrong, *wrong_fields(error, fields)], "The form") from None
    if wrong or incoming is None:
        raise Invalid(wrong, "The form")
    incoming.require_content()
    return incoming, checked


def _filename(part: BodyPartReader) -> str:
    name = part.filename or ""
    # Some clients (aiohttp's own) percent-encode names, others do not: those leave spaces as such.
    return name if " " in name else unquote(name)


async def _parts(raw: web.Request) -> AsyncIterator[BodyPartReader]:
    try:
        reader = await raw.multipart()
        while (part := await reader.next()) is not None:
            if isinstance(part, MultipartReader):
                raise Invalid.field("body", "a form in a form is not understood")
            yield part
    except (ValueError, AssertionError) as error:
        raise _malformed(error) from error


async def _chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    try:
        while chunk := await part.read_chunk(_CHUNK_BYTES):
            yield chunk
    except (ValueError, AssertionError) as error:
        raise _malformed(error) from error


async def _text(part: BodyPartReader, name: str) -> str:
    content = bytearray()
    async for chunk in _chunks(part):
        content += chunk
        if len(content) > _FIELD_BYTES:
            raise TooLarge(f"The field {name[:80]}", _FIELD_BYTES)
    try:
        return content.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise Invalid.field(name[:80], "it is not text in UTF-8") from None


def _malformed(error: Exception) -> Invalid:
    return Invalid.field("body", f"this is not a whole multipart form: {error}")
