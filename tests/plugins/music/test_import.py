"""`antiphon music add DIR`."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from tests.plugins.music.conftest import MUSIC
from tests.plugins.music.sounds import PNG, sound, tag_easily
from typer.testing import CliRunner

from antiphon.errors import Invalid
from antiphon.store import open_database
from antiphon.tenancy.models import Client
from antiphon_music.commands import commands
from antiphon_music.models import Folder, MusicFile


@pytest.fixture
def home(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A server's data directory with one client, which the command finds by its settings."""
    monkeypatch.setenv("ANTIPHON_DATA_DIR", str(data_dir))
    _in_database(data_dir, lambda: Client.create(name="Bakery"))
    return data_dir


def _in_database(data_dir: Path, work: Any) -> Any:
    async def run() -> Any:
        async with open_database("", data_dir, {"music": MUSIC}):
            return await work()

    return asyncio.run(run())


def _add(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(commands, ["add", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def _album(tmp_path: Path) -> Path:
    album = tmp_path / "Some Album"
    inner = album / "Disc 2"
    inner.mkdir(parents=True)
    sound(album / "01 first.mp3", 2, hz=300)
    tag_easily(sound(album / "02.flac", 2, hz=400), title="Second", artist="Somebody")
    sound(album / "03 third.ogg", 2, hz=500)
    sound(inner / "04 fourth.m4a", 2, hz=600)
    (album / "cover.png").write_bytes(PNG)
    (album / "notes.txt").write_text("Bought in 1999")
    (album / "empty.wav").touch()
    (album / ".hidden.mp3").write_bytes(b"x")
    return album


def test_a_directory_is_imported_and_measured_once(home: Path, tmp_path: Path) -> None:
    album = _album(tmp_path)
    code, output = _add(album)
    assert code == 0, output
    assert "4 tracks added, 0 already there." in output
    assert re.search(r"Measured 0:00:0[78] of music in .* × real time", output)
    assert "Passed over: 3" in output
    assert "notes.txt: it is text, not audio" in output
    assert "empty.wav: it is empty" in output
    assert "cover.png: " in output
    assert "hidden" not in output

    async def library() -> list[tuple[str, str, int]]:
        folders: dict[Any, str] = {f.id: f.name for f in await Folder.all()}
        rows = await MusicFile.all().order_by("filename")
        assert all(row.loudness_lufs is not None and row.measured_at for row in rows)
        assert all((home / "media" / row.file).is_file() for row in rows)
        return [(row.title, folders[row.folder_id], row.order) for row in rows]

    found = _in_database(home, library)
    assert found == [
        ("01 first", "Some Album", 0),
        ("Second", "Some Album", 1),
        ("03 third", "Some Album", 2),
        ("04 fourth", "Disc 2", 0),
    ]
    kept = sorted(path for path in (home / "media").rglob("*") if path.is_file())
    assert len(kept) == 4

    code, output = _add(album)
    assert code == 0, output
    assert "0 tracks added, 4 already there." in output
    assert "Measured" not in output
    assert _in_database(home, library) == found
    assert sorted(path for path in (home / "media").rglob("*") if path.is_file()) == kept

    code, output = _add(album / "02.flac", "--folder", "Jazz/Evening")
    assert code == 0, output
    assert "1 track added" in output


def test_what_can_not_be_imported(home: Path, tmp_path: Path) -> None:
    assert _add(tmp_path / "nowhere")[0] == 2
    empty = tmp_path / "empty"
    empty.mkdir()
    code, output = _add(empty)
    assert code == 1
    assert "There is no music in" in output
    _in_database(home, lambda: Client.create(name="Gym"))
    with pytest.raises(Invalid, match="is Gym"):
        _add(empty)
    sound(empty / "a.wav")
    code, output = _add(empty, "--client", "Gym", "--folder", "")
    assert code == 0, output


def test_an_interrupted_import_is_measured_by_the_next(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    album = _album(tmp_path)
    monkeypatch.setenv("ANTIPHON_MUSIC__MEASURE", "false")
    assert "Measured" not in _add(album)[1]
    monkeypatch.delenv("ANTIPHON_MUSIC__MEASURE")
    code, output = _add(album)
    assert code == 0
    assert "0 tracks added, 4 already there." in output
    assert "Measured" in output
