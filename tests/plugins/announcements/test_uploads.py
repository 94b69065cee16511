"""Files as announcements: told by their content, streamed, and nothing left of those refused."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest
from aiohttp import FormData
from tests.fakes.plugin_api import Answer
from tests.fakes.speech import write_tone
from tests.plugins.announcements.conftest import Shop

from antiphon_announcements.models import Announcement


def _tone(folder: Path, seconds: float = 2.0) -> bytes:
    write_tone(folder / "tone.wav", seconds)
    return (folder / "tone.wav").read_bytes()


async def _encoded(folder: Path, ending: str, *options: str) -> bytes:
    _tone(folder)
    target = folder / f"encoded.{ending}"
    arguments = ["-loglevel", "error", "-i", str(folder / "tone.wav"), *options, str(target)]
    process = await asyncio.create_subprocess_exec("ffmpeg", *arguments)
    assert await process.wait() == 0
    return target.read_bytes()


async def _upload(shop: Shop, content: bytes, name: str = "call.wav", **fields: str) -> Answer:
    form = FormData(quote_fields=False)  # as browsers send names
    for field, value in fields.items():
        form.add_field(field, value)
    form.add_field("file", io.BytesIO(content), filename=name)
    return await shop.owner("POST", "announcements", data=form)


def _left(shop: Shop) -> list[str]:
    folders = (shop.context.media_dir, shop.context.data_dir)
    return [path.name for folder in folders for path in folder.rglob("*") if path.is_file()]


async def test_a_file_becomes_an_announcement(shop: Shop, tmp_path: Path) -> None:
    content = _tone(tmp_path)
    made = await _upload(
        shop,
        content,
        "../../Doors closing.WAV",
        band="page",
        chime="true",
        category="Doors",
        is_recording="true",
    )
    assert made.status == 201
    wanted = {
        "title": "Doors closing",
        "type": "recorded",
        "band": "page",
        "chime": True,
        "category": "Doors",
        "text": None,
        "file_size": len(content),
    }
    assert {key: made.json[key] for key in wanted} == wanted
    assert made.json["duration_s"] == pytest.approx(2.0, abs=0.01)
    assert made.json["loudness_lufs"] == pytest.approx(-9.0, abs=1.5)
    heard = await shop.owner("GET", f"announcements/{made.json['id']}/audio")
    assert heard.body == content
    assert len(_left(shop)) == 1


async def test_the_content_decides_what_it_is_not_the_name(shop: Shop, tmp_path: Path) -> None:
    for ending, options, kind in (
        ("mp3", ["-b:a", "64k"], "audio/mpeg"),
        ("flac", [], "audio/flac"),
        ("ogg", ["-c:a", "libopus"], "audio/ogg"),
        ("m4a", ["-c:a", "aac"], "audio/mp4"),
    ):
        made = await _upload(shop, await _encoded(tmp_path, ending, *options), "voice.txt")
        assert made.status == 201, made.json
        assert made.json["duration_s"] == pytest.approx(2.0, abs=0.1)
        heard = await shop.owner("GET", f"announcements/{made.json['id']}/audio")
        assert heard.headers["Content-Type"] == kind


async def test_what_is_no_sound_is_refused_by_its_own_name_and_leaves_nothing(
    shop: Shop, tmp_path: Path
) -> None:
    for content, name, says in (
        (b"", "empty.wav", "it is empty"),
        (b"Dear customers, this is a letter.\n" * 50, "letter.mp3", "it is not audio"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "cut.wav", "can not be used"),
        (bytes(3000), "zeroes.mp3", "can not be used"),
        (_tone(tmp_path, 0.0), "moment.wav", "it holds no samples"),
    ):
        refused = await _upload(shop, content, name)
        assert refused.status == 415
        assert refused.json["code"] == "unsupported_media"
        assert name in refused.json["detail"]
        assert says in refused.json["detail"]
    assert await Announcement.all().count() == 0
    assert _left(shop) == []


async def test_a_clip_too_short_to_measure_is_taken_unmeasured(shop: Shop, tmp_path: Path) -> None:
    made = await _upload(shop, _tone(tmp_path, 0.1))
    assert made.status == 201
    assert made.json["loudness_lufs"] is None


async def test_a_file_beyond_the_limit_is_refused_while_it_comes(
    shop: Shop, tmp_path: Path
) -> None:
    refused = await _upload(shop, _tone(tmp_path, 30.0))
    assert refused.status == 413
    assert _left(shop) == []


async def test_wrong_fields_beside_the_file_are_named(shop: Shop, tmp_path: Path) -> None:
    for field, value in (
        ("band", "shout"),
        ("titel", "A"),
        ("enabled", "perhaps"),
        ("client_id", "00000000-0000-0000-0000-000000000001"),
        ("category", "x" * 101),
    ):
        refused = await _upload(shop, _tone(tmp_path), **{field: value})
        assert refused.status == 422
        assert refused.wrong_fields == [field]
    assert _left(shop) == []


async def test_a_form_without_a_file_and_a_body_of_another_kind_are_refused(shop: Shop) -> None:
    form = FormData({"title": "A"}, default_to_multipart=True)
    refused = await shop.owner("POST", "announcements", data=form)
    assert (refused.status, refused.wrong_fields) == (422, ["file"])
    plain = await shop.owner(
        "POST", "announcements", data=b"hello", headers={"Content-Type": "text/plain"}
    )
    assert plain.status == 415


async def test_a_body_that_is_no_form_is_refused(shop: Shop) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    for body in (b"no boundary here", b'--x\r\nContent-Disposition: form-data; name="file"'):
        refused = await shop.owner("POST", "announcements", data=body, headers=headers)
        assert refused.status == 422
