"""Tags in every family of formats, and ones that nobody foresaw."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from tests.plugins.music.sounds import PNG, id3, mutagen, sound, tag_easily

from antiphon.text import one_line
from antiphon_music.tags import Tags, read_tags
from antiphon_music.text import fold, search_words


@pytest.mark.parametrize("extension", ["mp3", "flac", "ogg", "opus", "m4a"])
def test_title_and_artist_in_every_format(tmp_path: Path, extension: str) -> None:
    file = tag_easily(sound(tmp_path / f"a.{extension}"), title="Ça va ☂", artist="Zoë")
    file = file.rename(tmp_path / "upload.part")  # names do not matter
    tags = read_tags(str(file))
    assert (tags.title, tags.artist) == ("Ça va ☂", "Zoë")


def test_wav_and_m4a_in_full(tmp_path: Path) -> None:
    wav = mutagen.File(sound(tmp_path / "a.wav"))
    wav.add_tags()
    wav.tags.add(id3.TIT2(encoding=1, text="In a WAV"))
    wav.save()
    assert read_tags(str(tmp_path / "a.wav")).title == "In a WAV"
    mp4: Any = import_module("mutagen.mp4")
    m4a = mp4.MP4(sound(tmp_path / "a.m4a"))
    m4a["\xa9wrt"] = "Composer"
    m4a["\xa9day"] = "2001-05"
    m4a["----:com.apple.iTunes:ISRC"] = mp4.MP4FreeForm(b"GBAYE0000001")
    m4a["covr"] = [mp4.MP4Cover(PNG, mp4.MP4Cover.FORMAT_JPEG)]
    m4a.save()
    tags = read_tags(str(tmp_path / "a.m4a"))
    assert (tags.composer, tags.year, tags.isrc) == ("Composer", 2001, "GBAYE0000001")
    assert tags.cover is not None
    assert tags.cover.extension == "png"


def test_odd_tags_never_crash(tmp_path: Path) -> None:
    file = sound(tmp_path / "a.mp3")
    tags = id3.ID3()
    tags.add(id3.TIT2(encoding=0, text="A\0B\x07\n  C"))
    tags.add(id3.TPE1(encoding=3, text="x" * 5_000))
    tags.add(id3.TDRC(encoding=0, text="1987/88, Köln"))
    tags.add(id3.APIC(encoding=0, mime="", type=3, desc="", data=PNG[:8] + b"\0" * (11 << 20)))
    tags.add(id3.APIC(encoding=0, mime="", type=4, desc="", data=PNG))
    tags.save(file)
    read = read_tags(str(file))
    assert read.title == "A, B C"  # ID3 parts texts by NUL
    assert len(read.artist) == 300
    assert read.year == 1987
    assert read.cover is not None
    assert read.cover.data == PNG  # the small one: the other is larger than a cover may be
    # A tag that is torn in its middle.
    content = bytearray(file.read_bytes())
    content[10:200] = b"\xff\x00\xfe" * 63 + b"\xff"
    file.write_bytes(content)
    assert isinstance(read_tags(str(file)), Tags)


def test_words() -> None:
    assert one_line("  a\tb\0\ud800 c\n", 100) == "a b ? c"
    assert one_line("abcdef", 3) == "abc"
    assert fold("ÉLISE Straße") == "elise strasse"
    assert search_words("  Für  ELISE ") == ["fur", "elise"]
