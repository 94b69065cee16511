"""Channel playlists over the API: what is refused names its field; what is in force, and why."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tests.plugins.scheduling.playlists.conftest import TEN, House

from antiphon.building.models import Zone
from antiphon.errors import NotFound
from antiphon.types import Role
from antiphon_scheduling.playlists.models import ChannelPlaylist, ChannelPlaylistItem

NOWHERE = "00000000-0000-0000-0000-00000000dead"


async def test_a_playlist_is_made_read_changed_switched_and_deleted(house: House) -> None:
    zone, floor = str(house.shop.shop.id), str(house.shop.cellar.id)
    made = await house.playlist(
        name="Evening", floors=[floor], quiet_from="22:00", quiet_until="07:30", title_gap_min=90
    )
    path = f"channel-playlists/{made}"
    read = (await house.owner("GET", path)).json
    assert (read["zones"], read["floors"], read["items"]) == ([zone], [floor], 0)
    assert (read["quiet_from"], read["quiet_until"]) == ("22:00:00", "07:30:00")
    change = {"zones": [], "default_announcement_interval_min": 15, "quiet_from": None}
    changed = await house.owner("PATCH", path, change | {"quiet_until": None})
    assert (changed.json["zones"], changed.json["floors"]) == ([], [floor])
    assert changed.json["default_announcement_interval_min"] == 15
    assert changed.json["quiet_from"] is None
    assert (await house.owner("POST", f"{path}/toggle")).json["enabled"] is False
    listed = (await house.owner("GET", "channel-playlists?enabled=false&search=even")).json
    assert [item["id"] for item in listed["items"]] == [made]
    for client_id, count in ((house.shop.client.id, 1), (house.gym.client.id, 0)):
        listed = (await house.owner("GET", f"channel-playlists?client_id={client_id}")).json
        assert listed["total"] == count
    assert (await house.owner("DELETE", path)).status == 204
    assert (await house.owner("GET", path)).status == 404
    assert (await house.owner("GET", "channel-playlists")).json["total"] == 0


async def test_bad_playlists_are_refused_by_field_and_make_nothing(house: House) -> None:
    foreign_zone, foreign_floor = str(house.gym.shop.id), str(house.gym.cellar.id)
    bad: list[tuple[dict[str, Any], list[str]]] = [
        ({"name": " "}, ["name"]),
        ({"zones": [NOWHERE]}, ["zones.0"]),
        ({"zones": [str(house.shop.bar.id), foreign_zone]}, ["zones.1"]),
        ({"floors": [foreign_floor]}, ["floors.0"]),
        ({"quiet_from": "22:00"}, ["quiet_until"]),
        ({"quiet_until": "22:00"}, ["quiet_from"]),
        ({"quiet_from": "22:00", "quiet_until": "22:00"}, ["quiet_until"]),
        ({"quiet_from": "22:00+02:00", "quiet_until": "07:00"}, ["quiet_from"]),
        ({"title_gap_min": 241}, ["title_gap_min"]),
        ({"default_announcement_interval_min": 0}, ["default_announcement_interval_min"]),
        (
            {"default_announcement_interval_min": 5, "default_announcement_every_tracks": 3},
            ["default_announcement_every_tracks"],
        ),
        ({"band": "urgent"}, ["band"]),
        ({"colour": 1}, ["colour"]),
    ]
    for changes, fields in bad:
        refused = await house.owner("POST", "channel-playlists", {"name": "X"} | changes)
        assert (refused.status, refused.wrong_fields) == (422, fields), changes
    assert await ChannelPlaylist.all().count() == 0


async def test_bad_items_are_refused_by_field_and_make_nothing(house: House) -> None:
    made = await house.playlist(quiet_from="22:00", quiet_until="07:00")
    song, spot = str(house.song("One")), str(house.spot("Offer"))
    foreign = str(house.media.music.add(house.gym.client.id, "Theirs"))
    music = {"item_type": "music", "content_id": song}
    speech = {"item_type": "announcement", "content_id": spot}
    bad: list[tuple[dict[str, Any], list[str]]] = [
        (music | {"content_id": NOWHERE}, ["content_id"]),
        (music | {"content_id": foreign}, ["content_id"]),
        (music | {"item_type": "folder"}, ["content_id"]),
        (speech | {"content_id": song}, ["content_id"]),
        (music | {"item_type": "moon"}, ["item_type"]),
        (music | {"weight": 0}, ["weight"]),
        (music | {"weight": 11}, ["weight"]),
        (music | {"interval_min": 5}, ["interval_min"]),
        (speech | {"weight": 2}, ["weight"]),
        (speech | {"interval_min": 0}, ["interval_min"]),
        (speech | {"interval_min": 5, "fixed_times": ["12:00"]}, ["fixed_times"]),
        (speech | {"interval_min": 5, "every_tracks": 3}, ["every_tracks"]),
        (speech | {"fixed_times": ["12:00", "25:00"]}, ["fixed_times.1"]),
        (speech | {"fixed_times": ["12:00", "18:00", "12:00:00"]}, ["fixed_times.2"]),
        (speech | {"fixed_times": ["12:00Z"]}, ["fixed_times.0"]),
        (speech | {"fixed_times": ["12:00", "06:59"]}, ["fixed_times.1"]),
    ]
    for body, fields in bad:
        refused = await house.owner("POST", f"channel-playlists/{made}/items", body)
        assert (refused.status, refused.wrong_fields) == (422, fields), body
    assert await ChannelPlaylistItem.all().count() == 0
    [item] = await house.put(made, "announcement", UUID(spot), fixed_times=["12:00"])
    later = {"quiet_from": "11:00", "quiet_until": "13:00"}
    refused = await house.owner("PATCH", f"channel-playlists/{made}", later)
    assert (refused.status, refused.wrong_fields) == (422, ["quiet_from"])
    assert item in refused.json["detail"]
    refused = await house.owner(
        "PATCH", f"channel-playlists/{made}/items/{item}", {"interval_min": 3}
    )
    assert (refused.status, refused.wrong_fields) == (422, ["fixed_times"])


async def test_many_items_are_added_at_once_or_none_of_them(house: House) -> None:
    made = await house.playlist(quiet_from="22:00", quiet_until="07:00")
    path = f"channel-playlists/{made}/items"
    songs = [house.song(f"Song {n}") for n in range(1_200)]
    foreign = str(house.media.music.add(house.gym.client.id, "Theirs"))
    items: list[dict[str, Any]] = [
        {"item_type": "music", "content_id": str(key), "weight": 1 + n % 3}
        for n, key in enumerate(songs)
    ]
    spot = {"item_type": "announcement", "content_id": str(house.spot("Offer"))}
    wrong = [
        *items[:2],
        items[2] | {"content_id": foreign},
        spot | {"fixed_times": ["12:00", "12:00"]},
        spot | {"fixed_times": ["23:00"]},
        items[3] | {"style": "between"},
        {"item_type": "folder", "content_id": NOWHERE},
    ]
    refused = await house.owner("POST", f"{path}/batch", {"items": wrong})
    assert (refused.status, sorted(refused.wrong_fields)) == (
        422,
        [
            "items.2.content_id",
            "items.3.fixed_times.1",
            "items.4.fixed_times.0",
            "items.5.style",
            "items.6.content_id",
        ],
    )
    for place, bad in enumerate(({"interval_min": 0}, {"weight": 0})):
        body = {"items": [spot, (items[0], spot)[place == 0] | bad]}
        refused = await house.owner("POST", f"{path}/batch", body)
        assert (refused.status, refused.wrong_fields) == (422, [f"items.1.{next(iter(bad))}"])
    assert await ChannelPlaylistItem.all().count() == 0
    added = await house.owner("POST", f"{path}/batch", {"items": [*items, spot]})
    assert (added.status, added.json) == (201, {"added": 1_201, "total": 1_201})
    listed = (await house.owner("GET", f"{path}?limit=5")).json
    assert [item["content_id"] for item in listed["items"]] == [str(key) for key in songs[:5]]
    keys = [str(row.id) for row in await ChannelPlaylistItem.all().order_by("order")]
    turned = await house.owner("POST", f"{path}/reorder", {"item_ids": keys[::-1]})
    assert turned.json["total"] == 1_201
    assert turned.json["items"][0]["id"] == keys[-1]


async def test_music_that_can_not_be_read_is_refused_and_what_plays_goes_on(house: House) -> None:
    zone = house.shop.shop.id
    good = await house.playlist(name="Good")
    await house.put(good, "music", house.song("Fine"))
    await house.play(good)
    await house.owner("PATCH", f"channel-playlists/{good}", {"name": "Zzz"})
    made = await house.playlist(name="Bad")
    gone = [house.song(f"Gone {n}") for n in range(3)]
    await house.put(made, "music", *gone)
    for key in gone:
        house.media.music.raises[key] = NotFound("audio file", "Gone")
    house.media.music.describes = True
    refused = await house.owner("POST", f"channel-playlists/{made}/play")
    assert (refused.status, refused.wrong_fields) == (422, ["playlist_id"])
    assert "can be read" in refused.json["detail"]
    assert (await house.channel(zone))["name"] == "Bad"
    view = await house.zones.view(house.shop.owner, zone)
    assert view.track is not None
    assert view.track.title == "Fine"


async def test_items_are_put_in_order(house: House) -> None:
    made = await house.playlist()
    path = f"channel-playlists/{made}/items"
    keys = [house.song(title) for title in "ABC"]
    items = await house.put(made, "music", *keys)
    turned = items[::-1]
    assert (await house.owner("POST", f"{path}/reorder", {"item_ids": turned})).status == 200
    listed = (await house.owner("GET", path)).json["items"]
    assert [item["id"] for item in listed] == turned
    for wrong in (items[:2], [*items, NOWHERE], [items[0], items[0], items[1]]):
        refused = await house.owner("POST", f"{path}/reorder", {"item_ids": wrong})
        assert refused.status == 422
    assert (await house.owner("DELETE", f"{path}/{items[1]}")).status == 204
    [last] = await house.put(made, "music", keys[1])
    listed = (await house.owner("GET", path)).json["items"]
    assert [item["id"] for item in listed] == [items[2], items[0], last]
    changed = await house.owner("PATCH", f"{path}/{last}", {"weight": 4})
    assert changed.json["weight"] == 4


async def test_other_tenants_playlists_do_not_exist(house: House) -> None:
    made = await house.playlist()
    [item] = await house.put(made, "music", house.song("One"))
    path = f"channel-playlists/{made}"
    attempts = [
        ("GET", path, None),
        ("PATCH", path, {"name": "Mine"}),
        ("DELETE", path, None),
        ("POST", f"{path}/toggle", None),
        ("POST", f"{path}/play", None),
        ("POST", f"{path}/stop", None),
        ("GET", f"{path}/preview", None),
        ("GET", f"{path}/items", None),
        ("POST", f"{path}/items", {"item_type": "music", "content_id": NOWHERE}),
        ("PATCH", f"{path}/items/{item}", {"weight": 2}),
        ("DELETE", f"{path}/items/{item}", None),
        ("POST", f"{path}/items/reorder", {"item_ids": [item]}),
        ("GET", f"zones/{house.shop.shop.id}/channel", None),
    ]
    for method, where, body in attempts:
        assert (await house.stranger(method, where, body)).status == 404, (method, where)
    assert (await house.stranger("GET", "channel-playlists")).json["total"] == 0
    theirs = (await house.stranger("POST", "channel-playlists", {"name": "Gym"})).json["id"]
    own = f"channel-playlists/{theirs}/items/{item}"
    assert (await house.stranger("PATCH", own, {"weight": 2})).status == 404
    play = {"playlist_id": made}
    where = f"zones/{house.gym.shop.id}/playback/play"
    assert (await house.stranger("POST", where, play)).status == 404


async def test_a_floor_user_reads_and_changes_nothing(house: House) -> None:
    made = await house.playlist()
    user = await house.api.caller(Role.FLOOR_USER, house.shop.client.id, house.shop.cellar.id)
    assert (await user("GET", f"channel-playlists/{made}")).status == 200
    assert (await user("GET", f"zones/{house.shop.bar.id}/channel")).status == 200
    assert (await user("GET", f"zones/{house.shop.shop.id}/channel")).status == 404
    assert (await user("POST", f"channel-playlists/{made}/toggle")).status == 403
    assert (await user("POST", f"channel-playlists/{made}/play")).status == 403


async def test_what_is_more_specific_wins_then_the_name_and_it_is_said_why(house: House) -> None:
    zone, floor = house.shop.shop.id, str(house.shop.shop_floor.id)
    assert (await house.channel(zone))["reason"] == "none is assigned"
    beta = await house.playlist(name="beta", zones=[], floors=[floor])
    alpha = await house.playlist(name="Alpha", zones=[], floors=[floor])
    own = await house.playlist(name="Zeta", zones=[str(zone)])
    await house.playlist(name="Aaa", zones=[str(house.shop.bar.id)])
    seen = await house.channel(zone)
    assert (seen["playlist_id"], seen["name"]) == (own, "Zeta")
    assert seen["reason"] == "it is assigned to the zone itself"
    assert [(one["name"], one["assigned_to"]) for one in seen["candidates"]] == [
        ("Zeta", "zone"),
        ("Alpha", "floor"),
        ("beta", "floor"),
    ]
    assert "counts for more" in seen["candidates"][1]["reason"]
    await house.owner("POST", f"channel-playlists/{own}/toggle")
    seen = await house.channel(zone)
    assert seen["playlist_id"] == alpha
    reasons = {one["name"]: one["reason"] for one in seen["candidates"]}
    assert reasons["Zeta"] == "it is switched off"
    assert reasons["beta"] == "“Alpha” is assigned to the zone's floor too and comes first by name"
    for playlist in (alpha, beta):
        await house.owner("POST", f"channel-playlists/{playlist}/toggle")
    seen = await house.channel(zone)
    assert (seen["playlist_id"], seen["reason"]) == (None, "all that are assigned are switched off")


async def test_a_zone_that_is_gone_is_gone_from_its_playlists(house: House) -> None:
    zones = [str(house.shop.shop.id), str(house.shop.bar.id)]
    floor = str(house.shop.cellar.id)
    made = await house.playlist(zones=zones, floors=[floor])
    await Zone.filter(id=house.shop.bar.id).update(deleted_at=TEN)
    read = (await house.owner("GET", f"channel-playlists/{made}")).json
    assert (read["zones"], read["floors"]) == (zones[:1], [floor])
    again = {"zones": read["zones"], "floors": read["floors"]}
    assert (await house.owner("PATCH", f"channel-playlists/{made}", again)).status == 200


async def test_the_preview_shows_an_order_and_the_rules_it_breaks(house: House) -> None:
    made = await house.playlist(title_gap_min=60)
    await house.put(made, "music", house.song("A", "Duo"), house.song("B", "Duo"), weight=2)
    seen = (await house.owner("GET", f"channel-playlists/{made}/preview?seed=x")).json
    assert seen["total"] == 4
    assert (seen["titles_too_soon"], seen["artists_in_a_row"]) == (2, 1)
    broken = [song["broken"] for song in seen["songs"]]
    assert broken == [None, "artist_in_a_row", "title_gap", "title_gap"]
    assert (await house.owner("GET", f"channel-playlists/{made}/preview?seed=x")).json == seen
