"""Several renderer processes behind one door: who renders what, together and moved."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeVar

import pytest
from tests.core.engine.test_host import read_fifo
from tests.sounds import tone, tone_db, write_wav

from antiphon.engine.pool import RendererPool
from antiphon.engine.protocol import (
    AddZone,
    Attach,
    CallFinished,
    CallStarted,
    Clip,
    LoadProgramme,
    RemoveZone,
    Report,
    StartCall,
    StopCall,
    Track,
    TrackStarted,
)
from antiphon.events import EventBus, PartChanged

ReportT = TypeVar("ReportT", bound=Report)


class Pool:
    """A pool of two processes with two zones each, and what is told."""

    def __init__(self, pool: RendererPool, folder: Path, parts: list[PartChanged]) -> None:
        self.pool = pool
        self.folder = folder
        self.parts = parts
        self.reports: asyncio.Queue[Report] = asyncio.Queue()
        pool.subscribe(self.reports.put_nowait)

    def add(self, *zones: str) -> None:
        for zone in zones:
            self.pool.send(AddZone(zone, f"fifo:{self.folder / zone}"))

    async def play(self, zone: str, programme: str, hertz: float) -> None:
        path = write_wav(self.folder / f"{hertz}.wav", tone(60.0, hertz))
        self.pool.send(Attach(zone, programme))
        self.pool.send(LoadProgramme(programme, (Track("1", str(path)),)))
        await self.told(TrackStarted)

    async def told(self, kind: type[ReportT]) -> ReportT:
        async with asyncio.timeout(10):
            while True:
                report = await self.reports.get()
                if isinstance(report, kind):
                    return report

    async def heard(self, zone: str, hertz: float) -> bool:
        sound = await read_fifo(self.folder / zone, 0.5)
        return tone_db(sound[-4800:], hertz) > -30

    async def hears(self, zone: str, hertz: float) -> None:
        async with asyncio.timeout(10):
            while not await self.heard(zone, hertz):
                pass

    def where(self, zone: str) -> int | None:
        return self.pool._zones[zone].host.pid


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    bus, parts = EventBus(), []  # type: ignore[var-annotated]
    bus.subscribe(PartChanged, parts.append)
    async with RendererPool(bus, processes=2, zones_per_process=2) as pool:
        await pool.ready()
        yield Pool(pool, tmp_path, parts)


async def test_a_further_process_starts_where_one_has_its_share(pool: Pool) -> None:
    pool.add("a", "b")
    assert len(pool.pool.pids) == 1
    pool.add("c", "d", "e")
    await pool.play("a", "one", 400.0)
    await pool.play("c", "two", 700.0)
    await asyncio.gather(pool.hears("a", 400.0), pool.hears("c", 700.0))
    assert len(pool.pool.pids) == 2
    assert pool.where("a") == pool.where("b") != pool.where("c") == pool.where("d")
    assert pool.where("e") in pool.pool.pids  # there are no more than two
    assert {part.part for part in pool.parts if part.is_up} == {"renderer", "renderer 2"}
    assert pool.pool.is_up


async def test_a_zone_that_joins_a_programme_moves_to_its_process(pool: Pool) -> None:
    pool.add("a", "b", "c")
    await pool.play("a", "one", 400.0)
    await pool.play("c", "two", 700.0)
    await pool.hears("c", 700.0)
    pool.pool.send(Attach("c", "one"))
    await pool.hears("c", 400.0)
    assert pool.where("c") == pool.where("a")


async def test_a_zone_moves_when_its_call_is_over(pool: Pool) -> None:
    pool.add("a", "b", "c")
    await pool.play("a", "one", 400.0)
    clip = Clip(str(write_wav(pool.folder / "clip.wav", tone(1.0, 900.0))))
    pool.pool.send(StartCall("call", ("c",), clip))
    await pool.told(CallStarted)
    before = pool.where("c")
    pool.pool.send(Attach("c", "one"))
    assert pool.where("c") == before
    finished = await pool.told(CallFinished)
    assert finished.reason == "completed"
    assert finished.seconds == pytest.approx(1.0, abs=0.01)
    await pool.hears("c", 400.0)
    assert pool.where("c") == pool.where("a") != before


async def test_a_call_in_zones_of_two_processes_is_due_at_one_time(pool: Pool) -> None:
    pool.add("a", "b", "c")
    await pool.play("a", "one", 400.0)
    await pool.play("c", "two", 400.0)
    clip = Clip(str(write_wav(pool.folder / "clip.wav", tone(5.0, 900.0))))
    pool.pool.send(StartCall("call", ("a", "c"), clip))
    asked = [host._state._calls["call"] for host in pool.pool._hosts]
    assert [call.zones for call in asked] == [("a",), ("c",)]
    assert asked[0].at == asked[1].at is not None
    assert {(await pool.told(CallStarted)).zone for _ in asked} == {"a", "c"}


async def test_a_call_is_stopped_in_all_processes_and_unknown_zones_are_told(pool: Pool) -> None:
    pool.add("a", "b", "c")
    clip = Clip(str(write_wav(pool.folder / "clip.wav", tone(30.0, 900.0))))
    pool.pool.send(StartCall("call", ("a", "c", "nowhere"), clip))
    assert (await pool.told(CallFinished)).zone == "nowhere"
    await pool.told(CallStarted)
    await pool.told(CallStarted)
    pool.pool.send(StopCall("call", ("a", "c")))
    over = {(await pool.told(CallFinished)).zone, (await pool.told(CallFinished)).zone}
    assert over == {"a", "c"}
    pool.pool.send(RemoveZone("c"))
    pool.pool.send(RemoveZone("c"))


async def test_a_process_that_dies_comes_back_with_its_zones_alone(pool: Pool) -> None:
    pool.add("a", "b", "c")
    await pool.play("a", "one", 400.0)
    await pool.play("c", "two", 700.0)
    await asyncio.gather(pool.hears("a", 400.0), pool.hears("c", 700.0))
    (kept, killed) = pool.where("a"), pool.where("c")
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    await pool.hears("a", 400.0)
    await pool.hears("c", 700.0)
    assert pool.where("a") == kept
    assert pool.where("c") not in (None, killed)
