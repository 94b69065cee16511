"""What a call may wish for: when, where, how often; and what its receipts say."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, time, timedelta
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError
from tests.core.playback.conftest import Stage
from tests.core.playback.test_calls import reaches, say, states
from tests.fakes.media import spoken
from tests.fakes.waiting import eventually

from antiphon import events
from antiphon.building.models import Device, Zone
from antiphon.errors import Invalid, NotFound
from antiphon.playback import ZoneController
from antiphon.playback.models import PlayEvent
from antiphon.playback.quiet import quiet_until
from antiphon.plugins import CallRequest, CallView, MediaRef
from antiphon.types import Band, CallState


async def device_rows(zones: ZoneController, call: CallView) -> dict[UUID, PlayEvent]:
    await zones._receipts.settled()
    rows = await PlayEvent.filter(call_id=call.id, device_id__isnull=False)
    return {row.device_id: row for row in rows if row.device_id is not None}


def presence(stage: Stage, device: Device, *, volume: int = 50, is_online: bool = True) -> None:
    stage.bus.publish(
        events.DeviceChanged(
            device_id=device.id, is_online=is_online, volume=volume, zone_id=device.zone_id
        )
    )


# --- priority ----------------------------------------------------------------------------------


async def test_a_priority_has_its_band(stage: Stage, zones: ZoneController) -> None:
    call = await zones.call(stage.hotel.owner, say("hello", stage.shop, priority=200))
    assert (call.priority, call.band) == (200, Band.PAGE)
    announced = uuid4()
    ref = MediaRef(kind="announcement", value="x")
    stage.media.speech.stored[announced] = spoken(ref, Band.SPOT)
    request = CallRequest(announcement_id=announced, zones=[stage.bar], priority=230)
    assert (await zones.call(stage.hotel.owner, request)).band is Band.URGENT


@pytest.mark.parametrize(
    "wrong",
    [
        {"priority": 256},
        {"priority": -1},
        {"priority": 200, "band": "spot"},
        {"repeat": 0},
        {"repeat": 101},
        {"repeat_gap_s": -1},
        {"expires_in_s": 0},
        {"expires_in_s": -5},
        {"max_duration_s": 0},
        {"start": "now"},
        {"routing": "some"},
        {"all": True},
        {"zones": []},
        {"zones": None},
        {"at": "2027-01-01T12:00:00"},
        {"dedupe_key": ""},
    ],
)
def test_wishes_that_make_no_sense(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        say("hello", uuid4()).model_validate({"text": "hello", "zones": [uuid4()], **wrong})


# --- where -------------------------------------------------------------------------------------


async def test_floors_and_loudspeakers_name_zones(stage: Stage, zones: ZoneController) -> None:
    owner, hotel = stage.hotel.owner, stage.hotel
    here = CallRequest(text="one", floors=[hotel.cellar.id], devices=[hotel.speaker.id])
    call = await zones.call(owner, here)
    assert {zone.zone_id for zone in call.zones} == {stage.shop, stage.bar}
    both = CallRequest(text="two", floors=[hotel.shop_floor.id], zones=[stage.shop])
    assert len((await zones.call(owner, both)).zones) == 1


async def test_floors_and_loudspeakers_that_are_not_theirs(
    stage: Stage, zones: ZoneController
) -> None:
    owner, hotel, gym = stage.hotel.owner, stage.hotel, stage.gym
    for request in (
        CallRequest(text="x", floors=[gym.cellar.id]),
        CallRequest(text="x", devices=[gym.speaker.id]),
        CallRequest(text="x", devices=[uuid4()]),
    ):
        with pytest.raises(NotFound):
            await zones.call(owner, request)
    above = CallRequest(text="x", floors=[hotel.shop_floor.id])
    with pytest.raises(NotFound):
        await zones.call(hotel.cellar_user, above)
    await Device.filter(id=hotel.speaker.id).update(zone_id=None)
    with pytest.raises(Invalid, match="in no zone"):
        await zones.call(owner, CallRequest(text="x", devices=[hotel.speaker.id]))
    await Zone.filter(id=stage.bar).update(floor_id=hotel.shop_floor.id)
    with pytest.raises(Invalid, match="no zone to announce in"):
        await zones.call(owner, CallRequest(text="x", floors=[hotel.cellar.id]))


async def test_a_call_for_five_hundred_zones(stage: Stage) -> None:
    client, floor = stage.hotel.client, stage.hotel.cellar
    await Zone.bulk_create([Zone(client=client, floor=floor, name=f"Z{n}") for n in range(498)])
    zones = await stage.open()
    call = await zones.call(
        stage.hotel.owner, CallRequest(text="all of you", all=True, routing="together")
    )
    assert len(call.zones) == 500
    record = zones._calls.get(call.id)
    async with asyncio.timeout(30):
        await eventually(
            lambda: {part.state for part in record.parts.values()} == {CallState.PLAYING}, 25
        )
        assert [len(started) for started in stage.started_calls()] == [500]
        stage.renderer.end_calls()
        await record.over.wait()
        await zones._receipts.settled()
    assert await PlayEvent.filter(call_id=call.id, device=None, outcome="completed").count() == 500


# --- when --------------------------------------------------------------------------------------


async def test_a_planned_call_waits_for_its_time(stage: Stage, zones: ZoneController) -> None:
    owner, at = stage.hotel.owner, datetime.now(UTC) + timedelta(seconds=1.5)
    call = await zones.call(owner, say("noon", stage.shop, at=at, expires_in_s=60))
    assert (call.starts_at, call.expires_at) == (at, at + timedelta(seconds=60))
    assert call.zones[0].state is CallState.QUEUED
    assert "it starts at" in str(call.zones[0].reason)
    await zones.call(owner, say("before", stage.bar))
    await stage.speaks(stage.bar, "before")
    assert stage.speaking(stage.shop) is None
    await stage.speaks(stage.shop, "noon")
    assert datetime.now(UTC) >= at


async def test_times_that_are_refused(stage: Stage, zones: ZoneController) -> None:
    owner, now = stage.hotel.owner, datetime.now(UTC)
    with pytest.raises(Invalid, match="is over"):
        await zones.call(owner, say("late", stage.shop, at=now - timedelta(seconds=30)))
    with pytest.raises(Invalid, match="more than a year"):
        await zones.call(owner, say("some day", stage.shop, at=now + timedelta(days=400)))
    await zones.call(owner, say("a moment ago", stage.shop, at=now - timedelta(seconds=1)))
    await stage.speaks(stage.shop, "a moment ago")
    far = await zones.call(owner, say("in a year", stage.bar, at=now + timedelta(days=364)))
    assert (await zones.revoke(owner, far.id)).zones[0].state is CallState.REVOKED


async def test_repeats_and_their_longest_time(stage: Stage, zones: ZoneController) -> None:
    owner, shop = stage.hotel.owner, stage.shop
    twice = await zones.call(owner, say("twice", shop, repeat=2, repeat_gap_s=0.2))
    await stage.speaks(shop, "twice")
    stage.renderer.end_calls()
    view = await reaches(zones, twice, CallState.QUEUED)
    assert view.zones[0].reason == "heard 1 of 2 times"
    await stage.speaks(shop, "twice")
    stage.renderer.end_calls()
    assert (await reaches(zones, twice, CallState.COMPLETED)).zones[0].seconds_heard == 6.0
    short = await zones.call(owner, say("a long story", shop, max_duration_s=0.2))
    await stage.speaks(shop, "a long story")
    view = await reaches(zones, short, CallState.COMPLETED)
    assert view.zones[0].reason == "ended after 0.2 s, as asked"
    assert stage.speaking(shop) is None


# --- once --------------------------------------------------------------------------------------


async def test_a_key_makes_one_call_while_it_is_open(stage: Stage, zones: ZoneController) -> None:
    owner, shop = stage.hotel.owner, stage.shop
    stage.media.speech.spoken.clear()
    request = say("door open", shop, dedupe_key="door-7")
    views = await asyncio.gather(*(zones.call(owner, request) for _ in range(20)))
    (call_id,) = {view.id for view in views}
    assert views[0].dedupe_key == "door-7"
    others = await zones.call(stage.gym.owner, say("door", stage.gym.shop.id, dedupe_key="door-7"))
    below = await zones.call(stage.hotel.cellar_user, say("door", stage.bar, dedupe_key="door-7"))
    assert len({call_id, others.id, below.id}) == 3, "other tenants' keys, a floor user's keys"
    stage.media.speech.spoken.set()
    await stage.speaks(shop, "door open")
    stage.renderer.end_calls()
    await reaches(zones, views[0], CallState.COMPLETED)
    assert (await zones.call(owner, request)).id != call_id


async def test_a_key_whose_call_was_refused_is_free(stage: Stage, zones: ZoneController) -> None:
    owner, shop = stage.hotel.owner, stage.shop
    wrong = say("hello", shop, dedupe_key="k", voice="nobody")
    answers = await asyncio.gather(
        *(zones.call(owner, wrong) for _ in range(3)), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [Invalid] * 3
    await zones.call(owner, say("hello", shop, dedupe_key="k"))
    await stage.speaks(shop, "hello")


async def test_a_thousand_calls_at_once_in_one_zone(stage: Stage, zones: ZoneController) -> None:
    owner, shop = stage.hotel.owner, stage.shop
    requests = [say(f"{n}", shop) for n in range(1000)]
    async with asyncio.timeout(60):
        views = await asyncio.gather(*(zones.call(owner, request) for request in requests))
        await eventually(lambda: len(stage.renderer.calls) == 1)
        await asyncio.gather(*(zones.revoke(owner, view.id) for view in views[1:-1]))
        stage.renderer.end_calls()
        await reaches(zones, views[0], CallState.COMPLETED)
        await stage.speaks(shop, "999")
        assert await states(zones, views[-1]) == [CallState.PLAYING]


# --- quiet hours -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "start", "end", "zone", "until"),
    [
        ("2026-03-01T23:00", "22:00", "07:00", "UTC", "2026-03-02T07:00"),
        ("2026-03-01T06:59", "22:00", "07:00", "UTC", "2026-03-01T07:00"),
        ("2026-03-01T07:00", "22:00", "07:00", "UTC", None),
        ("2026-03-01T13:00", "13:00", "15:00", "UTC", "2026-03-01T15:00"),
        ("2026-03-01T15:00", "13:00", "15:00", "UTC", None),
        ("2026-03-01T21:30", "22:00", "07:00", "Europe/Berlin", "2026-03-02T06:00"),
        ("2026-03-01T12:00", "08:00", "08:00", "UTC", None),
        ("2026-03-01T12:00", "08:00", "18:00", "Nowhere/Land", "2026-03-01T18:00"),
        ("2026-03-28T23:30", "22:00", "07:00", "Europe/Berlin", "2026-03-29T05:00"),
    ],
)
def test_when_quiet_hours_end(now: str, start: str, end: str, zone: str, until: str | None) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    found = quiet_until(moment, time.fromisoformat(start), time.fromisoformat(end), zone)
    wanted = datetime.fromisoformat(until).replace(tzinfo=UTC) if until is not None else None
    assert found == wanted


async def test_quiet_hours_block_announcements_and_pass_pages(
    stage: Stage, zones: ZoneController, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, shop = stage.hotel.owner, stage.shop
    now = datetime.now(UTC)
    around = {
        "quiet_from": (now - timedelta(hours=1)).time(),
        "quiet_until": (now + timedelta(hours=1)).time(),
    }
    await Zone.filter(id=shop).update(**around)
    dropped = await zones.call(owner, say("offer", shop, stage.bar))
    view = await reaches(zones, dropped, CallState.FAILED, CallState.PLAYING)
    assert str(view.zones[0].reason).startswith("the zone has quiet hours until")
    await zones._receipts.settled()
    row = await PlayEvent.get(call_id=dropped.id, zone_id=shop, device=None)
    assert "quiet hours" in str(row.error_message)
    monkeypatch.setattr("antiphon.playback.approach.LOOK_AT_HOURS_S", 0.1)
    deferred = await zones.call(owner, say("later", shop, when_quiet="defer"))
    assert (await reaches(zones, deferred, CallState.QUEUED)).zones[0].reason is not None
    await zones.call(owner, say("page", shop, band="page"))
    await stage.speaks(shop, "page")
    stage.renderer.end_calls()
    await asyncio.sleep(0.3)
    assert stage.speaking(shop) is None
    await Zone.filter(id=shop).update(quiet_from=None, quiet_until=None)
    await stage.speaks(shop, "later")


async def test_what_goes_wrong_on_the_way_ends_the_call(
    stage: Stage, zones: ZoneController, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("antiphon.playback.quiet.QuietHours.until", _broken)
    async with asyncio.timeout(5):
        call = await zones.call(stage.hotel.owner, say("hello", stage.shop))
    assert "no clock" in str((await reaches(zones, call, CallState.FAILED)).zones[0].reason)
    await zones.call(stage.hotel.owner, say("page", stage.shop, band="page"))
    await stage.speaks(stage.shop, "page")


async def _broken(*_: object) -> None:
    raise OSError("no clock")


# --- receipts of loudspeakers ------------------------------------------------------------------


async def test_each_loudspeaker_has_its_receipt(stage: Stage, zones: ZoneController) -> None:
    hotel, shop = stage.hotel, stage.shop
    there, muted, away = [
        await Device.create(client=hotel.client, zone=hotel.shop, name=name, device_id=name)
        for name in ("there", "muted", "away")
    ]
    for device, volume, is_online in ((there, 50, True), (muted, 0, True), (away, 50, False)):
        presence(stage, device, volume=volume, is_online=is_online)
    call = await zones.call(hotel.owner, say("hello", shop))
    await stage.speaks(shop, "hello")
    stage.renderer.end_calls()
    await reaches(zones, call, CallState.COMPLETED)
    rows = await device_rows(zones, call)
    assert {key: (row.outcome, row.seconds_heard) for key, row in rows.items()} == {
        there.id: ("completed", 3.0),
        muted.id: ("muted", 0.0),
        away.id: ("offline", 0.0),
        hotel.speaker.id: ("offline", 0.0),
    }
    assert rows[muted.id].error_message == "the loudspeaker was muted, or its volume was 0"


async def test_a_loudspeaker_that_goes_during_a_call(stage: Stage, zones: ZoneController) -> None:
    hotel, shop = stage.hotel, stage.shop
    presence(stage, hotel.speaker)
    call = await zones.call(hotel.owner, say("hello", shop))
    await reaches(zones, call, CallState.PLAYING)
    await asyncio.sleep(0.2)
    presence(stage, hotel.speaker, is_online=False)
    await asyncio.sleep(0.1)
    stage.renderer.end_calls()
    await reaches(zones, call, CallState.COMPLETED)
    row = (await device_rows(zones, call))[hotel.speaker.id]
    assert row.outcome == "offline"
    assert 0.1 < row.seconds_heard < 3.0
    later = await zones.call(hotel.owner, say("taken back", shop))
    await zones.revoke(hotel.owner, later.id)
    assert (await device_rows(zones, later))[hotel.speaker.id].outcome == "revoked"
