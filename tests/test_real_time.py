"""A standstill excuses a failure of what is heard in real time; nothing else does."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest
from bench import standstill
from tests import real_time
from tests.end_to_end.house import children, until
from tests.real_time import in_real_time

STILL_S = 0.2


def stand_still() -> None:
    """Stop the watchers of all processors, as a machine that stands still does."""
    processors = len(os.sched_getaffinity(0))

    def watchers() -> list[int] | None:
        found = children(os.getpid(), standstill.__file__)
        return found if len(found) == processors else None

    found = until(watchers, "the watchers")
    time.sleep(STILL_S)  # they run
    for process in found:
        os.kill(process, signal.SIGSTOP)
    time.sleep(STILL_S)
    for process in found:
        os.kill(process, signal.SIGCONT)
    time.sleep(STILL_S)


def test_a_failure_beside_a_standstill_is_tried_again() -> None:
    tries: list[None] = []

    @in_real_time
    def hears() -> None:
        tries.append(None)
        if len(tries) <= 3:
            stand_still()
            raise AssertionError("a gap")

    hears()
    assert len(tries) == 4


async def test_a_failure_of_a_coroutine_is_tried_again() -> None:
    tries: list[None] = []

    @in_real_time
    async def hears() -> None:
        tries.append(None)
        if len(tries) == 1:
            await asyncio.to_thread(stand_still)
            raise TimeoutError("no sound")

    await hears()
    assert len(tries) == 2


def test_a_machine_that_goes_on_to_stand_still_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(real_time, "_PATIENCE_S", 0.0)

    @in_real_time
    def hears() -> None:
        stand_still()
        raise AssertionError("a gap")

    with pytest.raises(pytest.skip.Exception, match=r"stands still, .* a gap"):
        hears()


def test_a_failure_on_a_machine_that_runs_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(real_time, "told", lambda _notes: [])
    tries: list[None] = []

    @in_real_time
    def hears() -> None:
        tries.append(None)
        raise AssertionError("a gap")

    with pytest.raises(AssertionError, match="a gap"):
        hears()
    assert len(tries) == 2


def test_standstills_of_several_processors_at_one_time_are_one(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.write_text("10.5 11.0\n3.0 4.0\n10.0 10.75\n10.25 10.5\n")
    assert standstill.told(notes) == [1.0, 1.0]
