"""Which loudspeakers a page of the list shows, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.conftest import Migrated
from tests.fakes.database import Tenant, make_tenant
from tests.fakes.queries import counted

from antiphon.building.devices import DeviceService
from antiphon.building.models import Device
from antiphon.events import EventBus
from antiphon.plugins.devices import DeviceQuery
from antiphon.settings.models import SnapcastSettings
from antiphon.store import open_database
from antiphon.streams import Snapcast
from antiphon.types import Principal, Role

ADMIN = Principal.system()


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path, migrated: Migrated) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    migrated(tmp_path)
    return ""


@pytest.fixture
async def hotel(url: str, tmp_path: Path) -> AsyncIterator[Tenant]:
    async with open_database(url, tmp_path):
        yield await make_tenant("Hotel")


@pytest.fixture
def devices(hotel: Tenant, tmp_path: Path) -> DeviceService:
    bus = EventBus()
    return DeviceService(bus, Snapcast(SnapcastSettings(mode="off"), tmp_path, tmp_path, bus))


async def add(hotel: Tenant, count: int) -> None:
    for number in range(count):
        await Device.create(
            client=hotel.client,
            zone=hotel.bar if number % 2 else None,
            name=f"Horn {number:02}",
            device_id=f"id-{number:02}",
            model="Bell 100%" if number == 3 else "Horn_2",
            volume=50 + number % 3,
            is_online=number == 4,
        )


async def names(devices: DeviceService, who: Principal, **query: object) -> list[str]:
    page = await devices.page(who, DeviceQuery.model_validate(query))
    return [view.name for view in page.items]


async def test_pages_follow_each_other_and_know_how_many_there_are(
    hotel: Tenant, devices: DeviceService
) -> None:
    await add(hotel, 25)
    seen = []
    for offset in range(0, 30, 10):
        page = await devices.page(hotel.owner, DeviceQuery(limit=10, offset=offset))
        assert page.total == 26
        seen += [view.name for view in page.items]
    assert seen == [*(f"Horn {number:02}" for number in range(25)), "Speaker of Hotel"]
    assert (await devices.page(hotel.owner, DeviceQuery(offset=99))).items == ()


async def test_pages_far_behind_are_like_the_others(hotel: Tenant, devices: DeviceService) -> None:
    many = [
        Device(client=hotel.client, name=f"N{n:04}", device_id=f"n{n:04}") for n in range(1_100)
    ]
    await Device.bulk_create(many, batch_size=500)
    page = await devices.page(hotel.owner, DeviceQuery(limit=3, offset=1_000, ordering="-name"))
    assert page.total == 1_101
    assert [view.name for view in page.items] == ["N0100", "N0099", "N0098"]
    assert (await devices.page(hotel.owner, DeviceQuery(offset=2_000))).items == ()


async def test_a_page_shows_what_a_single_view_shows(hotel: Tenant, devices: DeviceService) -> None:
    [view] = (await devices.page(hotel.owner, DeviceQuery())).items
    assert view == await devices.view(hotel.owner, hotel.speaker.id)
    assert [view] == await devices.views(hotel.owner)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"is_online": True}, ["Horn 04"]),
        ({"assigned": False}, ["Horn 00", "Horn 02", "Horn 04"]),
        ({"assigned": True}, ["Horn 01", "Horn 03", "Speaker of Hotel"]),
        ({"assigned": True, "search": "HORN"}, ["Horn 01", "Horn 03"]),
        ({"search": "hotel-"}, ["Speaker of Hotel"]),
        ({"search": "0%"}, ["Horn 03"]),
        ({"search": "n_2"}, ["Horn 00", "Horn 01", "Horn 02", "Horn 04"]),
        ({"search": "' OR 1=1 --"}, []),
        ({"search": "horn", "ordering": "-name", "limit": 2}, ["Horn 04", "Horn 03"]),
        ({"search": "horn", "ordering": "volume", "limit": 3}, ["Horn 00", "Horn 03", "Horn 01"]),
        ({"search": "horn", "ordering": "-is_online", "limit": 1}, ["Horn 04"]),
    ],
)
async def test_filters_search_and_order(
    hotel: Tenant, devices: DeviceService, query: dict[str, object], expected: list[str]
) -> None:
    await add(hotel, 5)
    assert await names(devices, hotel.owner, **query) == expected


async def test_filters_by_zone_and_client(hotel: Tenant, devices: DeviceService) -> None:
    await add(hotel, 3)
    gym = await make_tenant("Gym")
    assert await names(devices, ADMIN, zone_id=hotel.bar.id) == ["Horn 01"]
    assert await names(devices, ADMIN, client_id=gym.client.id) == ["Speaker of Gym"]
    assert await names(devices, hotel.owner, client_id=gym.client.id) == []
    assert await names(devices, hotel.owner, zone_id=gym.shop.id) == []


async def test_who_sees_what_nobody_has_adopted(hotel: Tenant, devices: DeviceService) -> None:
    await Device.create(name="A stray", device_id="stray")
    alone = ["A stray", "Speaker of Hotel"]
    assert await names(devices, hotel.owner) == alone
    assert await names(devices, Principal(role=Role.STAFF)) == alone
    assert await names(devices, hotel.cellar_user) == []
    gym = await make_tenant("Gym")
    assert await names(devices, hotel.owner) == ["Speaker of Hotel"]
    assert await names(devices, gym.owner) == ["Speaker of Gym"]
    assert await names(devices, ADMIN) == ["A stray", "Speaker of Gym", "Speaker of Hotel"]


async def test_more_loudspeakers_are_no_more_queries(hotel: Tenant, devices: DeviceService) -> None:
    asked = []
    for count in (60, 300):
        await Device.filter(name__startswith="Horn").delete()
        await add(hotel, count)
        with counted() as queries:
            page = await devices.page(hotel.owner, DeviceQuery(limit=50))
        assert (len(page.items), page.total) == (50, count + 1)
        asked.append(len(queries))
    assert asked[0] == asked[1] <= 3
