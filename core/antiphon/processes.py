"""Programs that Antiphon starts and keeps alive: snapserver, mosquitto, the renderer."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import random
import shutil
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Self

from antiphon.errors import PartAway, PartTimedOut, ProgramMissing
from antiphon.events import EventBus, PartChanged

_PREDECESSOR_S = 2.0
_LAST_WORDS_S = 1.0

# Runs between us and the program, in the same process: asks the kernel for SIGTERM when we die.
# A preexec_fn would do that without a second start, but forks a process that has threads. A
# precedence that is not granted is not missed. Where the kernel shares the processor between
# sessions (autogroups, see sched(7)), niceness counts within a session alone, and each child has
# one of its own: that gets the same precedence among the others.
_DIE_WITH_PARENT = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, int(signal.SIGTERM), 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    sys.exit("The parent died while the program was being started")
try:
    os.setpriority(os.PRIO_PROCESS, 0, int(sys.argv[2]))
    with open("/proc/self/autogroup", "w") as group:
        group.write(sys.argv[2])
except OSError:
    pass
for name in ("SIGPIPE", "SIGXFSZ"):
    signal.signal(getattr(signal, name), signal.SIG_DFL)
os.execv(sys.argv[3], sys.argv[3:])
"""
_LONGEST_LINE = 8192


def _info(line: str) -> int:  # noqa: ARG001  the default for programs whose lines carry no level
    return logging.INFO


class Backoff:
    """Growing, jittered delays between attempts: `next_s` gives one, `reset` starts over."""

    def __init__(self, first_s: float = 0.1, most_s: float = 15.0, factor: float = 2.0) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._factor = factor
        self._delay_s = first_s

    def next_s(self) -> float:
        """The delay before the next attempt: up to a quarter shorter or longer than planned."""
        delay_s = self._delay_s
        self._delay_s = min(self._most_s, delay_s * self._factor)
        return delay_s * random.uniform(0.75, 1.25)  # noqa: S311  spreads load, keeps no secret

    def reset(self) -> None:
        """It went well: the next trouble starts with the shortest delay again."""
        self._delay_s = self._first_s


@dataclass(frozen=True, slots=True)
class Program:
    """What to run. `package` is the Debian package that has it, for the message when it is missing.

    `env` is added to our own environment. `level_of` tells the log level of a line of its output.
    `niceness` below 0 asks the kernel (Linux) for precedence, which it grants to root alone; above
    0, the program yields to others.
    """

    command: Sequence[str]
    package: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    level_of: Callable[[str], int] = _info
    niceness: int = 0

    def path(self) -> str:
        """Where the program lies. Raises ProgramMissing."""
        if (path := shutil.which(self.command[0])) is None:
            raise ProgramMissing(self.command[0], self.package or self.command[0])
        return path


@dataclass(frozen=True, slots=True)
class Supervision:
    """When to start again, and how long to wait. A run of `settled_s` resets the delays."""

    first_delay_s: float = 0.1
    most_delay_s: float = 15.0
    settled_s: float = 10.0
    stop_timeout_s: float = 5.0


class ChildProcess:
    """One program, kept alive while the context is entered.

    It runs in a session of its own (Ctrl-C in a terminal reaches us alone), is told to end by the
    kernel when we die (Linux), and is started again when it ends, after growing, jittered delays.
    Its output goes to the logger `antiphon.child.<name>`, line by line. With a `bus`, every start
    and every end is a PartChanged of part `name`. `on_exit` gets the reason of every end that
    nobody asked for. Enter it on the main thread: the kernel's promise is bound to the thread.
    """

    def __init__(
        self,
        name: str,
        program: Program,
        *,
        bus: EventBus | None = None,
        on_exit: Callable[[str], None] | None = None,
        supervision: Supervision | None = None,
    ) -> None:
        self._name = name
        self._program = program
        self._bus = bus
        self._on_exit = on_exit
        self._rules = supervision or Supervision()
        self._log = logging.getLogger(f"antiphon.child.{name}")
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._running = asyncio.Event()
        self._hurry = asyncio.Event()
        self._tail: deque[str] = deque(maxlen=20)

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._process.pid if self._process and self._running.is_set() else None

    @property
    def last_lines(self) -> Sequence[str]:
        """The last lines that the program wrote, oldest first; for a message about its end."""
        return tuple(self._tail)

    async def __aenter__(self) -> Self:
        """Start the program; returns as soon as it runs. Raises ProgramMissing."""
        self._program.path()
        first = await self._start()
        self._task = asyncio.create_task(self._supervise(first), name=f"child {self._name}")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the program: TERM, then KILL. Leaves no process of its group behind."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        if self._process is not None:
            await self._terminate(self._process)
            await self._hear_out()
            self._running.clear()

    async def restart(self, timeout_s: float = 10.0) -> None:
        """End the program and start it again at once, without a delay.

        Returns when it runs again. Raises PartTimedOut, PartAway when the context is not entered.
        """
        if self._task is None or self._process is None:
            raise PartAway(self._name, "It is not being supervised now.")
        was_running = self._running.is_set()
        self._running.clear()
        self._hurry.set()
        if was_running:
            await self._terminate(self._process)
        try:
            async with asyncio.timeout(timeout_s):
                await self._running.wait()
        except TimeoutError:
            raise PartTimedOut(self._name, "a restart", timeout_s) from None

    async def _start(self) -> asyncio.subprocess.Process:
        command = [self._program.path(), *self._program.command[1:]]
        if sys.platform == "linux":
            launcher = [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT]
            command = [*launcher, str(os.getpid()), str(self._niceness()), *command]
        # Our own pipe: asyncio takes a process for alive as long as anybody, a child of it, say,
        # holds the other end of a pipe that asyncio made.
        ours, theirs = os.pipe()
        output = os.fdopen(ours, "rb", buffering=0)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=theirs,
                stderr=asyncio.subprocess.STDOUT,
                env={**os.environ, **self._program.env},
                start_new_session=True,
            )
        except BaseException:
            output.close()
            raise
        finally:
            os.close(theirs)
        self._tail.clear()
        self._reading = asyncio.create_task(self._read(output), name=f"output of {self._name}")
        self._log.info("%s was started as process %d", self._name, self._process.pid)
        self._running.set()
        self._publish(is_up=True)
        return self._process

    def _niceness(self) -> int:
        wished = self._program.niceness
        return wished if wished < 0 else min(19, os.getpriority(os.PRIO_PROCESS, 0) + wished)

    async def _supervise(self, process: asyncio.subprocess.Process | None) -> None:
        backoff = Backoff(self._rules.first_delay_s, self._rules.most_delay_s)
        clock = asyncio.get_running_loop().time
        while True:
            started_at = clock()
            reason = await self._watch(process) if process else f"{self._name} could not start"
            if clock() - started_at >= self._rules.settled_s:
                backoff.reset()
            if self._hurry.is_set():
                delay_s = 0.0
            else:
                delay_s = backoff.next_s()
                self._report(f"{reason}. It is started again in {delay_s:.1f} s")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay_s):
                    await self._hurry.wait()
            self._hurry.clear()
            try:
                process = await self._start()
            except (ProgramMissing, OSError) as error:
                self._tail.append(str(error))
                process = None

    async def _watch(self, process: asyncio.subprocess.Process) -> str:
        """Follow the program to its end; returns why it ended, as a sentence without a stop."""
        code = await process.wait()
        self._running.clear()
        _signal_group(process.pid, signal.SIGKILL)  # what it started must not outlive it
        await self._hear_out()
        last = f": {self._tail[-1]}" if self._tail else ""
        how = f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"
        return f"{self._name} {how}{last}"

    async def _read(self, output: IO[bytes]) -> None:
        """Log what the program writes, until nobody can write any more."""
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), output
        )
        rest = b""
        try:
            while data := await reader.read(65536):
                *lines, rest = (rest + data).split(b"\n")
                if len(rest) > _LONGEST_LINE:
                    lines, rest = [*lines, rest], b""
                for line in lines:
                    self._log_line(line)
            self._log_line(rest)
        finally:
            transport.close()

    async def _hear_out(self) -> None:
        """Read the last words of a program that has ended."""
        if self._reading is not None:
            reading, self._reading = self._reading, None
            try:
                await asyncio.wait({reading}, timeout=_LAST_WORDS_S)
            finally:
                reading.cancel()

    def _log_line(self, raw: bytes) -> None:
        if line := raw[:_LONGEST_LINE].decode(errors="replace").strip():
            self._tail.append(line)
            self._log.log(self._program.level_of(line), "%s", line)

    def _report(self, reason: str) -> None:
        self._log.warning("%s", reason)
        self._publish(is_up=False, message=reason)
        if self._on_exit is not None:
            self._on_exit(reason)

    def _publish(self, *, is_up: bool, message: str | None = None) -> None:
        if self._bus is not None:
            self._bus.publish(PartChanged(part=self._name, is_up=is_up, message=message))

    async def _terminate(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is not None:
            return  # its number may belong to somebody else by now
        _signal_group(process.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(self._rules.stop_timeout_s):
                await process.wait()
        except TimeoutError:
            self._log.warning("%s did not end when asked to; it is killed", self._name)
        finally:
            _signal_group(process.pid, signal.SIGKILL)
        await process.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port of `host` that nobody listens on now."""
    return _bind(host, 0)


def port_or_free(host: str, wanted: int) -> tuple[int, bool]:
    """`wanted` if it can be used, else a free port; and whether `wanted` was taken.

    `wanted` 0 takes any free port. Raises OSError where `host` is not an address of this machine.
    """
    try:
        return _bind(host, wanted), False
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
    return free_port(host), True


async def given_back(addresses: Iterable[tuple[str, int]]) -> None:
    """Wait, for two seconds at most, until nobody holds any of these hosts' ports.

    After a crash of ours, the children of the last run may need a moment to end; on other ports
    nobody would find the new ones.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PREDECESSOR_S):
            for host, port in addresses:
                while port_or_free(host, port)[1]:  # noqa: ASYNC110  nobody tells of it
                    await asyncio.sleep(0.05)


def _bind(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        probe.listen(1)
        return int(probe.getsockname()[1])
