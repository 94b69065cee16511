"""Work that comes from outside, in order per place and bounded over all."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from antiphon.errors import TooManyRequests

Work = Callable[[], Awaitable[None]]
Failed = Callable[[Exception], None]


class Turns:
    """Does what is taken for one place (a zone, a device) in order; places do not wait for another.

    `failed` is called with what a piece of work raised, with TimeoutError after `timeout_s`, and
    with TooManyRequests at once where `limit` pieces wait already.
    """

    def __init__(self, limit: int = 1000, timeout_s: float = 10.0) -> None:
        self._limit = limit
        self._timeout_s = timeout_s
        self._waiting: dict[str, deque[tuple[Work, Failed]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._count = 0

    def take(self, place: str, work: Work, failed: Failed) -> None:
        """Do `work` when it is its turn."""
        if self._count >= self._limit:
            failed(TooManyRequests("commands at once", 1))
            return
        self._count += 1
        if (line := self._waiting.get(place)) is not None:
            line.append((work, failed))
            return
        self._waiting[place] = deque([(work, failed)])
        task = asyncio.create_task(self._serve(place))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Drop what waits and cancel what is being done."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, place: str) -> None:
        line = self._waiting[place]
        try:
            while line:
                work, failed = line.popleft()
                try:
                    async with asyncio.timeout(self._timeout_s):
                        await work()
                except Exception as error:
                    failed(error)
                finally:
                    self._count -= 1
        finally:
            self._count -= len(line)
            del self._waiting[place]
