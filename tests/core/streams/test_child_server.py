from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from tests.core.streams.conftest import QUICK, Bench
from tests.fakes.loudspeakers import loudspeaker, tone
from tests.fakes.snapserver import program
from tests.fakes.waiting import eventually

from antiphon.errors import Misconfigured, PartAway
from antiphon.processes import free_port
from antiphon.settings.models import SnapcastSettings
from antiphon.streams import ClientsSynced, ServerLost, Snapcast, stream_name
from antiphon.streams.child import ChildServer
from antiphon.streams.control import SnapcastControl
from antiphon.streams.watchdog import Watchdog

SETTINGS = SnapcastSettings.model_validate({**QUICK, "bind": "127.0.0.1"})
SHOP, BAR, GYM = uuid4(), uuid4(), uuid4()
THREE = {SHOP: "Shop", BAR: "Bar", GYM: "Gym"}


class Answers:
    """Notes whether the server answers."""

    def __init__(self, up: asyncio.Event) -> None:
        self.up = up

    def on_status(self, status: object) -> None:
        self.up.set()

    def on_notification(self, method: str, params: object) -> None:
        pass

    def on_lost(self, reason: str) -> None:
        self.up.clear()


def pipe(sink: str) -> Path:
    assert sink.startswith("fifo:")
    return Path(sink.removeprefix("fifo:"))


def is_on(snapcast: Snapcast, client_id: str, zone_id: UUID | None) -> bool:
    return any(
        client.id == client_id and client.is_connected and client.zone_id == zone_id
        for client in snapcast.clients()
    )


async def test_a_client_hears_the_zone_it_is_assigned_to_and_nothing_before(bench: Bench) -> None:
    async with bench.snapcast() as snapcast:
        sinks = await snapcast.provision(THREE)
        await snapcast.wait_available()
        port = snapcast.stream_port
        async with (
            tone(sinks[SHOP], 440),
            tone(sinks[BAR], 880),
            loudspeaker(port, "left", bench.folder) as left,
        ):
            await eventually(lambda: is_on(snapcast, "left", None))
            await eventually(lambda: left.heard()[0] == 0 and left.loudest() == 0.0)
            await snapcast.assign("left", SHOP)
            await left.hears(440)
            await snapcast.assign("left", BAR)
            await left.hears(880)
            await snapcast.set_volume("left", 30)
            await eventually(lambda: 0.0 < left.heard()[1] < 0.3)
            await snapcast.assign("left", None)
            await left.hears_nothing()


async def test_a_client_leaves_a_group_that_it_shares(bench: Bench) -> None:
    async with bench.snapcast() as snapcast:
        await snapcast.provision(THREE)
        await snapcast.wait_available()
        port = snapcast.stream_port
        async with (
            loudspeaker(port, "left", bench.folder),
            loudspeaker(port, "right", bench.folder),
        ):
            await eventually(lambda: len(snapcast.clients()) == 2)
            group = snapcast.clients()[0].group_id
            await snapcast._control.request(
                "Group.SetClients", {"id": group, "clients": ["left", "right"]}
            )
            snapcast._control.refresh()
            await eventually(lambda: len({c.group_id for c in snapcast.clients()}) == 1)
            await snapcast.assign("left", SHOP)
            snapcast._control.refresh()
            await eventually(lambda: is_on(snapcast, "left", SHOP))
            assert is_on(snapcast, "right", None)


async def test_a_new_zone_is_heard_while_the_server_runs(bench: Bench) -> None:
    async with bench.snapcast() as snapcast:
        first = await snapcast.provision({SHOP: "Shop"})
        await snapcast.wait_available()
        async with loudspeaker(snapcast.stream_port, "left", bench.folder) as left:
            await eventually(lambda: is_on(snapcast, "left", None))
            added = await snapcast.provision({BAR: "Bar"})
            assert added.keys() == {BAR}
            await eventually(lambda: not bench.parts[-1].is_up or len(bench.parts) > 1)
            assert any("for new zones" in (part.message or "") for part in bench.parts)
            async with tone(first[SHOP], 440), tone(added[BAR], 880):
                await eventually(lambda: snapcast.available and is_on(snapcast, "left", None))
                await snapcast.assign("left", BAR)
                await left.hears(880)
                await snapcast.assign("left", SHOP)
                await left.hears(440)


async def test_a_server_that_takes_new_streams_is_not_interrupted_for_them(bench: Bench) -> None:
    async with bench.snapcast(program=program(bench.folder)) as snapcast:
        await snapcast.provision({SHOP: "Shop"})
        await snapcast.wait_available()
        pid = snapcast.pid
        synced: list[object] = []
        snapcast.subscribe(synced.append)
        await snapcast.provision({BAR: "Bar"})
        await eventually(lambda: any(isinstance(news, ClientsSynced) for news in synced))
        assert stream_name(BAR) in snapcast._state.streams
        assert snapcast.pid == pid
        config = (bench.run_dir / "snapcast" / "snapserver.conf").read_text()
        assert f"name={stream_name(BAR)}&" in config, "it is there after a restart too"


async def test_a_server_that_hangs_is_started_again(bench: Bench) -> None:
    up = asyncio.Event()
    async with (
        ChildServer(SETTINGS, bench.run_dir, bench.data_dir, on_away=lambda _: None) as child,
        SnapcastControl(child.address, Answers(up), timeout_s=0.5, check_every_s=0.2) as control,
    ):
        watchdog = Watchdog(child, control, up)
        watchdog.hung_after_s = 0.7
        watching = asyncio.create_task(watchdog.run())
        await eventually(up.is_set)
        pid = child.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        await eventually(lambda: not up.is_set())
        await eventually(up.is_set, timeout_s=12)
        assert child.pid != pid
        watching.cancel()


async def test_the_client_hears_again_after_the_server_was_killed(bench: Bench) -> None:
    lost: list[object] = []
    async with bench.snapcast() as snapcast:
        sinks = await snapcast.provision(THREE)
        await snapcast.wait_available()
        snapcast.subscribe(lambda news: lost.append(news) if news == ServerLost() else None)
        async with (
            tone(sinks[SHOP], 440),
            loudspeaker(snapcast.stream_port, "left", bench.folder) as left,
        ):
            await eventually(lambda: is_on(snapcast, "left", None))
            await snapcast.assign("left", SHOP)
            await left.hears(440)
            port, pid = snapcast.stream_port, snapcast.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await eventually(lambda: lost)
            await snapcast.wait_available()
            await eventually(lambda: any(c.is_connected for c in snapcast.clients()))
            await snapcast.assign("left", SHOP)
            await left.hears(440)
            assert (snapcast.stream_port, snapcast.pid != pid) == (port, True)
    messages = [part.message for part in bench.parts if not part.is_up]
    assert any("signal 9" in (message or "") for message in messages)


async def test_taken_ports_are_replaced_and_found_again(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as first,
        socket.create_server(("127.0.0.1", 0)) as second,
    ):
        taken = {
            "stream_port": first.getsockname()[1],
            "control_port": second.getsockname()[1],
        }
        async with bench.snapcast(**taken) as snapcast:
            await snapcast.wait_available()
            chosen = snapcast.ports
            assert len({chosen.stream, chosen.control, chosen.http, *taken.values()}) == 5
            assert f"Port {taken['stream_port']} is taken" in caplog.text
            assert f"stream port is {chosen.stream} instead" in caplog.text
        async with bench.snapcast(**taken) as snapcast:
            await snapcast.wait_available()
            assert snapcast.ports == chosen, "loudspeakers find it where it was"
    async with bench.snapcast(**taken) as snapcast:
        await snapcast.wait_available()
        assert snapcast.stream_port == taken["stream_port"]


async def test_a_port_that_is_still_being_left_is_waited_for(bench: Bench) -> None:
    wished = free_port()
    async with bench.snapcast(stream_port=wished) as snapcast:
        await snapcast.wait_available()
    last_run = socket.create_server(("127.0.0.1", wished))
    asyncio.get_running_loop().call_later(0.3, last_run.close)
    async with bench.snapcast(stream_port=wished) as snapcast:
        assert snapcast.stream_port == wished


async def test_a_zone_that_is_switched_off_and_on_is_heard_again(bench: Bench) -> None:
    async with bench.snapcast() as snapcast:
        sinks = await snapcast.provision(THREE)
        await snapcast.wait_available()
        async with loudspeaker(snapcast.stream_port, "left", bench.folder) as left:
            await eventually(lambda: is_on(snapcast, "left", None))
            await snapcast.assign("left", SHOP)
            changes: list[object] = []
            snapcast.subscribe(changes.append)
            await snapcast.remove(SHOP)
            assert is_on(snapcast, "left", None)
            assert changes == []
            sinks = await snapcast.provision({SHOP: "Shop"})
            await eventually(lambda: snapcast.available and is_on(snapcast, "left", None))
            async with tone(sinks[SHOP], 440):
                await snapcast.assign("left", SHOP)
                await left.hears(440)


async def test_pipes_are_private_and_gone_afterwards(bench: Bench) -> None:
    async with bench.snapcast() as snapcast:
        path = pipe((await snapcast.provision(THREE))[SHOP])
        mode = path.stat().st_mode
        assert stat.S_ISFIFO(mode)
        assert stat.S_IMODE(mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        await snapcast.wait_available()
        await snapcast.remove(SHOP)
        assert not path.exists()
        again = await snapcast.provision({BAR: "Bar"})
        assert pipe(again[BAR]).exists()
    assert not path.parent.exists()


async def test_zones_of_the_last_run_are_there_at_once_and_old_ones_go(bench: Bench) -> None:
    async with bench.snapcast() as snapcast:
        await snapcast.provision(THREE)
    async with bench.snapcast() as snapcast:
        await snapcast.wait_available()
        assert len(snapcast._state.streams) == 4
        pid = snapcast.pid
        await snapcast.provision({SHOP: "Shop", BAR: "Bar"})
        assert snapcast.pid == pid, "nothing is new, so nobody is interrupted"
    async with bench.snapcast() as snapcast:
        await snapcast.wait_available()
        assert len(snapcast._state.streams) == 3


async def test_without_the_program_music_can_still_be_heard_over_http(bench: Bench) -> None:
    async with bench.snapcast(program="antiphon-no-snapserver") as snapcast:
        assert await snapcast.provision(THREE) == dict.fromkeys(THREE, "null:")
        assert not snapcast.available
        assert snapcast.clients() == ()
        assert snapcast.stream_port == 0
        with pytest.raises(PartAway, match="installed"):
            await snapcast.set_volume("left", 50)
        await snapcast.remove(SHOP)
        assert "apt-get install snapserver" in (snapcast.message or "")
    [told] = bench.parts
    assert not told.is_up
    assert "apt-get install snapserver" in (told.message or "")


async def test_a_server_that_can_not_start_is_reported_and_tried_again(bench: Bench) -> None:
    async with bench.snapcast(program="false") as snapcast:
        sinks = await snapcast.provision(THREE)
        assert sinks[SHOP].startswith("fifo:")
        await eventually(lambda: bench.parts)
        assert not snapcast.available
    assert "ended with status 1" in (bench.parts[0].message or "")


@pytest.mark.parametrize(
    "changes",
    [
        {"bind": "203.0.113.7"},
        {"mode": "external", "source_host": "203.0.113.7"},
    ],
)
async def test_an_address_that_is_not_ours_is_a_mistake_in_the_settings(
    bench: Bench, changes: dict[str, object]
) -> None:
    key = "source_host" if "source_host" in changes else "bind"
    with pytest.raises(Misconfigured, match=rf"snapcast\.{key} = .* is not an address"):
        async with bench.snapcast(**changes):
            pass


async def test_off_means_off(bench: Bench) -> None:
    async with bench.snapcast(mode="off") as snapcast:
        assert await snapcast.provision({SHOP: "Shop"}) == {SHOP: "null:"}
    assert bench.parts == []
