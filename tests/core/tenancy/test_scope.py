from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from tests.fakes.database import Tenant, make_tenant
from tortoise import fields
from tortoise.models import Model
from tortoise.queryset import QuerySet

from antiphon.building.models import Device, Floor, Zone
from antiphon.errors import Invalid
from antiphon.playback.models import PlaybackState, PlayEvent
from antiphon.tenancy.models import Client, User
from antiphon.tenancy.scope import scoped, writable_client
from antiphon.types import Principal, Role

ADMIN = Principal(role=Role.ADMIN)
STAFF = Principal(role=Role.STAFF)
NOBODY = Principal(role=Role.FLOOR_USER)


@pytest.fixture
async def ours(database: None) -> Tenant:
    return await make_tenant("Ours")


@pytest.fixture
async def theirs(ours: Tenant) -> Tenant:
    return await make_tenant("Theirs")


async def names(model: type[Floor | Zone | Device], principal: Principal) -> set[str]:
    return {str(name) for name in await scoped(model, principal).values_list("name", flat=True)}


async def test_admin_and_staff_see_every_tenant(ours: Tenant, theirs: Tenant) -> None:
    for principal in (ADMIN, STAFF):
        assert await scoped(Zone, principal).count() == 4
        assert await scoped(Client, principal).count() == 2


async def test_a_client_sees_its_own_alone(ours: Tenant, theirs: Tenant) -> None:
    assert {zone.id for zone in await scoped(Zone, ours.owner)} == {ours.shop.id, ours.bar.id}
    assert await names(Device, ours.owner) == {"Speaker of Ours"}
    assert await scoped(Client, ours.owner) == [ours.client]
    assert await scoped(Zone, ours.owner).get_or_none(id=theirs.shop.id) is None


async def test_a_floor_user_sees_its_floor_alone(ours: Tenant, theirs: Tenant) -> None:
    assert await names(Floor, ours.cellar_user) == {"Cellar"}
    assert await names(Zone, ours.cellar_user) == {"Bar"}
    assert await names(Device, ours.cellar_user) == set()
    await Device.create(client=ours.client, zone=ours.bar, name="Bar left", device_id="b1")
    assert await names(Device, ours.cellar_user) == {"Bar left"}


async def test_rows_of_a_zone_follow_the_zone(ours: Tenant, theirs: Tenant) -> None:
    for tenant in (ours, theirs):
        for zone in (tenant.shop, tenant.bar):
            await PlaybackState.create(zone=zone)
            await PlayEvent.create(zone=zone, client=tenant.client, call_id=uuid4())
    assert await scoped(PlaybackState, ours.owner).count() == 2
    assert [row.zone_id for row in await scoped(PlaybackState, ours.cellar_user)] == [ours.bar.id]
    assert [row.zone_id for row in await scoped(PlayEvent, ours.cellar_user)] == [ours.bar.id]


async def test_a_principal_without_reach_sees_nothing(ours: Tenant) -> None:
    homeless = Principal(role=Role.FLOOR_USER, client_id=ours.client.id)
    lost = Principal(role=Role.CLIENT)
    for principal in (NOBODY, homeless, lost):
        assert await names(Zone, principal) == set()
        assert await names(Floor, principal) == set()


async def test_admin_acting_for_a_client_is_limited_to_it(ours: Tenant, theirs: Tenant) -> None:
    acting = Principal(role=Role.ADMIN, client_id=ours.client.id)
    assert await scoped(Device, acting) == [ours.speaker]


async def test_only_admins_see_admins(ours: Tenant) -> None:
    for role, client in ((Role.ADMIN, None), (Role.STAFF, None), (Role.CLIENT, ours.client)):
        await User.create(email=f"{role}@x.org", role=role, client=client, password_hash="-")
    assert {user.role for user in await scoped(User, ADMIN)} == {
        Role.ADMIN,
        Role.STAFF,
        Role.CLIENT,
    }
    assert {user.role for user in await scoped(User, STAFF)} == {Role.STAFF, Role.CLIENT}
    assert {user.role for user in await scoped(User, ours.owner)} == {Role.CLIENT}


async def test_deleted_rows_are_left_out_for_everybody(ours: Tenant) -> None:
    ours.shop.deleted_at = datetime.now(UTC)
    await ours.shop.save()
    assert await names(Zone, ours.owner) == await names(Zone, ADMIN) == {"Bar"}


async def test_a_query_keeps_its_own_filters(ours: Tenant, theirs: Tenant) -> None:
    assert await scoped(Zone.filter(name="Bar"), ours.owner) == [ours.bar]


async def test_what_belongs_to_no_tenant_is_not_given_to_one(ours: Tenant) -> None:
    class Tariff(Model):
        id = fields.IntField(primary_key=True)

    prices = QuerySet(Tariff)
    with pytest.raises(TypeError, match="Tariff belongs to no tenant"):
        scoped(prices, ours.owner)
    with pytest.raises(TypeError):
        scoped(prices, ours.cellar_user)
    scoped(prices, ADMIN)


async def test_a_tenant_writes_into_its_own_client(ours: Tenant, theirs: Tenant) -> None:
    assert await writable_client(ours.owner, None) == ours.client.id
    assert await writable_client(ours.cellar_user, ours.client.id) == ours.client.id
    with pytest.raises(Invalid, match="client_id: there is no client"):
        await writable_client(ours.owner, theirs.client.id)


async def test_admin_names_the_client_unless_there_is_one(ours: Tenant) -> None:
    found = await writable_client(ADMIN, None)
    assert isinstance(found, UUID)
    assert found == ours.client.id
    other = await make_tenant("Second")
    with pytest.raises(Invalid, match="several clients"):
        await writable_client(ADMIN, None)
    assert await writable_client(STAFF, other.client.id) == other.client.id
    with pytest.raises(Invalid, match="there is no client"):
        await writable_client(ADMIN, uuid4())


async def test_without_a_client_nothing_can_be_written(database: None) -> None:
    with pytest.raises(Invalid, match="no client yet"):
        await writable_client(ADMIN, None)
