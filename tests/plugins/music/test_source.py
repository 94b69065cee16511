"""What zones get to play."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from tests.plugins.music.conftest import World
from tests.plugins.music.sounds import sound, tag_easily

from antiphon.errors import Invalid, NotFound
from antiphon.plugins import MediaRef
from antiphon.types import Band
from antiphon_music.art import ArtKeys
from antiphon_music.folders import make_folder
from antiphon_music.source import MusicSource


async def test_a_track_is_resolved_for_its_own_client_alone(world: World, tmp_path: Path) -> None:
    source = MusicSource(world.media_dir, ArtKeys(b"secret"))
    file = tag_easily(sound(tmp_path / "a.flac"), title="Für Elise", artist="Beethoven")
    music = await world.add(file)
    ref = MediaRef(kind="music", value=str(music.id))
    media = await source.resolve(world.bakery.client_id, ref)
    assert media.path.read_bytes() == file.read_bytes()
    assert (media.title, media.artist, media.band) == ("Für Elise", "Beethoven", Band.MUSIC)
    assert (media.loudness_lufs, media.true_peak_db) == (None, None)
    await world.measurer.measure(music)
    assert (await source.resolve(world.bakery.client_id, ref)).loudness_lufs is not None
    with pytest.raises(NotFound):
        await source.resolve(world.gym.client_id, ref)
    for value in (str(uuid4()), "x", ""):
        with pytest.raises(NotFound):
            await source.resolve(world.bakery.client_id, MediaRef(kind="music", value=value))
    with pytest.raises(Invalid):
        await source.resolve(world.bakery.client_id, MediaRef(kind="library", value=""))
    media.path.unlink()
    with pytest.raises(NotFound, match="audio file"):
        await source.resolve(world.bakery.client_id, ref)


async def test_folders_and_the_library_are_expanded_in_order(world: World, tmp_path: Path) -> None:
    client_id = world.bakery.client_id
    titles = {}
    for hz, path in enumerate((["B"], ["A"], ["B", "Z"], ["B", "C"], [], ["B"]), start=300):
        folder = await make_folder(client_id, path)
        music = await world.add(
            sound(tmp_path / f"{hz}.wav", 0.2, hz=hz), folder_id=folder.id if folder else None
        )
        titles[str(music.id)] = f"{'/'.join(path)}:{hz - 299}"
    await world.add(tmp_path / "300.wav", world.gym)
    source = MusicSource(world.media_dir, ArtKeys(b"secret"))

    async def expanded(kind: str, value: str = "") -> list[str]:
        refs = await source.expand(client_id, MediaRef(kind=kind, value=value))
        return [titles[ref.value] for ref in refs]

    inner = await make_folder(client_id, ["B"])
    assert inner is not None
    assert await expanded("folder", str(inner.id)) == ["B:1", "B:6", "B/C:4", "B/Z:3"]
    assert await expanded("library") == [":5", "A:2", "B:1", "B:6", "B/C:4", "B/Z:3"]
    assert await expanded("music", next(iter(titles))) == ["B:1"]
    with pytest.raises(NotFound):
        await source.expand(world.gym.client_id, MediaRef(kind="folder", value=str(inner.id)))


async def test_many_tracks_are_described_at_once_without_their_files(
    world: World, tmp_path: Path
) -> None:
    source = MusicSource(world.media_dir, ArtKeys(b"secret"))
    tracks = [await world.add(sound(tmp_path / f"{hz}.wav", 0.2, hz=hz)) for hz in (300, 400)]
    theirs = await world.add(tmp_path / "300.wav", world.gym)
    refs = [MediaRef(kind="music", value=str(one.id)) for one in (*tracks, theirs)]
    (world.media_dir / tracks[0].file).unlink()
    known = await source.describe(
        world.bakery.client_id, [*refs, MediaRef(kind="music", value="x")]
    )
    assert known.keys() == set(refs[:2])
    assert known[refs[1]] == await source.resolve(world.bakery.client_id, refs[1])
