"""What a zone, a floor and a loudspeaker can be set to, and what is told of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.devices.conftest import World
from tests.fakes.integrator import Integrator
from tests.fakes.zones import zone_view

from antiphon.events import (
    ChoicesChanged,
    FloorChanged,
    FloorDeleted,
    PlansChanged,
    ScheduleFired,
    ScheduleMissed,
    ScheduleSuppressed,
)
from antiphon.plugins import Media, MediaChoice, MediaRef, MediaSource
from antiphon.types import Playback

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
JAZZ = MediaChoice(ref=MediaRef(kind="folder", value=str(UUID(int=1))), name="Jazz")
MIX = MediaChoice(ref=MediaRef(kind="channel", value=str(UUID(int=2))), name="Morning mix")


class Shelf(MediaSource):
    """Music to choose."""

    def __init__(self, *choices: MediaChoice) -> None:
        self.known = list(choices)

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset({"folder", "channel"})

    async def resolve(self, client_id: UUID, ref: MediaRef) -> Media:
        raise NotImplementedError

    async def choices(self, client_id: UUID) -> Sequence[MediaChoice]:
        return self.known


class Forecast:
    """Everything happens at noon."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.at = NOON

    async def next_changes(self, client_id: UUID) -> Mapping[UUID, datetime]:
        return {self._world.zone.zone_id: self.at} if client_id == self._world.client else {}


@pytest.fixture
def shelf(world: World) -> Shelf:
    shelf = Shelf(MIX, JAZZ)
    world.media.add(shelf)
    return shelf


@pytest.fixture
def forecast(world: World) -> Forecast:
    forecast = Forecast(world)
    world.schedules.make(forecast)
    return forecast


@pytest.fixture
async def integrator(world: World, shelf: Shelf, forecast: Forecast) -> AsyncIterator[Integrator]:
    async with world.serving(), world.integrator() as integrator:
        await integrator.hears("server/status", lambda heard: heard.payload == b"online")
        await integrator.hears(f"{world.here}/state")
        yield integrator


@pytest.mark.parametrize(
    ("payload", "muted"), [("true", True), ("ON", True), ("off", False), ("false", False)]
)
async def test_a_zone_is_muted_by_a_bare_word(
    world: World, integrator: Integrator, payload: str, muted: bool
) -> None:
    world.zones.by_id[world.zone.zone_id] = world.zone.model_copy(update={"muted": not muted})
    since = len(integrator.heard)
    await integrator.send(f"{world.here}/set/muted", payload)
    await integrator.hears(
        f"{world.here}/state", lambda heard: heard.json["muted"] is muted, since=since
    )
    name, principal, value = world.zones.asked[-1]
    assert (name, principal.client_id, value) == ("set_muted", world.client, muted)


@pytest.mark.parametrize("wanted", [JAZZ.name, "jazz", JAZZ.ref.value])
async def test_a_source_is_chosen_by_name_or_id_and_shown(
    world: World, integrator: Integrator, wanted: str
) -> None:
    sources = (await integrator.hears(f"client/{world.client}/sources")).json["sources"]
    assert [(one["name"], one["type"]) for one in sources] == [
        ("Morning mix", "channel"),
        ("Jazz", "folder"),
    ]
    await integrator.send(f"{world.here}/set/source", wanted)
    state = await integrator.hears(f"{world.here}/state", lambda heard: heard.json["source"])
    assert state.json["source"] == {"id": JAZZ.ref.value, "name": "Jazz", "type": "folder"}
    assert world.zones.asked[-1][0::2] == ("play_refs", [JAZZ.ref])


async def test_what_there_is_to_choose_follows_and_has_no_name_twice(
    world: World, integrator: Integrator, shelf: Shelf
) -> None:
    twin = MediaChoice(ref=MediaRef(kind="channel", value="7"), name="Jazz")
    shelf.known = [twin, JAZZ]
    world.bus.publish(ChoicesChanged(client_id=world.client))
    told = await integrator.hears(
        f"client/{world.client}/sources", lambda heard: len(heard.json["sources"]) == 2
    )
    since = [one["name"] for one in told.json["sources"]]
    if since == ["Morning mix", "Jazz"]:
        told = await integrator.hears(
            f"client/{world.client}/sources",
            lambda heard: heard.json["sources"][0]["name"] == "Jazz (channel)",
        )
    assert [one["name"] for one in told.json["sources"]] == ["Jazz (channel)", "Jazz (folder)"]
    await integrator.send(f"{world.here}/set/source", "Jazz (channel)")
    await integrator.hears(
        f"{world.here}/state", lambda heard: (heard.json["source"] or {}).get("id") == "7"
    )


async def test_thousands_of_choices_fit_into_a_message(
    world: World, integrator: Integrator, shelf: Shelf
) -> None:
    shelf.known = [
        MediaChoice(ref=MediaRef(kind="folder", value=str(uuid4())), name=f"{number} {'ü' * 150}")
        for number in range(2_000)
    ]
    world.bus.publish(ChoicesChanged(client_id=world.client))
    told = await integrator.hears(
        f"client/{world.client}/sources", lambda heard: len(heard.json["sources"]) > 2
    )
    assert len(told.payload) <= 16 * 1024


async def test_schedules_are_switched_off_in_a_zone_and_their_next_time_is_told(
    world: World, integrator: Integrator, forecast: Forecast
) -> None:
    def schedule(enabled: bool, at: str | None) -> Any:
        return lambda h: h.json["schedule"] == {"enabled": enabled, "next_change_at": at}

    await integrator.hears(f"{world.here}/state", schedule(True, "2026-11-22T12:00:00.000Z"))
    await integrator.send(f"{world.here}/set/schedule_enabled", "OFF")
    await integrator.hears(f"{world.here}/state", schedule(False, None))
    assert world.zones.asked[-1][0::2] == ("switch_schedules", False)
    await integrator.send(f"{world.here}/set", {"id": "n", "schedule_enabled": True})
    await integrator.ack(world.here, id="n", status="completed")
    forecast.at = NOON + timedelta(hours=1)
    world.bus.publish(PlansChanged(client_id=world.client))
    await integrator.hears(f"{world.here}/state", schedule(True, "2026-11-22T13:00:00.000Z"))


async def test_what_became_of_a_schedules_time_is_told_once(
    world: World, integrator: Integrator
) -> None:
    schedule_id, call_id = uuid4(), uuid4()
    about = {"client_id": world.client, "schedule_id": schedule_id}
    world.bus.publish(ScheduleFired(**about, call_id=call_id))
    world.bus.publish(
        ScheduleSuppressed(**about, instant=NOON, zones=(world.zone.zone_id,), reason="quiet hours")
    )
    world.bus.publish(ScheduleMissed(**about, reason="the server was away"))
    place = f"client/{world.client}/event/schedule"
    missed = await integrator.hears(place, lambda h: h.json["event_type"] == "missed")
    assert (missed.retain, missed.json["reason"]) == (False, "the server was away")
    fired, suppressed, _ = [h.json for h in integrator.heard if h.topic == place]
    assert (fired["event_type"], fired["call_id"]) == ("fired", str(call_id))
    assert suppressed["zones"] == [str(world.zone.zone_id)]
    assert suppressed["instant"] == "2026-11-22T12:00:00.000Z"


async def test_a_floor_is_told_and_commanded_as_one(world: World, integrator: Integrator) -> None:
    assert (await integrator.hears(f"{world.floor}/info")).json["name"] == "Ground floor"
    bar = zone_view(world.client, "Bar", floor_id=world.zone.floor_id)
    world.zones.add(bar)
    world.zones.change(bar.zone_id, volume=31)
    await integrator.hears(
        f"{world.floor}/state", lambda h: h.json["zones"] == {"total": 2, "playing": 2}
    )
    await integrator.send(f"{world.floor}/cmd/pause", {"id": "f-1"})
    ack = await integrator.ack(world.floor, id="f-1", status="completed")
    assert ack["result"] == {"zones": 2}
    here = {view.playback for view in world.zones.by_id.values() if view.name != "Foreign"}
    assert here == {Playback.PAUSED}
    assert world.zones.by_id[world.foreign.zone_id].playback is Playback.PLAYING
    await integrator.send(f"{world.floor}/cmd/announce", {"id": "f-2", "text": "Hello"})
    accepted = await integrator.ack(world.floor, id="f-2", status="accepted")
    assert set(world.zones.asked[-1][2].zones) == {world.zone.zone_id, bar.zone_id}
    stop = {"id": "f-3", "call_id": accepted["result"]["call_id"]}
    await integrator.send(f"{world.floor}/cmd/stop_announcement", stop)
    await integrator.ack(world.floor, id="f-3", status="completed")
    await integrator.ack(world.floor, id="f-2", status="failed", code="revoked")
    await integrator.send(f"{world.floor}/cmd/dance", {"id": "f-4"})
    await integrator.ack(world.floor, id="f-4", status="rejected", code="unknown_op")
    foreign = f"client/{world.client}/floor/{world.foreign.floor_id}"
    await integrator.send(f"{foreign}/cmd/pause", {"id": "f-5"})
    await integrator.ack(foreign, id="f-5", status="rejected", code="not_found")


async def test_a_floor_that_is_renamed_or_removed_is_followed(
    world: World, integrator: Integrator
) -> None:
    about = {"client_id": world.client, "floor_id": world.zone.floor_id}
    world.floor_names[world.zone.floor_id] = "Mezzanine"
    world.bus.publish(FloorChanged(**about))
    await integrator.hears(f"{world.floor}/info", lambda h: h.json["name"] == "Mezzanine")
    world.zones.by_id[world.zone.zone_id] = world.zone.model_copy(update={"floor_id": uuid4()})
    world.bus.publish(FloorDeleted(**about))
    for end in ("info", "state"):
        await integrator.hears(f"{world.floor}/{end}", lambda heard: heard.payload == b"")


async def test_a_loudspeaker_is_muted_and_delayed_and_its_agent_is_told(
    world: World, integrator: Integrator
) -> None:
    agent = f"device/{world.speaker.rsplit('/', 1)[1]}"
    await integrator.send(f"{agent}/up/status", "online", retain=True)
    await integrator.hears(f"{agent}/down/desired")
    await integrator.send(f"{world.speaker}/set/muted", "true")
    await integrator.hears(f"{world.speaker}/state", lambda heard: heard.json["muted"])
    await integrator.hears(f"{agent}/down/desired", lambda heard: heard.json["muted"])
    await integrator.send(f"{world.speaker}/set/latency_ms", "9000")
    await integrator.hears(f"{world.speaker}/state", lambda h: h.json["latency_ms"] == 5_000)
    ack = await integrator.ack(world.speaker, status="clamped")
    assert ack["message"] == "The latency was limited to 5000."
    await integrator.send(f"{world.speaker}/set", {"id": "d", "muted": False, "volume": 12})
    await integrator.ack(world.speaker, id="d", status="completed")
    device = world.devices.by_id[world.device.id]
    assert (device.muted, device.volume) == (False, 12)
    await integrator.send(f"{world.speaker}/set/colour", "blue")
    await integrator.ack(world.speaker, status="rejected", code="unknown_op")


async def test_what_an_agent_measures_and_its_start_are_passed_on(
    world: World, integrator: Integrator
) -> None:
    agent = f"device/{world.speaker.rsplit('/', 1)[1]}"
    info = {"booted_at": "2026-11-22T05:00:00Z", "agent": {"name": "mine", "version": "1"}}
    await integrator.send(f"{agent}/up/info", info, retain=True)
    await integrator.send(f"{agent}/up/status", "online", retain=True)
    told = await integrator.hears(f"{world.speaker}/info", lambda h: h.json["booted_at"])
    assert told.json["booted_at"] == "2026-11-22T05:00:00.000Z"
    await integrator.send(f"{agent}/up/telemetry", {"cpu_temp_c": 48.5, "wifi_rssi_dbm": "NaN"})
    await integrator.send(f"{agent}/up/telemetry", {"cpu_temp_c": 48.5, "other": 1})
    told = await integrator.hears(f"{world.speaker}/telemetry")
    assert (told.retain, told.json["cpu_temp_c"], told.json["cpu_pct"]) == (False, 48.5, None)


async def test_an_announcement_behind_a_url(world: World, integrator: Integrator) -> None:
    url = "http://192.0.2.1/a.mp3"
    await integrator.send(f"{world.here}/cmd/announce", {"id": "u", "url": url})
    await integrator.ack(world.here, id="u", status="accepted")
    assert world.zones.asked[-1][2].url == url
