"""Tags and covers of audio files, by mutagen. Whatever a file holds, reading it never fails."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import mutagen
from mutagen.flac import Picture

from antiphon.text import one_line

_log = logging.getLogger(__name__)

MAX_COVER_BYTES = 10 << 20
_FRONT_COVER = 3

# What each family of formats calls a tag: ID3, MP4, Vorbis comments and APE, ASF.
_NAMES = {
    "title": ("TIT2", "\xa9nam", "title", "Title"),
    "artist": ("TPE1", "\xa9ART", "artist", "Author"),
    "album": ("TALB", "\xa9alb", "album", "WM/AlbumTitle"),
    "genre": ("TCON", "\xa9gen", "genre", "WM/Genre"),
    "year": ("TDRC", "TYER", "\xa9day", "date", "year", "WM/Year"),
    "composer": ("TCOM", "\xa9wrt", "composer", "WM/Composer"),
    "isrc": ("TSRC", "----:com.apple.iTunes:ISRC", "isrc", "WM/ISRC"),
}
_LIMITS = {"genre": 100, "isrc": 20}


@dataclass(frozen=True, slots=True)
class Cover:
    """An embedded picture; `extension` is what its first bytes say it is. Not decoded yet."""

    data: bytes
    extension: str


@dataclass(frozen=True, slots=True)
class Tags:
    """What a file says of itself; empty where it says nothing."""

    title: str = ""
    artist: str = ""
    album: str = ""
    genre: str = ""
    composer: str = ""
    isrc: str = ""
    year: int | None = None
    cover: Cover | None = None


def read_tags(path: str) -> Tags:
    """The tags of the file at `path`. Damaged or odd ones are left out, never raised."""
    try:
        file: Any = mutagen.File(path)
    except Exception as error:  # mutagen's parsers meet files that nobody foresaw
        _log.info("The tags of %s can not be read: %r", path, error)
        return Tags()
    if file is None:
        return Tags()
    texts = {name: _text(file.tags, keys, name) for name, keys in _NAMES.items()}
    year = _year(texts.pop("year"))
    return Tags(**texts, year=year, cover=_cover(file))


def _text(tags: Any, keys: Iterable[str], name: str) -> str:
    for key in keys:
        try:
            found = tags[key]
            values = getattr(found, "text", found)
            parts = [_decoded(v) for v in (values if isinstance(values, list) else [values])]
        except Exception:  # noqa: S112  absent, or in a form that nobody foresaw: the next name
            continue
        if text := one_line(", ".join(parts), _LIMITS.get(name, 300)):
            return text
    return ""


def _decoded(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _year(text: str) -> int | None:
    found = re.search(r"(?<!\d)[12]\d{3}(?!\d)", text)
    return int(found.group()) if found else None


def _cover(file: Any) -> Cover | None:
    try:
        pictures = sorted(_pictures(file), key=lambda item: item[0] != _FRONT_COVER)
    except Exception as error:
        _log.info("The cover of %s can not be read: %r", file.filename, error)
        return None
    for _, data in pictures:
        if len(data) <= MAX_COVER_BYTES and (extension := image_extension(data)):
            return Cover(data, extension)
    return None


def _pictures(file: Any) -> Iterator[tuple[int, bytes]]:
    """Kind (3 is the front cover) and bytes of each picture."""
    for picture in getattr(file, "pictures", ()):
        yield picture.type, picture.data
    tags = file.tags
    if tags is None:
        return
    if hasattr(tags, "getall"):
        for frame in tags.getall("APIC"):
            yield frame.type, frame.data
        return
    for text in tags.get("metadata_block_picture", ()):
        block: Any = Picture(base64.b64decode(text))  # type: ignore[no-untyped-call]
        yield block.type, block.data
    for data in tags.get("covr", ()):
        yield _FRONT_COVER, bytes(data)


def image_extension(data: bytes) -> str | None:
    """`jpg`, `png`, `gif` or `webp` by the first bytes; None for anything else."""
    if data.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "webp"
    return None
