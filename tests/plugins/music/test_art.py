"""Covers for those who can not log in: a key opens one picture and nothing else."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from tests.plugins.music.conftest import ART_SECRET, World
from tests.plugins.music.sounds import PNG, sound

from antiphon_music.art import ArtKeys


def test_keys_are_those_of_the_file_and_cannot_be_guessed(tmp_path: Path) -> None:
    path, music_id = tmp_path / "art.key", uuid4()
    keys = ArtKeys.of_file(path)
    key = keys.key(music_id)
    assert ArtKeys.of_file(path).read(key) == music_id
    assert path.stat().st_mode & 0o077 == 0
    assert keys.read(key[:-1] + ("0" if key[-1] != "0" else "1")) is None
    assert keys.read(f"{uuid4().hex}-{key.partition('-')[2]}") is None
    for nonsense in ("", "none", "-", key.replace("-", ""), "\u00fc-\u00fc"):
        assert keys.read(nonsense) is None
    assert ArtKeys(b"another").read(key) is None


async def test_whoever_has_the_key_sees_the_cover_and_else_a_neutral_picture(
    world: World, tmp_path: Path
) -> None:
    music = await world.add(sound(tmp_path / "song.mp3", seconds=0.5))
    path = f"/api/v1/music-art/{ArtKeys(ART_SECRET).key(music.id)}"

    async def picture(url: str) -> tuple[int, str, bytes]:
        answer = await world.bakery.http.get(url)  # nobody is logged in
        return answer.status, answer.content_type, await answer.read()

    status, kind, neutral = await picture(path)
    assert (status, kind, neutral[:4]) == (200, "image/svg+xml", b"<svg")
    assert (await picture("/api/v1/music-art/none"))[2] == neutral
    assert (await picture(f"{path}0"))[0] == 404
    music.cover_art = f"{music.client_id}/x-cover.png"
    world.library.path_of(music.cover_art).write_bytes(PNG)
    await music.save()
    assert await picture(path) == (200, "image/png", PNG)
