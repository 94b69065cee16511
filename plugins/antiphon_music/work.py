"""What runs in a job's process: looking into files and measuring them. JSON in, JSON out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from antiphon.engine.codec import AudioInfo, Unplayable, probe
from antiphon.engine.codec import measure as measure_file
from antiphon.pictures import remake_bytes
from antiphon_music.tags import read_tags

# libav's names of containers that hold audio and nothing else to follow, and our extensions.
_EXTENSIONS = {
    "aac": "aac",
    "aiff": "aiff",
    "ape": "ape",
    "asf": "wma",
    "caf": "caf",
    "flac": "flac",
    "matroska": "mka",
    "mov": "m4a",
    "mp3": "mp3",
    "ogg": "ogg",
    "tta": "tta",
    "w64": "w64",
    "wav": "wav",
    "wv": "wv",
}
_TEXT_SAMPLE = 512
_PLAYLISTS = (b"#extm3u", b"ffconcat", b"<", b"[playlist]", b"[reference]", b"v=0")


def inspect(path: str, cover_path: str) -> dict[str, Any]:
    """What the file at `path` is: `{"refused": reason}`, or its sound, tags and extension.

    An embedded cover is made anew at `cover_path`, its extension is then in `cover`. One that can
    not be decoded is left out.
    """
    try:
        info = _looked_into(path)
    except Unplayable as error:
        return {"refused": error.reason}
    extension = _EXTENSIONS.get(info.container.split(",")[0])
    if extension is None:
        return {"refused": f"{info.container} is not a format of audio files"}
    tags = read_tags(path)
    cover = remake_bytes(tags.cover.data, Path(cover_path)) if tags.cover else None
    return {
        "extension": extension,
        "codec": info.codec,
        "sample_rate": info.sample_rate,
        "channels": info.channels,
        "duration_s": info.duration_s,
        "tags": {k: v for k, v in dataclasses.asdict(tags).items() if k != "cover"},
        "cover": cover,
    }


def _looked_into(path: str) -> AudioInfo:
    with Path(path).open("rb") as file:
        head = file.read(_TEXT_SAMPLE)
    if not head:
        raise Unplayable(Path(path).name, "it is empty")
    # Text never reaches libav: a playlist could make it open files of other people.
    if _is_text(head) or head.lstrip(b"\xef\xbb\xbf \t\r\n\0").lower().startswith(_PLAYLISTS):
        raise Unplayable(Path(path).name, "it is text, not audio")
    return probe(path)


def _is_text(head: bytes) -> bool:
    # The last sign may be cut in two; the rest has to be whole.
    text = head.decode("utf-8", "ignore")
    printable = all(sign.isprintable() or sign in "\t\r\n\f" for sign in text)
    return printable and len(text.encode()) > len(head) - 4


def measure(path: str, progress: Callable[[float], None] | None = None) -> dict[str, Any]:
    """Loudness and true peak after EBU R128, or `{"refused": reason}`."""
    try:
        return dataclasses.asdict(measure_file(path, progress))
    except Unplayable as error:
        return {"refused": error.reason}
