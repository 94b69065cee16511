"""Two speaker agents in a building: real mosquitto, snapserver and snapclients."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.devices.house import ADMIN, STARTS_WITHIN_S, WITHIN_S, House, living_in
from tests.devices.test_broker import _pid_of
from tests.fakes.loudspeakers import tone
from tests.fakes.speakers import speaker
from tests.fakes.waiting import eventually

from antiphon.errors import Conflict, PartAway
from antiphon_devices.joining import Admission

GUIDE = Path(__file__).parents[2] / "docs" / "reference"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with living_in(tmp_path) as house:
        yield house


async def test_two_agents_join_are_adopted_and_play_at_their_own_volumes(house: House) -> None:
    async with (
        tone(house.sink, 440, peak=0.5),
        house.listen() as heard,
        speaker("left", house.folder, house.url) as left,
        speaker("right", house.folder, house.url, mixer="alsa") as right,
    ):
        view = await house.until(
            "left", lambda v: v.is_online and v.device_type == "agent", STARTS_WITHIN_S
        )
        assert (view.zone_id, view.name, view.volume) == (None, "Left", 50)
        assert view.ip_address == "127.0.0.1"
        assert view.firmware_version.startswith("antiphon-speaker ")
        for name in ("left", "right"):
            view = await house.adopted(name)
            assert (view.volume, view.device_type) == (40, "agent")
        assert len(await house.devices.views(ADMIN)) == 3  # an agent and its snapclient are one
        loud = await right.hears(440)
        soft = await left.hears(440)
        assert soft < loud / 1.5  # one in snapclient, one by the card, after what is recorded here
        await eventually(lambda: right.volume == 40)

        # From the server, both ways that there are.
        for name, volume in (("left", 90), ("right", 77)):
            view = await house.until(name, lambda _: True)
            await house.devices.set_volume(ADMIN, view.id, volume)
            place = f"device/{name}/up/state"
            state = await heard.hears(
                place,
                lambda h, v=volume: h.json["volume"] == v,  # type: ignore[misc]
            )
            assert state.json["source"] == "desired"
        assert right.volume == 77
        assert await left.hears(440) > soft

        # From the loudspeaker: somebody turns the knob, and the server takes it over.
        right.turn(23)
        await house.until("right", lambda v: v.volume == 23)
        await heard.hears(
            "device/right/up/state",
            lambda h: (h.json["volume"], h.json["source"]) == (23, "desired"),
            since=len(heard.heard) - 3,
        )
        assert right.volume == 23


async def test_whatever_is_killed_the_state_is_right_and_nothing_is_done_again(
    house: House,
) -> None:
    async with (
        tone(house.sink, 440),
        speaker("left", house.folder, house.url) as left,
        speaker("right", house.folder, house.url) as right,
    ):
        left_view, _ = [await house.adopted(name) for name in ("left", "right")]
        await left.hears(440)
        await house.devices.order(ADMIN, left_view.id, "identify", {})
        left.tone.unlink()

        # The agent.
        await left.kill()
        await house.until("left", lambda v: not v.is_online)
        await eventually(lambda: left.snapclient() == 0)
        await house.until("right", lambda v: v.is_online)
        with pytest.raises(PartAway):
            await house.devices.order(ADMIN, left_view.id, "identify", {})
        await left.start()
        await house.until("left", lambda v: v.is_online, STARTS_WITHIN_S)
        await left.hears(440)

        # snapclient.
        await right.kill_snapclient()
        await house.until("right", lambda v: v.is_online)

        # The broker: the music goes on meanwhile, and volumes that were set are carried after it.
        os.kill(_pid_of(house.conf), signal.SIGKILL)
        await house.devices.set_volume(ADMIN, left_view.id, 63)
        assert (await house.until("left", lambda v: v.volume == 63)).is_online
        async with house.listen() as heard:
            for name in ("left", "right"):
                await heard.hears(f"device/{name}/up/status", lambda h: h.payload == b"online")
                await heard.hears(f"device/{name}/up/info")
            state = await heard.hears("device/left/up/state", lambda h: h.json["volume"] == 63)
            assert state.json["snapclient"] == "connected"
            assert not [h for h in heard.heard if "/cmd/" in h.topic]
        await house.until("left", lambda v: v.is_online)
        assert not left.tone.exists()

        # Ended in order, it says so at once.
        await right.stop()
        await house.until("right", lambda v: not v.is_online, 1)


async def test_one_loudspeaker_does_what_it_is_told_once(house: House) -> None:
    async with (
        house.listen() as heard,
        speaker("left", house.folder, house.url) as left,
        speaker("right", house.folder, house.url, tone_command="no-such-program") as right,
    ):
        one, other = [await house.adopted(name) for name in ("left", "right")]
        await house.devices.order(ADMIN, one.id, "test_tone", {"duration_s": 0.5})
        assert left.tone.stat().st_size == 44 + 0.5 * 48_000 * 4
        with pytest.raises(Conflict, match="identify"):
            await house.devices.order(ADMIN, other.id, "identify", {})
        before = right.snapclient()
        await house.devices.order(ADMIN, other.id, "restart", {})
        await eventually(lambda: right.snapclient() not in (0, before))

        # From an integrator, and the ways not to do it.
        left.tone.unlink()
        place = f"client/{house.tenant.client.id}/device/left"
        await heard.send(f"{place}/cmd/identify", {"id": "i-1"})
        await heard.ack(place, id="i-1", status="completed")
        assert left.tone.exists()
        left.tone.unlink()
        await heard.send("device/left/down/cmd/identify", {"id": "evil"}, retain=True)
        await heard.hears("device/left/down/cmd/identify", lambda h: not h.payload)
        old = {"id": "old", "ts": "2020-01-01T00:00:00Z", "ttl_s": 5}
        await heard.send("device/left/down/cmd/identify", old)
        await heard.hears("device/left/up/ack", lambda h: h.json["status"] == "expired")
        await heard.send("device/left/down/cmd/identify", b"{")
        await heard.send("device/left/down/desired", b"[]", retain=True)
        await heard.send("device/left/down/cmd/report", {"id": "alive"})
        await heard.hears("device/left/up/ack", lambda h: h.json["id"] == "alive")
        assert not left.tone.exists()
        heard.faults.clear()  # the rubbish above


async def test_an_agent_that_hangs_is_offline_by_its_last_will(house: House) -> None:
    async with speaker("left", house.folder, house.url, keepalive_s="2") as left:
        await house.until("left", lambda v: v.is_online, STARTS_WITHIN_S)
        left.signal(signal.SIGSTOP)
        # Once and a half the keepalive, and mosquitto looks every five seconds.
        await house.until("left", lambda v: not v.is_online, 3 + 5 + 2)
        left.signal(signal.SIGCONT)
        await house.until("left", lambda v: v.is_online)


async def test_a_late_will_is_put_right(house: House) -> None:
    async with house.listen() as heard, speaker("left", house.folder, house.url):
        await house.until("left", lambda v: v.is_online, STARTS_WITHIN_S)
        since = len(heard.heard)
        await heard.send("device/left/up/status", b"offline", retain=True)
        await heard.hears("device/left/up/status", lambda h: h.payload == b"online", since=since)
        await house.until("left", lambda v: v.is_online)


async def test_the_loudspeaker_of_ones_own_that_the_manual_shows_works(
    house: House, tmp_path: Path
) -> None:
    page = (GUIDE / "own-speaker.md").read_text()
    assert f"```python\n{(GUIDE / 'own_speaker.py').read_text()}```" in page
    script = await asyncio.create_subprocess_exec(
        sys.executable, str(GUIDE / "own_speaker.py"), house.url, "garden-1",
        stdout=asyncio.subprocess.PIPE,
        cwd=tmp_path,
    )  # fmt: skip
    try:
        assert script.stdout is not None
        word, code = (await asyncio.wait_for(script.stdout.readline(), 15)).split()
        assert word == b"code"
        await eventually(house.joining.pending)
        await house.joining.claim(ADMIN, Admission(code.decode()))
        view = await house.adopted("garden-1")
        assert (view.name, view.device_type, view.firmware_version) == (
            "garden-1",
            "agent",
            "own-speaker 1",
        )
        await house.devices.set_volume(ADMIN, view.id, 17)
        async with asyncio.timeout(WITHIN_S):
            while await script.stdout.readline() != b"volume 17\n":
                pass
        await house.devices.order(ADMIN, view.id, "identify", {})
        script.kill()
        await house.until("garden-1", lambda v: not v.is_online)
    finally:
        if script.returncode is None:
            script.kill()
        await script.wait()
