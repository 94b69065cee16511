"""Announcements from text: spoken at once, and never twice for nothing."""

from __future__ import annotations

from typing import Any

import pytest
from tests.plugins.announcements.conftest import Shop

from antiphon.errors import PartAway
from antiphon.events import Event, MediaImported, MediaMeasured
from antiphon_announcements import plugin
from antiphon_announcements.models import Announcement

CLOSING = {"title": "Closing", "text": "The shop closes soon."}


async def test_a_text_becomes_an_announcement_that_can_be_heard(shop: Shop) -> None:
    events: list[Event] = []
    shop.context.bus.subscribe(MediaImported, events.append)
    shop.context.bus.subscribe(MediaMeasured, events.append)
    made = await shop.owner("POST", "announcements", CLOSING)
    assert made.status == 201
    assert made.json["type"] == "tts"
    assert made.json["voice"] == "tone:low"
    assert made.json["duration_s"] == pytest.approx(0.05 * len(CLOSING["text"]), abs=0.01)
    assert made.json["loudness_lufs"] == pytest.approx(-9.0, abs=1.5)
    assert made.json["true_peak_db"] == pytest.approx(-6.0, abs=0.5)
    assert made.json["created_by"] == str(shop.owner.user.id)
    assert [type(event) for event in events] == [MediaImported, MediaMeasured]
    heard = await shop.owner("GET", f"announcements/{made.json['id']}/audio")
    assert heard.headers["Content-Type"] == "audio/wav"
    assert heard.body[:4] == b"RIFF"
    assert len(heard.body) == made.json["file_size"]


async def test_a_part_of_the_sound_can_be_asked_for(shop: Shop) -> None:
    made = await shop.owner("POST", "announcements", CLOSING)
    path = f"announcements/{made.json['id']}/audio"
    part = await shop.owner("GET", path, headers={"Range": "bytes=4-11"})
    whole = await shop.owner("GET", path)
    assert part.status == 206
    assert part.body == whole.body[4:12]
    beyond = await shop.owner("GET", path, headers={"Range": "bytes=99999999-"})
    assert beyond.status == 416


_BAD: list[tuple[dict[str, Any], str]] = [
    ({"title": "A", "text": ""}, "text"),
    ({"title": "A", "text": "  \n "}, "text"),
    ({"title": "A", "text": "x" * 20_000}, "text"),
    ({"title": "A"}, "text"),
    ({"text": "Hello"}, "title"),
    ({"title": " ", "text": "Hello"}, "title"),
    ({"title": "A", "text": "Hello", "voice": "tone:none"}, "voice"),
    ({"title": "A", "text": "Hello", "band": "shout"}, "band"),
    ({"title": "A", "text": "Hello", "volume": 3}, "volume"),
    (
        {
            "title": "A",
            "text": "Hello",
            "valid_from": "2026-02-01T00:00:00Z",
            "valid_until": "2026-01-01T00:00:00Z",
        },
        "body",
    ),
]


async def test_bad_input_is_refused_by_field_and_leaves_nothing(shop: Shop) -> None:
    for body, field in _BAD:
        refused = await shop.owner("POST", "announcements", body)
        assert refused.status == 422
        assert refused.wrong_fields == [field]
    assert await Announcement.all().count() == 0
    assert shop.voice.spoken == []


async def test_a_voice_that_is_away_is_told_as_such_and_asked_again_later(shop: Shop) -> None:
    shop.voice.trouble = PartAway("The voice", "Wait.")
    assert (await shop.owner("POST", "announcements", CLOSING)).status == 503
    shop.voice.trouble = None
    assert (await shop.owner("POST", "announcements", CLOSING)).status == 201


async def test_a_new_text_is_spoken_and_the_old_sound_stays_until_the_next_start(
    shop: Shop,
) -> None:
    made = (await shop.owner("POST", "announcements", CLOSING)).json
    before = _files(shop)
    change = {"text": "The shop closes now!", "voice": "tone:high"}
    changed = await shop.owner("PATCH", f"announcements/{made['id']}", change)
    assert changed.status == 200
    assert {key: changed.json[key] for key in change} == change
    assert changed.json["duration_s"] < made["duration_s"]
    assert before < _files(shop)
    async with plugin.antiphon_services(shop.context)[0]:
        left = _files(shop)
    assert len(left) == 1
    assert not left & before
    assert (await shop.owner("GET", f"announcements/{made['id']}/audio")).status == 200


def _files(shop: Shop) -> set[str]:
    return {path.name for path in shop.context.media_dir.rglob("*.wav")}
