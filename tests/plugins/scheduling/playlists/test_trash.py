"""Channel playlists that were deleted come back, with what was in them."""

from __future__ import annotations

from tests.plugins.scheduling.playlists.conftest import House

from antiphon.types import Role


async def _listed(house: House, query: str = "") -> list[str]:
    return [
        it["id"] for it in (await house.owner("GET", f"channel-playlists{query}")).json["items"]
    ]


async def test_a_deleted_playlist_comes_back_with_its_items_and_places(house: House) -> None:
    made = await house.playlist(name="Evening")
    path = f"channel-playlists/{made}"
    for title in ("One", "Two"):
        item = {"item_type": "music", "content_id": str(house.song(title))}
        assert (await house.owner("POST", f"{path}/items", item)).status == 201
    before = (await house.owner("GET", path)).json
    items = (await house.owner("GET", f"{path}/items")).json
    assert (before["items"], items["total"]) == (2, 2)
    assert (await house.owner("POST", f"{path}/restore")).status == 404  # it is there
    assert (await house.owner("DELETE", path)).status == 204
    assert (await house.owner("GET", f"{path}/items")).status == 404
    assert (await _listed(house), await _listed(house, "?deleted=true")) == ([], [made])
    back = await house.owner("POST", f"{path}/restore")
    assert back.status == 200
    assert back.json | {"updated_at": 0} == before | {"updated_at": 0}
    assert (await house.owner("GET", f"{path}/items")).json == items
    assert (await _listed(house), await _listed(house, "?deleted=true")) == ([made], [])


async def test_nobody_else_restores_or_sees_it(house: House) -> None:
    made = await house.playlist(name="Evening")
    path = f"channel-playlists/{made}"
    await house.owner("DELETE", path)
    assert (await house.stranger("POST", f"{path}/restore")).status == 404
    assert (await house.stranger("GET", "channel-playlists?deleted=true")).json["total"] == 0
    helper = await house.api.caller(Role.FLOOR_USER, house.shop.client.id)
    assert (await helper("POST", f"{path}/restore")).status == 403
    assert await _listed(house, "?deleted=true") == [made]


async def test_a_name_that_was_given_again_is_no_hindrance(house: House) -> None:
    """Names of channel playlists need not be unique, so both are there."""
    made = await house.playlist(name="Evening")
    await house.owner("DELETE", f"channel-playlists/{made}")
    other = await house.playlist(name="Evening")
    assert (await house.owner("POST", f"channel-playlists/{made}/restore")).status == 200
    assert set(await _listed(house)) == {made, other}


async def test_items_are_listed_in_the_order_that_is_asked_for(house: House) -> None:
    path = f"channel-playlists/{await house.playlist(name='Evening')}/items"
    for title, weight in (("One", 2), ("Two", 3), ("Three", 1)):
        item = {"item_type": "music", "content_id": str(house.song(title)), "weight": weight}
        assert (await house.owner("POST", path, item)).status == 201

    async def weights(ordering: str) -> list[int]:
        listed = (await house.owner("GET", f"{path}?ordering={ordering}")).json
        return [item["weight"] for item in listed["items"]]

    assert await weights("order") == [2, 3, 1]
    assert await weights("-order") == [1, 3, 2]
    assert await weights("-weight") == [3, 2, 1]
    assert await weights("item_type") == [2, 3, 1]
    assert (await house.owner("GET", f"{path}?ordering=content_id")).status == 422
