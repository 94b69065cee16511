"""Short-lived programs that the agent runs, and ends when it has had enough of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_Process = asyncio.subprocess.Process


@asynccontextmanager
async def running(
    *command: str,
    stdin: int = asyncio.subprocess.DEVNULL,
    stdout: int = asyncio.subprocess.DEVNULL,
) -> AsyncIterator[_Process]:
    """A program in a session of its own; leaving kills it with all that it started.

    asyncio takes a process for alive as long as anybody holds the other end of its pipes, and the
    programs in the settings may well be shells that start others. Raises OSError where `command`
    can not be started.
    """
    starting = asyncio.create_task(_start(command, stdin, stdout))
    try:
        process = await asyncio.shield(starting)
    except asyncio.CancelledError:
        with contextlib.suppress(OSError):
            await _end(await starting)
        raise
    try:
        yield process
    finally:
        await _end(process)


async def _start(command: tuple[str, ...], stdin: int, stdout: int) -> _Process:
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=stdin,
        stdout=stdout,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )


async def _end(process: _Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.communicate()
