"""Real sound files, made by ffmpeg, and files that are none."""

from __future__ import annotations

import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.fakes.picture import png

# mutagen is typed in part only.
mutagen: Any = import_module("mutagen")
id3: Any = import_module("mutagen.id3")
flac: Any = import_module("mutagen.flac")

PNG = png()
CODECS = {
    "mp3": ["-c:a", "libmp3lame", "-b:a", "128k"],
    "flac": ["-c:a", "flac"],
    "ogg": ["-c:a", "libvorbis"],
    "opus": ["-c:a", "libopus"],
    "m4a": ["-c:a", "aac"],
    "wav": ["-c:a", "pcm_s16le"],
}


def sound(
    path: Path,
    seconds: float = 1.0,
    *,
    hz: int = 440,
    channels: int = 2,
    rate: int = 44_100,
    volume_db: float = -12.0,
) -> Path:
    """A sine of this length; the format is that of the name."""
    source = f"sine=frequency={hz}:sample_rate={rate}:duration={seconds}"
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", source]
    gain = volume_db + 18.06  # the sine of libavfilter peaks at an eighth of full scale
    command += ["-af", f"volume={gain}dB", "-ac", str(channels), *CODECS[path.suffix[1:]]]
    subprocess.run([*command, str(path)], check=True, timeout=60)
    return path


def tag_mp3(path: Path, cover: bytes | None = None) -> Path:
    tags = id3.ID3()
    for frame, text in (
        (id3.TIT2, "Gymnopédie № 1"),
        (id3.TPE1, ["Erik Satie", "Ânother"]),
        (id3.TALB, "Piano"),
        (id3.TCON, "Classical"),
        (id3.TDRC, "1888-04-02"),
        (id3.TCOM, "Erik Satie"),
        (id3.TSRC, "FRZ038800001"),
    ):
        tags.add(frame(encoding=3, text=text))
    if cover is not None:
        tags.add(id3.APIC(encoding=3, mime="image/jpeg", type=3, desc="", data=cover))
    tags.save(path)
    return path


def tag_flac(path: Path, cover: bytes) -> Path:
    file = flac.FLAC(path)
    file["title"] = "Für Elise"
    file["artist"] = "Beethoven"
    file["date"] = "1810"
    picture = flac.Picture()
    picture.type = 3
    picture.mime = "image/png"
    picture.data = cover
    file.add_picture(picture)
    file.save()
    return path


def tag_easily(path: Path, **tags: str) -> Path:
    """Title and artist in whatever way the format keeps them."""
    file = mutagen.File(path, easy=True)
    if file.tags is None:
        file.add_tags()
    for name, value in tags.items():
        file[name] = value
    file.save()
    return path
