"""Where schedules are heard, what they are kept from, and edits in the last moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from tests.fakes.zones import zone_view
from tests.plugins.scheduling.conftest import NINE, Station

from antiphon.building.models import Device, Floor, Zone
from antiphon.errors import SubscriptionInactive
from antiphon.events import DeviceChanged, ScheduleMissed, ScheduleSuppressed, ZoneCreated
from antiphon.tenancy.models import SubscriptionStatus
from antiphon_scheduling.models import Outcome, ScheduleRecord
from antiphon_scheduling.places import Places

FIVE = timedelta(minutes=5)
AT_FIVE = datetime(2026, 5, 1, 9, 5, tzinfo=UTC)


async def _on_floors(station: Station) -> list[Floor]:
    """The two zones in the database, each on a floor of its own, as the zones tell it."""
    floors = []
    for zone_id, name in zip(station.zone_ids, ("Ground", "First"), strict=True):
        floor = await Floor.create(client=station.client, name=name)
        await Zone.create(id=zone_id, client=station.client, floor=floor, name=name)
        station.zones.change(zone_id, floor_id=floor.id)
        floors.append(floor)
    return floors


async def test_a_floor_means_the_zones_that_are_on_it_then(station: Station) -> None:
    ground, _ = await _on_floors(station)
    hall, _ = station.zone_ids
    made = await station.make(all=False, floors=[str(ground.id)])
    assert (made["floors"], made["all"]) == ([str(ground.id)], False)
    async with station.running():
        await station.clock.advance_to(NINE + FIVE)
        assert [call.zones for call in station.calls()] == [[hall]]
        new = zone_view(station.client.id, "Annexe", floor_id=ground.id)
        station.zones.add(new)
        station.zones.bus.publish(ZoneCreated(client_id=station.client.id, zone_id=new.zone_id))
        await station.clock.rest()
        await station.clock.advance_to(NINE + 2 * FIVE)
    assert set(station.calls()[-1].zones or ()) == {hall, new.zone_id}
    assert await station.preview(NINE, NINE + timedelta(hours=1), zone=1) == []


async def test_a_device_means_the_zone_that_it_is_in_then(station: Station) -> None:
    await _on_floors(station)
    hall, platform = station.zone_ids
    device = await Device.create(
        client=station.client, zone_id=hall, name="Ceiling", device_id="ceiling"
    )
    await station.make(all=False, devices=[str(device.id)])
    async with station.running():
        await station.clock.advance_to(NINE + FIVE)
        await Device.filter(id=device.id).update(zone_id=platform)
        station.zones.bus.publish(
            DeviceChanged(
                client_id=station.client.id,
                device_id=device.id,
                is_online=True,
                volume=50,
                zone_id=platform,
            )
        )
        await station.clock.rest()
        await station.clock.advance_to(NINE + 2 * FIVE)
    assert [call.zones for call in station.calls()] == [[hall], [platform]]


async def test_floors_and_devices_that_are_not_there_are_refused(station: Station) -> None:
    for name in ("floors", "devices"):
        body = station.body(all=False) | {name: [str(uuid4())]}
        refused = await station.owner("POST", "schedules", body)
        assert (refused.status, refused.wrong_fields) == (422, [f"{name}.0"])


async def test_calls_come_ahead_of_their_time_and_say_when(station: Station) -> None:
    station.zones.latency_s, station.zones.notice_s = 1.0, 1.9
    await station.make()
    async with station.running():
        await station.clock.advance_to(AT_FIVE - timedelta(seconds=3))
        assert station.calls() == []
        await station.clock.advance_to(AT_FIVE - timedelta(seconds=2.5))
        (call,) = station.calls()
        assert call.at == AT_FIVE
        assert (await ScheduleRecord.get()).outcome is Outcome.FIRING  # nobody has heard it yet
        assert station.outcomes == []
        await station.clock.advance_to(AT_FIVE)
    assert (await ScheduleRecord.get()).outcome is Outcome.FIRED
    assert [type(event).__name__ for event in station.outcomes] == ["ScheduleFired"]


async def test_music_starts_so_much_earlier_as_it_takes_to_be_heard(station: Station) -> None:
    station.zones.latency_s, station.zones.notice_s = 1.0, 1.9
    await station.make(config=station.music("5 11 * * *"))
    async with station.running():
        await station.clock.advance_to(AT_FIVE - timedelta(seconds=1.1))
        assert station.zones.asked == []
        await station.clock.advance_to(AT_FIVE - timedelta(seconds=1))
        assert [name for name, _, _ in station.zones.asked] == ["play"]


async def test_an_edit_in_the_last_moment_takes_the_call_back(station: Station) -> None:
    station.zones.latency_s, station.zones.notice_s = 1.0, 1.9
    instant = AT_FIVE
    async with station.running():
        for method, below in (("PATCH", ""), ("POST", "/toggle"), ("DELETE", "")):
            path = f"schedules/{(await station.make())['id']}"
            await station.clock.rest()
            await station.clock.advance_to(instant - timedelta(seconds=2))
            call_id = list(station.zones.calls_by_id)[-1]
            body = {"config": station.every(7)} if method == "PATCH" else None
            await station.owner(method, path + below, body)
            await station.clock.rest()
            assert station.zones.calls_by_id[call_id].zones[0].state == "revoked", below
            event = station.outcomes[-1]
            assert isinstance(event, ScheduleMissed)
            assert "just before" in event.reason
            await station.owner("DELETE", path)
            await station.clock.advance_to(instant + timedelta(seconds=30))
            instant += FIVE


async def test_a_new_name_in_the_last_moment_takes_nothing_back(station: Station) -> None:
    station.zones.latency_s, station.zones.notice_s = 1.0, 1.9
    made = await station.make()
    async with station.running():
        await station.clock.advance_to(AT_FIVE - timedelta(seconds=2))
        await station.owner("PATCH", f"schedules/{made['id']}", {"name": "New"})
        await station.clock.rest()
        await station.clock.advance_to(AT_FIVE)
    assert [type(event).__name__ for event in station.outcomes] == ["ScheduleFired"]


async def test_what_a_suspended_client_scheduled_is_suppressed_and_foretold_so(
    station: Station,
) -> None:
    await station.make()
    station.client.subscription_status = SubscriptionStatus.SUSPENDED
    await station.client.save()
    (told,) = await station.preview(NINE, NINE + FIVE)
    async with station.running():
        await station.clock.advance_to(NINE + FIVE)
    assert station.calls() == []
    (event,) = station.outcomes
    assert isinstance(event, ScheduleSuppressed)
    assert event.reason == "the client's subscription is suspended"
    (came,) = await station.preview(NINE, NINE + FIVE)
    assert (told["why"], told["reason"]) == (came["why"], came["reason"])
    assert (came["result"], came["why"]) == ("suppressed", "inactive")


async def test_zones_that_refuse_a_client_suppress_its_schedule(station: Station) -> None:
    """Suspended a moment ago: the zones know, the planner does not yet."""
    await station.make()
    async with station.running():
        station.zones.trouble = SubscriptionInactive("The subscription is suspended.")
        await station.clock.advance_to(NINE + FIVE)
    (item,) = await station.preview(NINE, NINE + FIVE)
    assert (item["result"], item["why"]) == ("suppressed", "inactive")
    assert item["reason"] == "The subscription is suspended."


async def test_a_zone_that_was_just_created_is_there_for_schedules(station: Station) -> None:
    """Its row is there a moment before it can sound, and nothing tells when it can."""
    floor = await Floor.create(client=station.client, name="New")
    row = await Zone.create(client=station.client, floor=floor, name="Annex")
    places = Places(station.zones)
    await places.refresh()
    assert {place.zone_id for place in places(station.client.id)} == {*station.zone_ids, row.id}
