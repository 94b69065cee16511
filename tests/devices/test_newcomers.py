"""Real agents that nobody knows yet: how they join, move, and are thrown out."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from tests.devices.house import ADMIN, STARTS_WITHIN_S, House, living_in
from tests.fakes.integrator import Integrator
from tests.fakes.loudspeakers import tone
from tests.fakes.speakers import Speaker, speaker
from tests.fakes.waiting import eventually

from antiphon.events import DeviceEvent, DeviceFellSilent, DeviceHeard, LevelMeasured
from antiphon.plugins import DeviceUpdate
from antiphon.tasks import end
from antiphon_devices import silence
from antiphon_devices.joining import Admission
from antiphon_devices.topics import EnrolTopic, Kind


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with living_in(tmp_path) as house:
        yield house


def _code_in(agent: Speaker) -> str | None:
    """What a person reads on the console."""
    found = re.search(r"code (\d{3}) (\d{3})", agent.log.read_text())
    return f"{found[1]}{found[2]}" if found else None


async def test_a_newcomer_shows_and_speaks_a_code_that_lets_it_in(house: House) -> None:
    async with tone(house.sink, 440), speaker("attic", house.folder, house.url) as attic:
        code = await eventually(lambda: _code_in(attic), STARTS_WITHIN_S)
        assert code is not None
        (pending,) = await eventually(house.joining.pending)
        assert (pending.key, pending.code, pending.request.hostname) == ("attic", code, "Attic")
        # It speaks: six digits, twice, are louder and longer than any signal.
        await eventually(lambda: attic.tone.exists() and attic.tone.stat().st_size > 1_000_000, 15)
        assert attic.snapclient() == 0
        secret = attic.folder / "state" / "secret"
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        assert not [v for v in await house.devices.views(ADMIN) if v.device_id == "attic"]

        admission = Admission(code, house.tenant.shop.id, "Under the roof")
        await house.joining.confirm(ADMIN, "attic", admission)
        view = await house.until("attic", lambda v: v.is_online)
        assert (view.name, view.zone_id) == ("Under the roof", house.tenant.shop.id)
        await attic.hears(440)
        assert house.joining.pending() == []
        assert secret.read_text() not in attic.log.read_text()

        # It is the same one after a restart, without asking.
        await attic.kill()
        await house.until("attic", lambda v: not v.is_online)
        await attic.start()
        await house.until("attic", lambda v: v.is_online, STARTS_WITHIN_S)
        assert house.joining.pending() == []


async def test_one_that_is_revoked_is_cut_off_and_may_ask_again(house: House) -> None:
    async with (
        house.listen() as heard,
        speaker("left", house.folder, house.url) as left,
        speaker("right", house.folder, house.url) as right,
    ):
        view = await house.adopted("left")
        await house.adopted("right")
        assert await house.joining.revoke("left")
        await house.until("left", lambda v: not v.is_online)
        (pending,) = await eventually(house.joining.pending, 15)
        assert (pending.key, pending.replaces) == ("left", False)
        await house.until("right", lambda v: v.is_online)
        await house.joining.confirm(ADMIN, "left", Admission(pending.code))
        await house.until("left", lambda v: v.is_online)

        # Removed: nothing is left of it on the broker, and it would have to ask again.
        await right.stop()
        await left.stop()
        await house.devices.remove(ADMIN, view.id)
        mirror = f"client/{house.tenant.client.id}/device/left"
        for topic in ("device/left/up/info", "device/left/down/desired", f"{mirror}/state"):
            await heard.hears(topic, lambda h: not h.payload)
        await heard.until(
            lambda: not [t for t, p in heard.held.items() if "device/left/" in t and p]
        )
        assert await house.joining.accounts.knows("left", "the-secret-of-left") is None


async def test_one_that_is_moved_plays_what_is_played_there(house: House) -> None:
    async with (
        tone(house.sink, 440),
        tone(house.sinks[house.tenant.bar.id], 1200),
        speaker("left", house.folder, house.url) as left,
        speaker("right", house.folder, house.url) as right,
    ):
        view = await house.adopted("left")
        await house.adopted("right")
        await left.hears(440)
        await house.devices.set_volume(ADMIN, view.id, 66)
        async with asyncio.timeout(5):
            await house.devices.update(ADMIN, view.id, DeviceUpdate(zone_id=house.tenant.bar.id))
            await left.hears(1200)
        async with house.listen() as heard:
            state = await heard.hears(
                "device/left/up/state", lambda h: h.json["zone_id"] == str(house.tenant.bar.id)
            )
            assert state.json["volume"] == 66  # it moved, and nothing else
        await right.hears(440)


async def test_one_from_which_nothing_is_heard_though_its_zone_plays_is_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "_LOUD_FOR_S", 0.0)
    told: list[DeviceEvent] = []
    house.bus.subscribe(DeviceFellSilent, told.append)
    house.bus.subscribe(DeviceHeard, told.append)
    shop = house.tenant.shop.id
    place = f"client/{house.tenant.client.id}"

    async def zone_is_loud() -> None:
        while True:
            house.bus.publish(LevelMeasured(zone_id=shop, rms_db=-18, peak_db=-6))
            await asyncio.sleep(0.1)

    async with house.listen() as heard, speaker("left", house.folder, house.url) as left:
        view = await house.adopted("left")
        loud = asyncio.create_task(zone_is_loud())
        try:
            async with tone(house.sink, 440):
                await left.hears(440)
                await _report(heard, house)
                await heard.hears("device/left/up/telemetry", _level_above(-60))
                assert told == []
            # The sound ends on its way, and the server believes that the zone plays on.
            await _until_silent(heard, house)
            await heard.hears(
                f"{place}/device/left/state", lambda h: h.json["problems"] == ["silent"]
            )
            await heard.hears(
                f"{place}/zone/{shop}/state", lambda h: "silent" in h.json["problems"]
            )
            assert isinstance(told[0], DeviceFellSilent)
            assert (told[0].device_id, told[0].zone_id) == (view.id, shop)
            assert (await house.devices.view(ADMIN, view.id)).problems == ("silent",)
            fault = f"{place}/zone/{shop}/event/fault"
            await heard.hears(fault, lambda h: h.json["event_type"] == "device_silent")
            await heard.until(lambda: len(_open_alerts(heard)) == 1)
            since = len(heard.heard)
            async with tone(house.sink, 440):
                await left.hears(440)
                await _report(heard, house)
                await heard.hears(
                    f"{place}/device/left/state", lambda h: not h.json["problems"], since=since
                )
            assert isinstance(told[1], DeviceHeard)
            assert (await house.devices.view(ADMIN, view.id)).problems == ()
            await heard.hears(fault, lambda h: h.json["event_type"] == "device_heard")
            await heard.until(lambda: not _open_alerts(heard))
        finally:
            loud.cancel()


def _open_alerts(heard: Any) -> list[str]:
    return [
        topic for topic, payload in heard.held.items() if "/alert/silence-" in topic and payload
    ]


def _level_above(least_db: float) -> Any:
    return lambda heard: (heard.json["output_level_db"] or -200) > least_db


async def _report(heard: Any, house: House) -> None:
    order = {"id": f"report-{len(heard.heard)}", "ttl_s": 5}
    await heard.send("device/left/down/cmd/report", order)


async def _until_silent(heard: Any, house: House) -> None:
    """Telemetry that says so; what is in the buffers plays on for a moment."""
    async with asyncio.timeout(15):
        while True:
            since = len(heard.heard)
            await _report(heard, house)
            said = await heard.hears("device/left/up/telemetry", since=since)
            level_db = json.loads(said.payload)["output_level_db"]
            if level_db is not None and level_db < silence.SILENT_DB:
                return


async def test_two_machines_with_one_account_raise_an_alert(house: House) -> None:
    place = f"client/{house.tenant.client.id}"
    async with house.listen() as heard, speaker("left", house.folder, house.url):
        await house.adopted("left")
        await heard.hears(f"{place}/device/left/state")
        info = json.loads(heard.held["device/left/up/info"])
        for number, mac in enumerate(("02:00:00:00:00:01", info["mac"], "02:00:00:00:00:01")):
            ip = f"10.0.0.{number}"  # tells when it was heard: of what waits, the newest counts
            document = json.dumps({**info, "mac": mac, "ip": ip})
            await heard.send("device/left/up/info", document, retain=True)
            seen = f"{place}/device/left/info"
            await heard.hears(seen, lambda h, ip=ip: h.json["ip"] == ip)  # type: ignore[misc]
        await heard.until(
            lambda: any(
                topic.startswith(f"{place}/alert/second_device") and payload
                for topic, payload in heard.held.items()
            )
        )


async def _turn(heard: Integrator) -> None:
    """Say with wrong clocks that a knob was turned.

    Again and again: the agent speaks for that loudspeaker too, and the newest word counts.
    """
    while True:
        for ts in ("1970-01-01T00:00:00Z", "2199-01-01T00:00:00Z", "yesterday"):
            state = {"rev": 1, "ts": ts, "volume": 31, "source": "local"}
            await heard.send("device/left/up/state", state)
        await asyncio.sleep(0.5)


async def test_what_a_loudspeaker_says_and_makes_no_sense_disturbs_nobody(house: House) -> None:
    place = f"client/{house.tenant.client.id}"
    rubbish = {
        "state": (b"{", b"[]", b'{"volume": 4000}', b'{"rev": "x"}', b"\xff\xfe", b"x" * 20_000),
        "info": (b"nothing", b'{"snapclient": 3}'),
        "status": (b"perhaps",),
        "telemetry": (b'{"output_level_db": "loud"}', b"\x00"),
        "ack": (b"{}", b'{"id": 7}'),
    }
    async with (
        house.listen() as heard,
        speaker("left", house.folder, house.url),
        speaker("right", house.folder, house.url),
    ):
        left, right = [await house.adopted(name) for name in ("left", "right")]
        await heard.hears(f"{place}/device/left/state")
        for kind, payloads in rubbish.items():
            for payload in payloads:
                await heard.send(f"device/left/up/{kind}", payload)
        # What a clock that is wrong says is of no account: the server keeps its own time.
        turning = asyncio.create_task(_turn(heard))
        await house.until("left", lambda v: v.volume == 31 and v.is_online)
        await end(turning)
        await heard.until(
            lambda: len([t for t, p in heard.held.items() if "/alert/bad_report-" in t and p]) == 4
        )
        assert (await house.until("right", lambda _: True)).volume == right.volume
        await house.devices.order(ADMIN, right.id, "identify", {})
        await house.devices.order(ADMIN, left.id, "identify", {})
        heard.faults.clear()  # the rubbish above


async def test_ids_that_no_topic_can_hold_reach_nobody(house: House) -> None:
    odd = ("device/a+b/up/status", "device/#/up/info", "enroll/a/b/request", "enroll/+/request")
    async with house.listen() as heard:
        for topic in ("device/A.1/up/status", "enroll/Kitchen!/request", "enroll/a/b/request"):
            await heard.send(topic, b'{"device_id": "a/b", "secret": "0123456789abcdef"}')
        heard.faults.clear()
    for topic in odd:
        async with house.listen() as heard:
            with contextlib.suppress(aiomqtt.MqttError, ValueError):
                await heard.send(topic, b"online")  # a broker throws out who tries
            heard.faults.clear()
    for name in ("a+b", "#", "a/b", "Ä"):
        with pytest.raises(ValueError, match="is not an id"):
            EnrolTopic(Kind.REQUEST, device=name)
    assert house.joining.pending() == []
    assert {view.device_id for view in await house.devices.views(ADMIN)} == {"Roasters-01"}
