"""The main process's end of one worker."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from antiphon.errors import JobFailed, PartAway, PartTimedOut
from antiphon.jobs.crossing import unpack

_log = logging.getLogger(__name__)

_LONGEST_LINE = 32 << 20


class WorkerProcess:
    """One worker, started when a job comes, stopped after `idle_s` without one.

    Calls wait for each other, first come, first served. The process ends with ours, however ours
    ends: it reads the end of the socket.
    """

    def __init__(self, name: str, idle_s: float) -> None:
        self._name = name
        self._idle_s = idle_s
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._drain: asyncio.Task[None] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None
        self._said: deque[str] = deque(maxlen=5)
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._process.pid if self._process else None

    async def call(
        self,
        target: str,
        arguments: Mapping[str, Any],
        timeout_s: float,
        on_progress: Callable[[float], None] | None,
    ) -> Any:
        """Run one job; see `plugins.Jobs.run`. `timeout_s` counts from when its turn comes.

        Whatever interrupts it, a time-out or a cancellation, ends the process: the next job gets
        a new one.
        """
        line = json.dumps({"target": target, "arguments": dict(arguments)}).encode() + b"\n"
        async with self._turn:
            if self._idle is not None:
                self._idle.cancel()
            if self._closing is not None:
                await self._closing
            answered = False
            try:
                async with asyncio.timeout(timeout_s):
                    answer = await self._ask(target, line, on_progress)
                answered = True
            except TimeoutError as error:
                raise PartTimedOut(f"The worker {self._name}", target, timeout_s) from error
            finally:
                if not answered:
                    await self._end()
                elif self._process is not None:
                    loop = asyncio.get_running_loop()
                    self._idle = loop.call_later(self._idle_s, self._close_idle)
            return _result(target, answer)

    async def close(self) -> None:
        """End the process at once, and for good: calls that run or wait raise PartAway."""
        self._closed = True
        if self._idle is not None:
            self._idle.cancel()
        if self._closing is not None:
            await self._closing
        await self._end()
        async with self._turn:  # a call that was starting the process has ended it by then
            await self._end()

    def _close_idle(self) -> None:
        if not self._turn.locked():
            self._closing = asyncio.create_task(self._end(), name=f"end {self._name}")

    async def _ask(
        self, target: str, line: bytes, on_progress: Callable[[float], None] | None
    ) -> dict[str, Any]:
        """The answer. A worker that died while it was idle never took the job: a new one does."""
        for _ in range(2):
            if self._closed:
                break
            if self._reader is None or self._writer is None or self._reader.at_eof():
                await self._end()
                self._reader, self._writer = await self._start()
                if self._closed:
                    break
            with contextlib.suppress(ConnectionError):  # it died; reading says so
                self._writer.write(line)
                await self._writer.drain()
            if await self._read(self._reader, target) is not None:  # it took the job
                while (message := await self._read(self._reader, target)) is not None:
                    if "progress" not in message:
                        return message
                    if on_progress is not None:
                        on_progress(message["progress"])
                break
            self._reader = None  # a reset connection does not show as an end
        if self._closed or self._process is None:
            raise PartAway("The job runner", "The server is being stopped.")
        raise JobFailed(target, await self._why_it_ended(self._process))

    async def _read(self, reader: asyncio.StreamReader, target: str) -> dict[str, Any] | None:
        """The next message, or None where the worker ended."""
        try:
            line = await reader.readline()
        except ConnectionError:
            return None
        except ValueError as error:
            raise JobFailed(target, "its answer is too long") from error
        message: dict[str, Any] | None = json.loads(line) if line.endswith(b"\n") else None
        return message

    async def _start(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        ours, theirs = socket.socketpair()
        self._said.clear()
        with theirs:
            spawning = asyncio.create_task(self._spawn(theirs.fileno()))
            try:
                self._process = await asyncio.shield(spawning)
            except BaseException:
                ours.close()
                # Cancelled in the middle, we would not know the process that we must end.
                with contextlib.suppress(OSError):
                    self._process = await spawning
                raise
        assert self._process.stderr is not None  # noqa: S101  asked for above
        self._drain = asyncio.create_task(
            self._log_output(self._process.stderr), name=f"log {self._name}"
        )
        return await asyncio.open_connection(sock=ours, limit=_LONGEST_LINE)

    async def _spawn(self, channel: int) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "antiphon.jobs.worker",
            str(channel),
            pass_fds=[channel],
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )

    async def _log_output(self, stream: asyncio.StreamReader) -> None:
        rest = b""
        while chunk := await stream.read(8192):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._said_line(line)
            if len(rest) > 8192:
                self._said_line(rest)
                rest = b""
        self._said_line(rest)

    def _said_line(self, line: bytes) -> None:
        if text := line.decode(errors="replace").strip():
            self._said.append(text)
            _log.info("%s: %s", self._name, text)

    async def _why_it_ended(self, process: asyncio.subprocess.Process) -> str:
        """A sentence about the death of the process."""
        # What it started may live on, and asyncio would wait for whoever can still write to us.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        code = await process.wait()
        if self._drain is not None:
            await asyncio.wait([self._drain], timeout=1)
        how = f"with status {code}"
        if code < 0:
            how = f"by {signal.Signals(-code).name}"
        if code == -signal.SIGKILL:
            how += " (was the memory used up?)"
        last = f"; its last words: {self._said[-1]}" if self._said else ""
        return f"its worker {self._name} was ended {how}{last}"

    async def _end(self) -> None:
        process, writer, drain = self._process, self._writer, self._drain
        self._process = self._reader = self._writer = self._drain = None
        if process is not None and process.returncode is None:
            # Its session, since a job may have started programs.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        if writer is not None:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        if process is not None:
            await process.wait()
        if drain is not None:
            await drain


def _result(target: str, answer: dict[str, Any]) -> Any:
    if "refused" in answer:
        raise unpack(answer["refused"])
    if "failed" in answer:
        raise JobFailed(target, answer["failed"])
    return answer["result"]
