from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import uuid4

import pytest
from tests.core.jobs import targets

from antiphon.errors import Invalid, JobFailed, NotFound, PartAway, PartTimedOut, UnsupportedMedia
from antiphon.events import EventBus, JobProgressed
from antiphon.jobs import JobRunner, JobState

T = "tests.core.jobs.targets"


@pytest.fixture
def bus() -> EventBus:
    return EventBus()


@pytest.fixture
async def jobs(bus: EventBus) -> AsyncIterator[JobRunner]:
    async with JobRunner(bus) as runner:
        yield runner


async def until(met: Callable[[], object], within_s: float = 10) -> None:
    """Wait for what another process does; it has no event for us."""
    async with asyncio.timeout(within_s):
        while not met():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def gone(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


async def until_gone(pid: int) -> None:
    await until(lambda: gone(pid))


async def until_written(path: Path) -> str:
    await until(lambda: path.exists() and path.read_text())
    return await asyncio.to_thread(path.read_text)


async def test_arguments_and_result_come_through(jobs: JobRunner) -> None:
    sent = {"a": "Größe\n", "b": [1, None, 2.5], "c": "x" * 1_000_000}
    assert await jobs.run(f"{T}:echo", sent) == sent


async def test_a_worker_keeps_what_it_loaded_and_yields_to_sound(jobs: JobRunner) -> None:
    first, second = await asyncio.gather(
        jobs.run(f"{T}:about_me", {}), jobs.run(f"{T}:about_me", {})
    )
    assert first["pid"] == second["pid"] != os.getpid()
    assert [first["calls"], second["calls"]] == [1, 2]
    assert first["nice"] >= 10
    other = await jobs.run(f"{T}:about_me", {}, worker="speech")
    assert other["pid"] != first["pid"]


async def test_a_worker_is_small(jobs: JobRunner) -> None:
    loaded = set(await jobs.run(f"{T}:modules", {}))
    assert not loaded & {"asyncio", "pydantic", "tortoise", "aiohttp", "av", "numpy"}


async def test_what_jobs_print_is_logged_and_is_no_answer(
    jobs: JobRunner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "antiphon.jobs")
    assert await jobs.run(f"{T}:chatter", {}) == "done"
    await until(lambda: "from a child" in caplog.text and "xxx" in caplog.text)
    assert "to standard output" in caplog.text


async def test_errors_keep_their_class_and_sentence(jobs: JobRunner) -> None:
    with pytest.raises(Invalid) as invalid:
        await jobs.run(f"{T}:refuse", {"kind": "invalid"})
    assert [(e.field, e.message) for e in invalid.value.errors] == [
        ("text", "too long"),
        ("voice", "unknown"),
    ]
    with pytest.raises(NotFound, match=r"^There is no voice bob\.$"):
        await jobs.run(f"{T}:refuse", {"kind": "not found"})
    with pytest.raises(PartAway, match=r"^The voice is not available\. Install it\.$"):
        await jobs.run(f"{T}:refuse", {"kind": "away"})
    with pytest.raises(targets.Unreadable) as own:
        await jobs.run(f"{T}:refuse", {"kind": "own"})
    assert isinstance(own.value, UnsupportedMedia)
    assert str(own.value) == "x.mp3 can not be used: it is empty."


@pytest.mark.parametrize(
    ("target", "arguments", "said"),
    [
        (f"{T}:refuse", {"kind": "bug"}, "KeyError: 'surprise'"),
        (f"{T}:unserialisable", {}, "not JSON serializable"),
        (f"{T}:no_such_function", {}, "no attribute 'no_such_function'"),
        ("no_such_module:f", {}, "No module named 'no_such_module'"),
        (f"{T}:echo2", {}, "no attribute"),
        (f"{T}:about_me", {"surplus": 1}, "surplus"),
        (f"{T}:die", {"by": targets.TERM}, "ended by SIGTERM; its last words: I feel unwell"),
        (f"{T}:die", {"by": targets.KILL}, "was the memory used up?"),
        (f"{T}:leave", {}, "ended with status 3"),
    ],
)
async def test_a_bug_or_a_death_fails_the_job_and_no_other(
    jobs: JobRunner, target: str, arguments: dict[str, object], said: str
) -> None:
    after = asyncio.create_task(jobs.run(f"{T}:echo", {"x": 0}))
    with pytest.raises(JobFailed) as failed:
        await jobs.run(target, arguments)
    assert said in str(failed.value)
    assert await after == {"x": 0}
    assert await jobs.run(f"{T}:echo", {"x": 1}) == {"x": 1}


async def test_a_job_that_hangs_is_ended_with_its_children(jobs: JobRunner, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with pytest.raises(PartTimedOut, match=r"within 1 s"):
        await jobs.run(f"{T}:hang", {"mark": str(mark)}, timeout_s=1)
    await until_gone(int(mark.read_text()))
    assert await jobs.run(f"{T}:echo", {"x": 1}) == {"x": 1}


async def test_a_cancelled_job_ends_and_the_next_runs(jobs: JobRunner, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    hanging = asyncio.create_task(jobs.run(f"{T}:hang", {"mark": str(mark)}))
    pid = int(await until_written(mark))
    hanging.cancel()
    assert await jobs.run(f"{T}:echo", {"x": 1}) == {"x": 1}
    await until_gone(pid)


async def test_a_worker_that_died_while_idle_is_not_noticed(jobs: JobRunner) -> None:
    first = await jobs.run(f"{T}:about_me", {})
    os.kill(first["pid"], targets.KILL)
    await until_gone(first["pid"])
    assert (await jobs.run(f"{T}:about_me", {}))["calls"] == 1


async def test_idle_workers_are_closed(bus: EventBus) -> None:
    async with JobRunner(bus, idle_s=0.05) as jobs:
        first = await jobs.run(f"{T}:about_me", {})
        await until_gone(first["pid"])
        assert (await jobs.run(f"{T}:about_me", {}))["pid"] != first["pid"]


async def test_progress_reaches_the_caller_within_bounds(jobs: JobRunner) -> None:
    seen: list[float] = []
    assert await jobs.run(f"{T}:step", {}, on_progress=seen.append) == "stepped"
    assert seen == [0.0, 0.5, 1.0]


async def test_background_jobs_tell_their_story(jobs: JobRunner, bus: EventBus) -> None:
    client, results = uuid4(), []

    async def keep(result: str) -> None:
        results.append(result)

    with bus.stream(JobProgressed) as events:
        job = jobs.start("Import", f"{T}:step", {}, client_id=client, then=keep)
        seen: list[JobProgressed] = []
        async with asyncio.timeout(10):
            while not seen or seen[-1].state == "running":
                event = await anext(events)
                assert isinstance(event, JobProgressed)
                seen.append(event)
    assert results == ["stepped"]
    assert {(e.job_id, e.client_id, e.label) for e in seen} == {(job, client, "Import")}
    assert [e.progress for e in seen] == [0.0, 0.0, 0.5, 1.0, 1.0]
    (view,) = jobs.views(client)
    assert (view.state, view.progress) == (JobState.DONE, 1.0)
    assert jobs.views(uuid4()) == []


async def test_background_jobs_say_why_they_failed(jobs: JobRunner) -> None:
    def refuse_result(result: object) -> None:
        raise ValueError("no room")

    jobs.start("refused", f"{T}:refuse", {"kind": "not found"})
    jobs.start("unwanted", f"{T}:echo", {}, then=refuse_result)
    await until(lambda: all(view.state is JobState.FAILED for view in jobs.views()))
    assert [(view.label, view.message) for view in jobs.views()] == [
        ("unwanted", "ValueError: no room"),
        ("refused", "There is no voice bob."),
    ]


async def test_leaving_ends_what_runs(bus: EventBus, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    async with JobRunner(bus) as jobs:
        jobs.start("endless", f"{T}:hang", {"mark": str(mark)})
        pid = int(await until_written(mark))
    await until_gone(pid)
    (view,) = jobs.views()
    assert (view.state, view.message) == (JobState.FAILED, "The server was stopped.")
    with pytest.raises(PartAway):
        await jobs.run(f"{T}:echo", {})


@pytest.mark.parametrize("steps", [1, 2, 5, 20])
async def test_leaving_while_a_worker_starts_leaves_none(bus: EventBus, steps: int) -> None:
    def workers() -> set[str]:
        found = (p.read_text() for p in Path("/proc/self/task").glob("*/children"))
        return {pid for line in found for pid in line.split() if not gone(int(pid))}

    before = workers()
    async with JobRunner(bus) as jobs:
        waiting = [asyncio.create_task(jobs.run(f"{T}:echo", {})) for _ in range(2)]
        jobs.start("early", f"{T}:echo", {}, worker="speech")
        for _ in range(steps):
            await asyncio.sleep(0)
    assert workers() == before
    for outcome in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(outcome, PartAway) or outcome == {}  # it may just have been done
    assert workers() == before


async def test_a_worker_does_not_outlive_a_killed_server(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    script = (
        "import asyncio, sys\n"
        "from antiphon.events import EventBus\n"
        "from antiphon.jobs import JobRunner\n"
        "async def main():\n"
        "    async with JobRunner(EventBus()) as jobs:\n"
        f"        await jobs.run('{T}:hang', {{'mark': sys.argv[1]}}, on_progress=lambda s:\n"
        "            print(jobs._workers['media'].pid, flush=True))\n"
        "asyncio.run(main())\n"
    )
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(mark), stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    assert server.stdout is not None
    async with asyncio.timeout(20):
        worker = int(await server.stdout.readline())
    server.kill()
    await server.wait()
    await until_gone(worker)
    os.kill(int(mark.read_text()), targets.KILL)
