"""Runs plugins' services: each in a task of its own, so that its trouble stays its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

_log = logging.getLogger(__name__)

START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 10.0
_CANCEL_TIMEOUT_S = 2.0


class ServiceTask:
    """One service, entered and left in the same task, as task groups need it.

    `on_death` is called with the reason if the service ends while nobody asked it to.
    """

    def __init__(
        self,
        name: str,
        service: AbstractAsyncContextManager[None],
        on_death: Callable[[str], None],
        *,
        start_timeout_s: float = START_TIMEOUT_S,
        stop_timeout_s: float = STOP_TIMEOUT_S,
    ) -> None:
        self._name = name
        self._service = service
        self._on_death = on_death
        self._start_timeout_s = start_timeout_s
        self._stop_timeout_s = stop_timeout_s
        self._entered = asyncio.Event()
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Enter the service. Raises what it raised, TimeoutError if it takes too long."""
        self._task = asyncio.create_task(self._run(), name=f"service {self._name}")
        entered = asyncio.create_task(self._entered.wait())
        try:
            await asyncio.wait(
                (self._task, entered),
                timeout=self._start_timeout_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
        except asyncio.CancelledError:
            await self._cancel()
            raise
        finally:
            entered.cancel()
        if self._entered.is_set():
            self._task.add_done_callback(self._ended)
            return
        if not self._task.done():
            await self._cancel()
            raise TimeoutError(f"it did not start within {self._start_timeout_s:g} s")
        if self._task.cancelled():
            raise RuntimeError("it cancelled itself while it started")
        await self._task

    async def stop(self) -> None:
        """Leave the service; what it raises then is logged, and a hang is cancelled."""
        self._stop.set()
        if self._task is None:
            return
        _, pending = await asyncio.wait((self._task,), timeout=self._stop_timeout_s)
        if pending:
            _log.error("%s did not stop within %g s", self._name, self._stop_timeout_s)
            await self._cancel()

    async def _run(self) -> None:
        async with self._service:
            self._entered.set()
            await self._stop.wait()

    async def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,), timeout=_CANCEL_TIMEOUT_S)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("%s failed", self._name, exc_info=error)
        if not self._stop.is_set():
            why = f"{type(error).__name__}: {error}" if error else "it ended by itself"
            self._on_death(why)
