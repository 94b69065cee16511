"""Reads a multipart upload as it comes: the file goes to disk, the fields are kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import unquote
from uuid import UUID

from aiohttp import BodyPartReader, MultipartReader, web

from antiphon.errors import FieldError, Invalid
from antiphon_music.incoming import Incoming, receive

_FIELDS = frozenset({"folder_id", "client_id"})
_CHUNK_BYTES = 1 << 16
_MAX_FIELD_BYTES = 1_000


@asynccontextmanager
async def read_upload(
    request: web.Request, media_dir: Path, limit_bytes: int
) -> AsyncIterator[tuple[Incoming, dict[str, UUID]]]:
    """The one file of the form, and the ids beside it, in whatever order they come.

    Raises Invalid for a form that is not what it should be, and what `receive` raises.
    """
    incoming: Incoming | None = None
    ids: dict[str, UUID] = {}
    async with AsyncExitStack() as stack:
        async for part in _parts(request):
            if part.name == "file" and incoming is None:
                incoming = await stack.enter_async_context(
                    receive(media_dir, _chunks(part), _name(part), limit_bytes)
                )
            elif part.name in _FIELDS and part.name not in ids:
                if (key := await _uuid(part)) is not None:
                    ids[part.name] = key
            else:
                raise Invalid.field(
                    (part.name or "body")[:80],
                    "send one file, and at most one folder_id and one client_id",
                )
        if incoming is None:
            raise Invalid.field("file", "the form holds no file")
        yield incoming, ids


def _name(part: BodyPartReader) -> str:
    name = part.filename or ""
    # Some clients (aiohttp's own) percent-encode names, others do not: those leave spaces as such.
    return name if " " in name else unquote(name)


async def _parts(request: web.Request) -> AsyncIterator[BodyPartReader]:
    try:
        reader = await request.multipart()
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


async def _uuid(part: BodyPartReader) -> UUID | None:
    text = b""
    async for chunk in _chunks(part):
        text += chunk
        if len(text) > _MAX_FIELD_BYTES:
            break
    if not text.strip():
        return None
    try:
        return UUID(text.decode().strip())
    except ValueError:
        raise Invalid([FieldError(str(part.name), "this is not a UUID")]) from None


def _malformed(error: Exception) -> Invalid:
    return Invalid.field("body", f"this is not a whole multipart form: {error}")
