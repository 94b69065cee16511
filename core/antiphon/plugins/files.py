"""Answers that are files."""

from __future__ import annotations

from pathlib import Path

from aiohttp import hdrs, web

from antiphon.errors import NotFound

# By the ending that we gave the file when its content was known.
AUDIO_TYPES = {
    ".aac": "audio/aac",
    ".aiff": "audio/aiff",
    ".caf": "audio/x-caf",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".mka": "audio/x-matroska",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".wav": "audio/wav",
}

# What else than 200 a route may answer that sends a file: its `Route.also`.
FILE_STATUSES = (206, 304, 412, 416)


def send_file(path: Path, content_type: str | None, what: str) -> web.FileResponse:
    """The file at `path`, for the browser to keep; Range, ETag and If-Modified-Since are answered.

    Raises NotFound, which names `what`, where it is not on the disk.
    """
    if not path.is_file():
        raise NotFound("file on the disk for the", what)
    return web.FileResponse(
        path,
        headers={
            hdrs.CONTENT_TYPE: content_type or "application/octet-stream",
            hdrs.CACHE_CONTROL: "private, max-age=86400",
            "X-Content-Type-Options": "nosniff",
        },
    )


def send_audio(path: Path, what: str) -> web.FileResponse:
    """The same for sound."""
    return send_file(path, AUDIO_TYPES.get(path.suffix), what)
