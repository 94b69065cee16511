"""A call in many zones is one call: loudspeakers side by side speak as one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from tests.end_to_end.house import House
from tests.fakes.listener import Listener
from tests.fakes.waiting import eventually
from tests.real_time import in_real_time
from tests.sounds import noise, write_wav

pytestmark = pytest.mark.alone

ZONES = 4
APART_S = 0.005
LEVEL_WITHIN_S = 60.0


@in_real_time
async def test_zones_whose_queues_were_apart_are_together_again(tmp_path: Path) -> None:
    folder = tmp_path / uuid4().hex  # this may be tried several times
    folder.mkdir()
    with House(folder) as house:
        clip = house.upload("announcements", write_wav(folder / "mark.wav", noise(0.5, -14.0)))
        house.measured(f"announcements/{clip['id']}")
        zones = [house.post("zones", {"name": f"Hall {n}"})["id"] for n in range(ZONES)]
        port = house.snapcast_port()
        async with AsyncExitStack() as stack:
            listeners = []
            for number, zone in enumerate(zones):
                one = await stack.enter_async_context(Listener(f"listener-{number}", port))
                await asyncio.to_thread(house.place, one.name, zone)
                listeners.append(one)
            call = {"announcement_id": clip["id"], "zones": zones, "chime": False}

            async def apart_s() -> float:
                """Between the first and the last loudspeaker of one call."""
                for one in listeners:
                    one.forget()
                called = await asyncio.to_thread(house.post, "calls", call)
                await asyncio.to_thread(house.call_is, called["id"], "completed")
                onsets = await eventually(lambda: _onsets(listeners))
                await eventually(lambda: all(one.is_silent() for one in listeners))
                return max(onsets) - min(onsets)

            async with asyncio.timeout(LEVEL_WITHIN_S):
                while await apart_s() > APART_S:
                    pass
            _steal(next(house.data_dir.rglob(f"*{UUID(zones[1]).hex}.fifo")), 7680)
            assert await apart_s() > 0.03
            async with asyncio.timeout(LEVEL_WITHIN_S):
                while await apart_s() > APART_S:
                    pass


def _onsets(listeners: Sequence[Listener]) -> list[float]:
    """When each heard it; none until all did."""
    onsets = [one.onset_s() for one in listeners]
    return onsets if all(onsets) else []


def _steal(pipe: Path, size: int) -> None:
    """Take sound out of a zone's pipe, as a disturbance does that hits one zone alone."""
    descriptor = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert len(os.read(descriptor, size)) == size
    finally:
        os.close(descriptor)
