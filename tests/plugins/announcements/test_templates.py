"""Templates: scripts with placeholders, those that come along, and announcements made of them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from tests.plugins.announcements.conftest import Shop

from antiphon.tenancy.models import Client
from antiphon.types import Role
from antiphon_announcements.models import Announcement, AnnouncementTemplate
from antiphon_announcements.ready_made import ready_made

ALL = "announcement-templates"
CAR = {"name": "Car", "text": "The car {plate} is {what}.", "defaults": {"what": "in the way"}}


async def _make(shop: Shop, **more: Any) -> Any:
    made = await shop.owner("POST", ALL, CAR | more)
    assert made.status == 201, made.json
    return made.json


async def test_a_template_is_filled_and_spoken(shop: Shop) -> None:
    made = await _make(shop, category="Cars", band="page", chime=True)
    assert (made["placeholders"], made["built_in"]) == (["plate", "what"], False)
    path = f"{ALL}/{made['id']}"
    values = {"plate": "B-{what} 12"}  # what a value says is never a placeholder itself
    shown = await shop.owner("POST", f"{path}/preview", {"values": values})
    assert shown.json == {"text": "The car B-{what} 12 is in the way."}
    spoken = await shop.owner("POST", f"{path}/announcement", {"values": values, "chime": None})
    assert spoken.status == 201, spoken.json
    wanted = {
        "title": "Car", "text": "The car B-{what} 12 is in the way.", "category": "Cars",
        "band": "page", "chime": None, "type": "tts",
    }  # fmt: skip
    assert {name: spoken.json[name] for name in wanted} == wanted
    heard = await shop.owner("GET", f"announcements/{spoken.json['id']}/audio")
    assert heard.body.startswith(b"RIFF")


async def test_all_wrong_values_are_named_at_once(shop: Shop) -> None:
    made = await _make(shop, defaults={})
    path = f"{ALL}/{made['id']}"
    for where in ("preview", "announcement"):
        refused = await shop.owner("POST", f"{path}/{where}", {"values": {"colour": "red"}})
        assert refused.status == 422
        assert refused.wrong_fields == ["values.plate", "values.what", "values.colour"]
    for values in ({"plate": 7}, {"plate": "a\nb", "what": "x"}, {"plate": "x" * 201}, "red"):
        refused = await shop.owner("POST", f"{path}/announcement", {"values": values})
        assert refused.status == 422, values
    assert await Announcement.all().count() == 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"text": "Open {"}, "text"),
        ({"text": "{two words}"}, "text"),
        ({"text": "{1st}"}, "text"),
        ({"text": "{}"}, "text"),
        ({"text": "x" * 5001}, "text"),
        ({"text": " ".join(f"{{p{n}}}" for n in range(21))}, "text"),
        ({"text": 7}, "text"),
        ({"defaults": {"colour": "red"}}, "defaults.colour"),
        ({"defaults": ["red"]}, "defaults"),
        ({"language": "Deutsch"}, "language"),
        ({"name": "../../etc\0"}, "name"),
        ({"folder_id": str(uuid4())}, "folder_id"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_wrong_template_is_refused(shop: Shop, body: Any, field: str) -> None:
    refused = await shop.owner("POST", ALL, CAR | body)
    assert refused.status == 422, refused.json
    assert field in refused.wrong_fields
    assert await AnnouncementTemplate.all().count() == 0


async def test_those_that_come_along(shop: Shop) -> None:
    """Each in every language with the same placeholders; to use, not to change."""
    languages = {one.language for one in ready_made().values()}
    assert languages == {"de", "en", "tr"}
    assert len(ready_made()) >= 12 * len(languages)
    found = await shop.owner("GET", f"{ALL}?built_in=true&limit=200")
    assert found.json["total"] == len(ready_made())
    [closing] = [one for one in found.json["items"] if one["name"] == "Closing soon"]
    assert (closing["placeholders"], closing["defaults"]) == (["minutes"], {"minutes": "15"})
    path = f"{ALL}/{closing['id']}"
    assert (await shop.owner("GET", path)).json == closing
    spoken = await shop.owner("POST", f"{path}/announcement", {"values": {"minutes": "5"}})
    assert "we close in 5 minutes" in spoken.json["text"]
    for method, body in (("PATCH", {"name": "Mine"}), ("DELETE", None)):
        assert (await shop.owner(method, path, body)).json["code"] == "conflict"
    by_key: dict[frozenset[str], int] = {}
    for one in found.json["items"]:
        by_key[frozenset(one["placeholders"])] = by_key.get(frozenset(one["placeholders"]), 0) + 1
    assert all(count % len(languages) == 0 for count in by_key.values()), by_key


async def test_own_ones_come_first_in_pages_and_filters(shop: Shop) -> None:
    for name, language in (("Zebra", "en"), ("Apfel", "de-AT"), ("Birne", "de")):
        await _make(shop, name=name, language=language)
    along = len(ready_made())

    async def names(query: str) -> list[str]:
        page = await shop.owner("GET", f"{ALL}?{query}")
        assert page.status == 200, page.json
        return [one["name"] for one in page.json["items"]]

    assert (await shop.owner("GET", ALL)).json["total"] == 3 + along
    assert await names("limit=3") == ["Apfel", "Birne", "Zebra"]
    mixed = await names("limit=2&offset=2")
    assert mixed[0] == "Zebra"
    assert len(mixed) == 2
    assert await names(f"limit=5&offset={3 + along}") == []
    assert await names("built_in=false&ordering=-name") == ["Zebra", "Birne", "Apfel"]
    assert await names("built_in=false&language=de") == ["Apfel", "Birne"]
    assert await names("search=ZEBRA") == ["Zebra"]
    assert await names("search=Kennzeichen&built_in=true&ordering=name") == [
        "Ein Auto steht im Weg", "Licht am Auto",
    ]  # fmt: skip
    assert (await shop.owner("GET", f"{ALL}?ordering=text")).status == 422


async def test_a_text_is_spoken_by_a_voice_of_its_language(shop: Shop) -> None:
    german = next(one for one in ready_made().values() if one.name == "Wir schließen jetzt")
    path = f"{ALL}/{german.id}/announcement"
    refused = await shop.owner("POST", path, {})
    assert (refused.status, refused.wrong_fields) == (422, ["voice"])
    assert "none speaks de" in refused.json["detail"]
    voice, *_ = await shop.context.speech.voices()
    assert (await shop.owner("POST", path, {"voice": voice.id})).status == 201


async def test_deleted_restored_and_hidden_from_others(shop: Shop) -> None:
    made = await _make(shop)
    path = f"{ALL}/{made['id']}"
    other = await Client.create(name="Other")
    stranger = await shop.api.caller(Role.CLIENT, other.id)
    for method, where, body in (
        ("GET", path, None), ("PATCH", path, {"name": "x"}), ("DELETE", path, None),
        ("POST", f"{path}/restore", None), ("POST", f"{path}/preview", {"values": {"plate": "x"}}),
        ("POST", f"{path}/announcement", {"values": {"plate": "x"}}),
    ):  # fmt: skip
        assert (await stranger(method, where, body)).status == 404, (method, where)
    assert (await shop.owner("POST", f"{path}/restore")).status == 404  # it is not deleted
    assert (await shop.owner("DELETE", path)).status == 204
    assert (await shop.owner("GET", path)).status == 404
    [gone] = (await shop.owner("GET", f"{ALL}?deleted=true")).json["items"]
    assert gone["deleted_at"] is not None
    back = await shop.owner("POST", f"{path}/restore")
    assert (back.status, back.json["deleted_at"]) == (200, None)
    changed = await shop.owner("PATCH", path, {"text": "Now {thing}.", "defaults": {}})
    assert changed.json["placeholders"] == ["thing"]
    assert (await shop.owner("PATCH", path, {"text": "No more."})).json["placeholders"] == []
