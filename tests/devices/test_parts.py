"""Outbox, pace and turns by themselves: what is bounded stays bounded."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
from tests.fakes.waiting import eventually

from antiphon.errors import TooManyRequests
from antiphon_devices.outbox import Outbox, Outgoing
from antiphon_devices.pace import Pace
from antiphon_devices.turns import Turns, Work


async def _all(outbox: Outbox) -> list[Outgoing]:
    return [await outbox.take() for _ in range(len(outbox))]


@pytest.mark.any_topic
async def test_while_the_broker_is_away_the_newest_document_wins_and_the_rest_is_bounded() -> None:
    outbox = Outbox(passing_limit=10)
    for n in range(1000):
        outbox.hold(f"topic/{n % 3}", b"%d" % n)
        outbox.say(Outgoing("ack", b"%d" % n))
    waiting = await _all(outbox)
    assert {m.topic: m.payload for m in waiting if m.retain} == {
        "topic/0": b"999",
        "topic/1": b"997",
        "topic/2": b"998",
    }
    assert [m.payload for m in waiting if not m.retain] == [b"%d" % n for n in range(990, 1000)]
    assert outbox.dropped == 990


@pytest.mark.any_topic
async def test_a_document_that_could_not_be_sent_never_overtakes_a_newer_one() -> None:
    outbox = Outbox()
    outbox.hold("a", b"old")
    taken = await outbox.take()
    outbox.hold("a", b"new")
    outbox.put_back(taken)
    assert [m.payload for m in await _all(outbox)] == [b"new"]
    outbox.put_back(taken)
    outbox.replay()
    assert [m.payload for m in await _all(outbox)] == [b"new"]
    outbox.empty("a")
    outbox.replay()
    assert [m.payload for m in await _all(outbox)] == [b""]


async def test_a_key_runs_at_once_then_at_its_pace_and_the_last_mark_counts() -> None:
    runs: list[float] = []
    clock = asyncio.get_running_loop().time

    async def act(key: str) -> None:
        if key == "broken":
            raise RuntimeError("one that fails does not stop the others")
        runs.append(clock())

    pace = Pace(act, interval_s=0.1)
    working = asyncio.create_task(pace.run())
    started = clock()
    pace.mark("broken")
    for _ in range(20):
        pace.mark("zone")
        await asyncio.sleep(0.01)
    await eventually(lambda: len(runs) >= 3 and clock() - runs[-1] > 0.05)
    working.cancel()
    assert runs[0] - started < 0.05
    assert all(later - sooner >= 0.095 for sooner, later in itertools.pairwise(runs))
    assert len(runs) <= 5


async def test_one_place_that_hangs_holds_up_nobody_else_and_the_line_has_an_end() -> None:
    done: list[str] = []
    failures: list[Exception] = []
    turns = Turns(limit=6, timeout_s=0.2)

    async def hang() -> None:
        await asyncio.Event().wait()

    async def work(name: str) -> None:
        done.append(name)

    def take(place: str, do: Callable[[], Awaitable[None]], owner: str = "hotel") -> None:
        turns.take(place, Work(owner, do, failures.append))

    take("bar", hang)
    take("bar", partial(work, "after"), "gym")
    take("lobby", partial(work, "elsewhere"))
    for _ in range(3):
        take("bar", partial(work, "more"), "gym")
    assert [type(f) for f in failures] == [TooManyRequests], "no owner takes more than half"
    take("spa", partial(work, "last"), "spa")
    take("spa", partial(work, "too much"), "spa")
    assert [type(f) for f in failures] == [TooManyRequests] * 2, "and all together no more than all"
    await eventually(lambda: "elsewhere" in done)
    assert "after" not in done
    await eventually(lambda: len(done) == 5)
    assert isinstance(failures[2], TimeoutError)
    take("bar", hang)
    await turns.close()
