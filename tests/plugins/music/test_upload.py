"""What can be uploaded, what becomes of it, and what is refused with a reason."""

from __future__ import annotations

import asyncio
import io
import resource
import struct
from pathlib import Path

import pytest
from aiohttp import FormData
from PIL import Image
from tests.plugins.music.conftest import LIMIT_MB, World
from tests.plugins.music.sounds import CODECS, PNG, sound, tag_flac, tag_mp3

from antiphon.events import MediaImported
from antiphon.tenancy.models import Client
from antiphon_music.models import MusicFile


async def test_every_format_is_taken(world: World, tmp_path: Path) -> None:
    for extension in CODECS:
        for channels in (1, 2):
            name = f"My song {channels}.{extension}"
            file = sound(tmp_path / name, 1.5, channels=channels, rate=48_000)
            status, body = await world.bakery.upload(file)
            assert status == 201, body
            assert body["title"] == f"My song {channels}"
            assert body["duration_s"] == pytest.approx(1.5, abs=0.1)
            assert body["channels"] == channels
            assert (body["loudness_lufs"], body["measured_at"]) == (None, None)
            [kept] = world.media_dir.glob(f"*/{body['id']}.*")
            assert kept.parent.name == str(world.bakery.client_id)
            assert kept.suffix == {"opus": ".ogg"}.get(extension, f".{extension}")
            assert kept.read_bytes() == file.read_bytes()


async def test_tags_and_cover_are_read(world: World, tmp_path: Path) -> None:
    told: list[MediaImported] = []
    world.bus.subscribe(MediaImported, told.append)
    _, body = await world.bakery.upload(tag_mp3(sound(tmp_path / "a.mp3"), PNG))
    assert body["title"] == "Gymnopédie № 1"
    assert body["artist"] == "Erik Satie, Ânother"
    assert (body["album"], body["genre"], body["year"]) == ("Piano", "Classical", 1888)
    assert (body["composer"], body["isrc"]) == ("Erik Satie", "FRZ038800001")
    assert [(event.title, event.kind) for event in told] == [("Gymnopédie № 1", "music")]
    cover = await world.bakery.ask("GET", f"music/{body['id']}/cover")
    assert cover.content_type == "image/png"  # by its content; the tag said JPEG
    assert Image.open(io.BytesIO(await cover.read())).size == (4, 3)

    _, body = await world.bakery.upload(tag_flac(sound(tmp_path / "b.flac"), PNG))
    assert (body["title"], body["year"], body["has_cover"]) == ("Für Elise", 1810, True)


async def test_a_cover_that_is_no_picture_is_left_out(world: World, tmp_path: Path) -> None:
    file = tag_mp3(sound(tmp_path / "a.mp3"), b"<svg onload='alert(1)'/>")
    status, body = await world.bakery.upload(file)
    assert (status, body["has_cover"]) == (201, False)
    assert len(world.files()) == 1
    assert (await world.bakery.ask("GET", f"music/{body['id']}/cover")).status == 404


def _wav(samples: bytes) -> bytes:
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 2, 44_100, 176_400, 4, 16)
    chunks = b"WAVE" + form + b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


_NO_AUDIO = [
    ("empty.mp3", b"", "it is empty"),
    ("letter.mp3", "Dear Sirs, ça va? ☂".encode() * 100, "it is text, not audio"),
    ("list.mp3", b"#EXTM3U\nfile:///etc/passwd\n\0\0", "it is text, not audio"),
    ("silent.wav", _wav(b""), "it holds no samples"),
    ("picture.mp3", PNG, ""),
    ("noise.mp3", bytes(range(1, 256)) * 40, ""),
]


async def test_what_is_not_audio_is_refused(world: World) -> None:
    for name, content, reason in _NO_AUDIO:
        status, body = await world.bakery.upload(content, name)
        assert status == 415, body
        assert body["detail"].startswith(f"{name} can not be used: ")
        assert reason in body["detail"]
    assert world.files() == []
    assert await MusicFile.all().count() == 0


async def test_truncated_files(world: World, tmp_path: Path) -> None:
    for extension in ("mp3", "flac", "ogg", "m4a"):
        content = sound(tmp_path / f"a.{extension}", 4).read_bytes()
        kept = len(world.files())
        status, body = await world.bakery.upload(content[:60], f"stump.{extension}")
        assert status == 415, body
        assert len(world.files()) == kept
        status, body = await world.bakery.upload(content[: len(content) // 2], "half")
        # An M4A keeps its index at the end: half of one can not be decoded at all.
        assert status == (415 if extension == "m4a" else 201), body


async def test_eight_channels_at_192_khz(world: World, tmp_path: Path) -> None:
    file = sound(tmp_path / "big.flac", 1, channels=8, rate=192_000)
    status, body = await world.bakery.upload(file)
    assert (status, body["channels"], body["sample_rate"]) == (201, 8, 192_000)


async def test_fields_may_follow_the_file(world: World, tmp_path: Path) -> None:
    folder = await world.bakery.json("POST", "folders", 201, json={"name": "Jazz"})
    file = sound(tmp_path / "a.wav")
    status, before = await world.bakery.upload(file, folder_id=folder["id"])
    assert (status, before["folder_id"]) == (201, folder["id"])
    status, body = await world.bakery.upload(file, after_folder_id=folder["id"])
    assert status == 409, body
    assert before["id"] in body["detail"]
    assert len(world.files()) == 1
    # The same content elsewhere is another track.
    status, body = await world.bakery.upload(file)
    assert (status, body["folder_id"]) == (201, None)


async def test_forms_that_are_wrong(world: World, tmp_path: Path) -> None:
    ask = world.bakery.ask
    assert (await ask("POST", "music", json={})).status == 415
    form = FormData({"folder_id": "x"})
    form.add_field("file", b"", filename="a.mp3")
    assert (await ask("POST", "music", data=form)).status == 422
    file = sound(tmp_path / "a.wav")
    unknown = "00000000-0000-4000-8000-000000000000"
    for field, value in (
        ("folder_id", "x"), ("folder_id", unknown), ("client_id", unknown), ("colour", "red"),
    ):  # fmt: skip
        status, body = await world.bakery.upload(file, **{field: value})
        assert (status, body["errors"][0]["field"]) == (422, field)
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    for broken in (b"", b"--b\r\n", b"--b\r\nContent-Disposition: form-data; name=file\r\n\r\nxx"):
        answer = await ask("POST", "music", data=broken, headers=headers)
        assert answer.status in (415, 422), await answer.text()
    assert world.files() == []


async def test_names_of_files_never_become_paths(world: World, tmp_path: Path) -> None:
    content = sound(tmp_path / "a.mp3").read_bytes()
    status, body = await world.bakery.upload(content, "..\\..\\etc/we%00i%0Ard%2f..%2fa.mp3")
    assert status == 201, body
    assert "/" not in body["filename"]
    assert "\0" not in body["filename"]
    [kept] = world.files()
    assert kept.is_relative_to(world.media_dir / str(world.bakery.client_id))


async def test_a_large_upload_is_never_held_in_memory(world: World) -> None:
    size = (LIMIT_MB - 10) << 20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    header = _wav(b"")[:40] + struct.pack("<I", size)

    async def chunks() -> object:
        form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="long.wav"\r\n\r\n'
        yield form + header
        for index in range(size >> 16):
            yield bytes([index & 255, 0]) * (1 << 15)
        yield b"\r\n--b--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = await world.bakery.ask("POST", "music", data=chunks(), headers=headers)
    assert answer.status == 201, await answer.text()
    assert (await answer.json())["file_size"] == size + 44
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kb < (size >> 10) / 2


async def test_what_is_too_large_leaves_nothing(world: World) -> None:
    async def chunks() -> object:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="long.wav"\r\n\r\n'
        for _ in range((LIMIT_MB << 4) + 40):
            yield bytes(1 << 16)
        yield b"\r\n--b--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = await world.bakery.ask("POST", "music", data=chunks(), headers=headers)
    assert answer.status == 413
    assert (await answer.json())["code"] == "too_large"
    assert world.files() == []


async def test_an_upload_that_breaks_off_leaves_nothing(world: World) -> None:
    begun = asyncio.Event()

    async def chunks() -> object:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        for _ in range(40):
            yield bytes(1 << 16)
        begun.set()
        await asyncio.sleep(60)

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    sending = asyncio.create_task(world.bakery.ask("POST", "music", data=chunks(), headers=headers))
    await begun.wait()
    async with asyncio.timeout(5):
        while not world.files():  # noqa: ASYNC110  the server writes when it has read enough
            await asyncio.sleep(0.01)
        sending.cancel()
        await asyncio.wait([sending])
        while world.files():  # noqa: ASYNC110  and notices the loss in its own time
            await asyncio.sleep(0.01)


async def test_storage_of_a_client_is_limited(world: World, tmp_path: Path) -> None:
    await Client.filter(id=world.bakery.client_id).update(max_storage_gb=0.0005)
    first, second = sound(tmp_path / "a.wav", 2), sound(tmp_path / "b.wav", 2, hz=500)
    assert (await world.bakery.upload(first))[0] == 201
    status, body = await world.bakery.upload(second)
    assert status == 409
    assert "storage is used up" in body["detail"]
    assert len(world.files()) == 1
