"""A server that somebody else runs: one that takes new streams, and one that does not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from tests.core.streams.conftest import Bench
from tests.fakes.loudspeakers import loudspeaker, tone
from tests.fakes.snapserver import FakeSnapserver
from tests.fakes.waiting import eventually

from antiphon.processes import ChildProcess, Program, free_port
from antiphon.streams import ClientsSynced, stream_name

SHOP, BAR = uuid4(), uuid4()


async def test_streams_are_added_and_added_again_after_a_restart(bench: Bench) -> None:
    server = FakeSnapserver()
    async with (
        server.listening(),
        bench.snapcast(mode="external", control_port=server.port) as snapcast,
    ):
        sinks = await snapcast.provision({SHOP: "Shop"})
        await eventually(lambda: stream_name(SHOP) in server.streams)
        sinks = {**sinks, **await snapcast.provision({BAR: "Bar"})}
        await eventually(lambda: stream_name(BAR) in server.streams)
        assert set(server.streams) == {"unassigned", stream_name(SHOP), stream_name(BAR)}
        for zone_id, sink in sinks.items():
            address = sink.removeprefix("listen:")
            assert f"tcp://{address}?" in server.streams[stream_name(zone_id)]
        synced: list[object] = []
        snapcast.subscribe(synced.append)
        server.streams.clear()
        server.hang_up()
        await eventually(lambda: len(server.streams) == 3)
        await eventually(lambda: any(isinstance(news, ClientsSynced) for news in synced))
        await snapcast.remove(BAR)
        assert stream_name(BAR) not in server.streams
    assert bench.parts[-1].is_up
    assert bench.parts[-1].message is None


@dataclass
class Operator:
    """Somebody with a snapserver 0.26, who edits its configuration."""

    folder: Path
    stream_port: int
    control_port: int

    @asynccontextmanager
    async def runs(self, lines: list[str]) -> AsyncIterator[None]:
        config = self.folder / "operators.conf"
        sources = "\n".join(lines)
        config.write_text(
            f"[http]\nenabled = false\n[tcp]\nport = {self.control_port}\n"
            f"[stream]\nport = {self.stream_port}\nbuffer = 300\n{sources}\n"
            "[logging]\nsink = stdout\n"
        )
        command = ["snapserver", f"--config={config}", f"--server.datadir={self.folder}"]
        async with ChildProcess("operators", Program(command, "snapserver")):
            yield


async def test_an_old_server_gets_its_streams_from_a_person_who_is_told_which(
    bench: Bench,
) -> None:
    operator = Operator(bench.folder, free_port(), free_port())
    own = ["source = pipe:///dev/null?name=radio&mode=read"]
    changes: dict[str, object] = {"mode": "external", "control_port": operator.control_port}
    async with operator.runs(own), bench.snapcast(**changes) as snapcast:
        await snapcast.provision({SHOP: "Shop"})
        await eventually(lambda: any(stream_name(SHOP) in (p.message or "") for p in bench.parts))
        told = bench.parts[-1]
        assert told.is_up
        advice = [line for line in (told.message or "").splitlines() if line.startswith("source")]
        assert len(advice) == 2
    bench.parts.clear()
    async with operator.runs(own + advice), bench.snapcast(**changes) as snapcast:
        sinks = await snapcast.provision({SHOP: "Shop"})
        assert sinks[SHOP].removeprefix("listen:") in advice[1], "the port is the same for good"
        await snapcast.wait_available()
        async with (
            tone(sinks[SHOP], 440),
            loudspeaker(operator.stream_port, "left", bench.folder) as left,
        ):
            await eventually(lambda: snapcast.client("left"))
            await snapcast.set_volume("left", 80)
            await snapcast.assign("left", SHOP)
            await left.hears(440)
    assert [part.message for part in bench.parts if part.is_up] == [None]
