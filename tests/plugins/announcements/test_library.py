"""Finding, changing, deleting and playing; and who may."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.plugins.announcements.conftest import TABLES, Shop

from antiphon.errors import Conflict, NotFound
from antiphon.plugins import CallRequest, MediaRef
from antiphon.store import open_database
from antiphon.tenancy.models import Client
from antiphon.types import Band, CallStyle, Role
from antiphon_announcements.models import Announcement
from antiphon_music.models import Folder, FolderType


async def _make(shop: Shop, title: str, **more: Any) -> Any:
    made = await shop.owner("POST", "announcements", {"title": title, "text": title} | more)
    assert made.status == 201, made.json
    return made.json


async def _titles(shop: Shop, query: str) -> tuple[list[str], int]:
    found = await shop.owner("GET", f"announcements?{query}")
    assert found.status == 200
    return [item["title"] for item in found.json["items"]], found.json["total"]


async def test_announcements_are_listed_newest_first_searched_and_cut(shop: Shop) -> None:
    kind = FolderType.ANNOUNCEMENTS
    folder = str((await Folder.create(client=shop.client, name="Doors", type=kind)).id)
    await _make(shop, "Öffnungszeiten", category="info")
    await _make(shop, "Ladenschluss", folder_id=folder)
    await _make(shop, "Parkplatz", text="Der Wagen vor der ÖFFNUNG", enabled=False)
    assert await _titles(shop, "") == (["Parkplatz", "Ladenschluss", "Öffnungszeiten"], 3)
    assert await _titles(shop, "limit=1&offset=1") == (["Ladenschluss"], 3)
    assert await _titles(shop, "search=öffnung") == (["Parkplatz", "Öffnungszeiten"], 2)
    assert await _titles(shop, "search=100%25") == ([], 0)
    assert await _titles(shop, "category=info") == (["Öffnungszeiten"], 1)
    assert await _titles(shop, f"folder_id={folder}") == (["Ladenschluss"], 1)
    assert await _titles(shop, "enabled=false") == (["Parkplatz"], 1)


async def test_the_folder_of_an_announcement_is_ones_own(shop: Shop) -> None:
    stranger = await Client.create(name="Stranger")
    kind = FolderType.ANNOUNCEMENTS
    foreign = str((await Folder.create(client=stranger, name="Doors", type=kind)).id)
    for_music = str((await Folder.create(client=shop.client, name="Jazz")).id)
    made = await _make(shop, "Lunch")
    for folder in (foreign, for_music, str(uuid4())):
        body = {"title": "x", "text": "x", "folder_id": folder}
        assert (await shop.owner("POST", "announcements", body)).wrong_fields == ["folder_id"]
        path = f"announcements/{made['id']}"
        refused = await shop.owner("PATCH", path, {"folder_id": folder})
        assert refused.wrong_fields == ["folder_id"]


async def test_what_is_changed_changes_and_the_rest_stays(shop: Shop) -> None:
    made = await _make(shop, "Lunch", chime=True)
    path = f"announcements/{made['id']}"
    changed = await shop.owner("PATCH", path, {"title": "Dinner", "chime": None, "band": "spot"})
    assert changed.status == 200
    expected = made | {"title": "Dinner", "chime": None, "band": "spot"}
    expected["updated_at"] = changed.json["updated_at"]
    assert (await shop.owner("GET", path)).json == expected
    assert await _titles(shop, "search=dinner") == (["Dinner"], 1)
    assert shop.voice.spoken == ["Lunch"]


async def test_a_bad_change_changes_nothing(shop: Shop) -> None:
    made = await _make(shop, "Lunch")
    backwards = {"valid_from": "2026-02-01T00:00:00Z", "valid_until": "2026-01-01T00:00:00Z"}
    for change, field in (
        ({"title": None}, "title"),
        ({"text": ""}, "text"),
        ({"voice": "tone:none"}, "voice"),
        (backwards, "valid_until"),
    ):
        refused = await shop.owner("PATCH", f"announcements/{made['id']}", change)
        assert (refused.status, refused.wrong_fields) == (422, [field])
    assert (await shop.owner("GET", f"announcements/{made['id']}")).json == made


async def test_a_deleted_announcement_is_gone_for_everyone(shop: Shop) -> None:
    made = await _make(shop, "Lunch")
    path = f"announcements/{made['id']}"
    assert (await shop.owner("DELETE", path)).status == 204
    for method, below in (("GET", ""), ("GET", "/audio"), ("DELETE", ""), ("PATCH", "")):
        body: Any = {} if method == "PATCH" else None
        assert (await shop.owner(method, path + below, body)).status == 404
    assert await _titles(shop, "") == ([], 0)
    with pytest.raises(NotFound):
        await _resolve(shop, made["id"])


async def _resolve(shop: Shop, value: str) -> Any:
    ref = MediaRef(kind="announcement", value=value)
    return await shop.context.media.resolve(shop.client.id, ref)


async def test_a_call_gets_the_file_with_its_measures(shop: Shop) -> None:
    wishes = {"band": "page", "chime": True, "chime_after": True, "style": "between"}
    made = await _make(shop, "Lunch", **wishes)
    assert made.items() >= wishes.items()
    media = await _resolve(shop, made["id"])
    assert media.path.is_file()
    assert (media.title, media.band, media.chime) == ("Lunch", Band.PAGE, True)
    assert (media.chime_after, media.style) == (True, CallStyle.BETWEEN)
    assert media.loudness_lufs == made["loudness_lufs"]
    for value in ("nonsense", str(uuid4())):
        with pytest.raises(NotFound):
            await _resolve(shop, value)


async def test_play_makes_a_call_for_this_announcement(shop: Shop) -> None:
    made = await _make(shop, "Lunch")
    zone = next(iter(shop.zones.by_id))
    body = {"zones": [str(zone)], "chime": True, "expires_in_s": 60}
    played = await shop.owner("POST", f"announcements/{made['id']}/play", body)
    assert played.status == 202
    assert played.json["announcement_id"] == made["id"]
    _, principal, request = shop.zones.asked[-1]
    assert principal.user_id == shop.owner.user.id
    assert request == CallRequest(
        announcement_id=made["id"], zones=[zone], chime=True, expires_in_s=60
    )
    everywhere = await shop.owner("POST", f"announcements/{made['id']}/play", {"all": True})
    assert everywhere.status == 202


async def test_a_play_that_says_no_place_is_refused(shop: Shop) -> None:
    made = await _make(shop, "Lunch")
    nowhere = str(uuid4())
    bodies: list[tuple[dict[str, Any], int]] = [
        ({}, 422),
        ({"zones": []}, 422),
        ({"zones": [nowhere]}, 404),
        ({"zones": [nowhere], "all": True}, 422),
    ]
    for body, status in bodies:
        refused = await shop.owner("POST", f"announcements/{made['id']}/play", body)
        assert refused.status == status


async def test_what_may_not_be_heard_now_says_why(shop: Shop) -> None:
    changes: list[tuple[dict[str, Any], str]] = [
        ({"enabled": False}, "it is switched off"),
        ({"valid_until": "2020-01-01T00:00:00Z"}, "it was valid until 2020-01-01"),
        ({"valid_from": "2999-01-01T10:00:00+02:00"}, "it is valid from 2999-01-01 08:00 UTC"),
    ]
    for change, says in changes:
        made = await _make(shop, "Lunch")
        await shop.owner("PATCH", f"announcements/{made['id']}", change)
        refused = await shop.owner("POST", f"announcements/{made['id']}/play", {"all": True})
        assert refused.status == 409
        assert says in refused.json["detail"]
        with pytest.raises(Conflict, match=says):
            await _resolve(shop, made["id"])


async def test_another_clients_announcements_do_not_exist(shop: Shop) -> None:
    made = await _make(shop, "Lunch")
    stranger = await shop.api.caller(Role.CLIENT, (await Client.create(name="Other")).id)
    path = f"announcements/{made['id']}"
    for method, below in (("GET", ""), ("GET", "/audio"), ("PATCH", ""), ("POST", "/play")):
        body: Any = {"POST": {"all": True}, "PATCH": {}}.get(method)
        assert (await stranger(method, path + below, body)).status == 404
    assert (await stranger("GET", "announcements")).json["total"] == 0


async def test_a_floor_user_plays_but_makes_none(shop: Shop) -> None:
    made = await _make(shop, "Lunch")
    user = await shop.api.caller(Role.FLOOR_USER, shop.client.id, uuid4())
    assert (await user("GET", f"announcements/{made['id']}/audio")).status == 200
    assert (await user("POST", f"announcements/{made['id']}/play", {"all": True})).status == 202
    text = {"title": "A", "text": "Hello"}
    assert (await user("POST", "announcements", text)).status == 403
    assert (await user("DELETE", f"announcements/{made['id']}")).status == 403


async def test_an_admin_names_the_client_where_there_are_several(shop: Shop) -> None:
    admin = await shop.api.caller(Role.ADMIN, None)
    text = {"title": "A", "text": "Hello"}
    assert (await admin("POST", "announcements", text)).status == 201
    other = await Client.create(name="Other")
    refused = await admin("POST", "announcements", text)
    assert (refused.status, refused.wrong_fields) == (422, ["client_id"])
    made = await admin("POST", "announcements", text | {"client_id": str(other.id)})
    assert made.json["client_id"] == str(other.id)


async def test_the_library_works_on_postgresql_too(postgres_url: str, tmp_path: Path) -> None:
    async with open_database(postgres_url, tmp_path, {"announcements": TABLES}) as database:
        assert not database.failed
        client = await Client.create(name="Shop")
        await Announcement.create(
            client=client,
            title="Lunch",
            file="a.wav",
            file_size=3 << 30,
            duration_s=1.0,
            content_hash="0" * 64,
            search_text="100% lunch",
        )
        for search, found in (("lunch", 1), ("0% l", 1), ("0_ l", 0)):
            assert await Announcement.filter(search_text__contains=search).count() == found
