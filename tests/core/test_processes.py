from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
from pathlib import Path

import pytest
from tests.fakes.waiting import eventually

from antiphon.errors import ProgramMissing
from antiphon.events import EventBus, PartChanged
from antiphon.processes import (
    Backoff,
    ChildProcess,
    Program,
    Supervision,
    free_port,
    port_or_free,
)

QUICK = Supervision(first_delay_s=0.02, most_delay_s=0.2, settled_s=5.0, stop_timeout_s=0.5)


def python(code: str, *arguments: str) -> Program:
    return Program([sys.executable, "-u", "-c", code, *arguments])


class Parts:
    """Collects what a bus says about parts, and lets a test wait for the next of it."""

    def __init__(self, bus: EventBus) -> None:
        self.queue: asyncio.Queue[PartChanged] = asyncio.Queue()
        bus.subscribe(PartChanged, self.queue.put_nowait)

    async def next(self) -> PartChanged:
        async with asyncio.timeout(5):
            return await self.queue.get()


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def pids_in(note: Path) -> list[int]:
    """What a child wrote; nothing until it has written the whole line."""
    text = note.read_text() if note.exists() else ""
    return [int(pid) for pid in text.split()] if text.endswith("\n") else []


async def test_a_killed_child_is_started_again_and_says_why() -> None:
    bus = EventBus()
    parts = Parts(bus)
    reasons: list[str] = []
    program = python("import time; print('ready to work'); time.sleep(60)")
    async with ChildProcess(
        "worker", program, bus=bus, on_exit=reasons.append, supervision=QUICK
    ) as child:
        assert (await parts.next()).is_up
        first = child.pid
        assert first is not None
        await eventually(lambda: child.last_lines)
        os.kill(first, signal.SIGKILL)
        gone = await parts.next()
        assert not gone.is_up
        assert gone.part == "worker"
        assert "signal 9: ready to work" in (gone.message or "")
        assert (await parts.next()).is_up
        assert child.pid not in (None, first)
    assert len(reasons) == 1
    assert child.pid is None


async def test_the_delays_grow_while_it_fails_at_once() -> None:
    reasons: list[str] = []
    rules = Supervision(first_delay_s=0.1, most_delay_s=1.0)
    program = python("raise SystemExit(3)")
    async with ChildProcess("broken", program, on_exit=reasons.append, supervision=rules):
        await eventually(lambda: len(reasons) >= 3)
    delays = [float(re.findall(r"again in ([\d.]+) s", reason)[0]) for reason in reasons]
    assert delays[0] < delays[2]
    assert "ended with status 3" in reasons[0]


def test_back_off_grows_to_its_limit_and_starts_over() -> None:
    backoff = Backoff(first_s=1.0, most_s=4.0)
    delays = [backoff.next_s() for _ in range(4)]
    assert 0.75 <= delays[0] <= 1.25
    assert 3.0 <= delays[2] <= 5.0
    assert 3.0 <= delays[3] <= 5.0
    backoff.reset()
    assert backoff.next_s() <= 1.25


async def test_a_child_that_ignores_term_is_killed_with_its_children(tmp_path: Path) -> None:
    note = tmp_path / "pids"
    code = (
        "import os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "open(sys.argv[1], 'w').write(f'{os.getpid()} {child.pid}\\n')\n"
        "time.sleep(60)"
    )
    async with ChildProcess("stubborn", python(code, str(note)), supervision=QUICK):
        pids = await eventually(lambda: pids_in(note))
    assert len(pids) == 2
    await eventually(lambda: not any(is_alive(pid) for pid in pids))


async def test_a_dead_child_is_not_kept_alive_by_what_it_started(tmp_path: Path) -> None:
    """That one has our pipe too, and never closes it."""
    note = tmp_path / "pids"
    code = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "open(sys.argv[1], 'w').write(f'{os.getpid()} {child.pid}\\n')\n"
        "time.sleep(60)"
    )
    async with ChildProcess("parent", python(code, str(note)), supervision=QUICK):
        parent, child = await eventually(lambda: pids_in(note))
        note.unlink()
        os.kill(parent, signal.SIGKILL)
        await eventually(lambda: pids_in(note))
        await eventually(lambda: not is_alive(child))


async def test_a_child_may_say_much_before_it_ends(tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    code = (
        "import pathlib, signal, sys, time\n"
        "def end(*_):\n"
        "    print('x' * 1_000_000 + '\\n that was all')\n"
        "    pathlib.Path(sys.argv[1]).touch()\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('ready')\n"
        "time.sleep(60)"
    )
    patient = Supervision(stop_timeout_s=20)
    async with ChildProcess("wordy", python(code, str(ended)), supervision=patient) as child:
        await eventually(lambda: child.last_lines)
    assert ended.exists()
    assert child.last_lines[-1] == "that was all"


async def test_restart_gives_a_new_process_without_a_delay() -> None:
    bus = EventBus()
    parts = Parts(bus)
    slow = Supervision(first_delay_s=30, stop_timeout_s=1)
    program = python("import time; time.sleep(60)")
    async with ChildProcess("worker", program, bus=bus, supervision=slow) as child:
        await parts.next()
        first = child.pid
        await child.restart(timeout_s=5)
        assert child.pid not in (None, first)
        assert (await parts.next()).is_up, "a restart that was asked for is not a failure"


async def test_restart_does_not_wait_for_the_rest_of_a_delay() -> None:
    bus = EventBus()
    parts = Parts(bus)
    program = python("raise SystemExit(1)")
    async with ChildProcess(
        "worker", program, bus=bus, supervision=Supervision(first_delay_s=30)
    ) as child:
        await parts.next()
        assert not (await parts.next()).is_up
        await child.restart(timeout_s=5)
        assert (await parts.next()).is_up


async def test_a_program_that_is_not_installed_is_named_with_its_package() -> None:
    program = Program(["antiphon-no-such-program"], package="some-package")
    with pytest.raises(ProgramMissing, match="apt-get install some-package"):
        async with ChildProcess("missing", program):
            pass


async def test_output_without_end_of_line_does_not_stop_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", logger="antiphon.child.loud")
    code = "import sys, time; sys.stdout.write('x' * 300000 + '\\n\\xff last\\n'); time.sleep(60)"
    async with ChildProcess("loud", python(code)) as child:
        await eventually(lambda: any(line.endswith("last") for line in child.last_lines))
    assert max(len(record.getMessage()) for record in caplog.records) <= 8192


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's promise exists on Linux alone")
async def test_a_child_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from antiphon.processes import ChildProcess, Program\n"
        "async def main():\n"
        "    async with ChildProcess('c', Program(['sleep', '60'])) as child:\n"
        "        await asyncio.sleep(0.3)\n"
        "        Path(sys.argv[1]).write_text(f'{child.pid}\\n')\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(note))
    try:
        [pid] = await eventually(lambda: pids_in(note))
        assert is_alive(pid)
    finally:
        parent.kill()
        await parent.wait()
    await eventually(lambda: not is_alive(pid))


@pytest.mark.skipif(sys.platform != "linux", reason="precedence is asked for on Linux alone")
async def test_a_child_may_yield_to_others() -> None:
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    code = (
        "import os, pathlib; group = pathlib.Path('/proc/self/autogroup');"
        "print(group.read_text().split('nice ')[-1].strip() if group.exists() else '');"
        "print('at', os.getpriority(os.PRIO_PROCESS, 0), flush=True)"
    )
    program = Program([sys.executable, "-c", f"{code}; input()"], niceness=5)
    slow = Supervision(first_delay_s=30)
    async with ChildProcess("kind", program, supervision=slow) as child:
        wished = min(19, ours + 5)
        await eventually(lambda: f"at {wished}" in child.last_lines)
        # The first line is of the session, where the kernel shares the processor between those.
        assert child.last_lines[0] in (str(wished), f"at {wished}")


def test_a_taken_port_is_replaced_by_a_free_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        wanted = taken.getsockname()[1]
        port, was_taken = port_or_free("127.0.0.1", wanted)
        assert was_taken
        assert port != wanted
        # a port of all addresses is not free while one of them has it
        assert port_or_free("0.0.0.0", wanted)[1]
    assert port_or_free("127.0.0.1", port) == (port, False)
    assert port_or_free("127.0.0.1", 0)[1] is False
    assert free_port() > 0
