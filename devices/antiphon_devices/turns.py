"""Work that comes from outside, in order per place and bounded over all."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from antiphon.errors import TooManyRequests

Failed = Callable[[Exception], None]


@dataclass(frozen=True, slots=True)
class Work:
    """Something to do for `owner`. `failed` is called with what it raised."""

    owner: str
    do: Callable[[], Awaitable[None]]
    failed: Failed


class Turns:
    """Does what is taken for one place (a zone, a device) in order; places do not wait for another.

    Work fails with TimeoutError after `timeout_s`, and with TooManyRequests at once where `limit`
    pieces wait already, or half as many of the same owner.
    """

    def __init__(self, limit: int = 1000, timeout_s: float = 10.0) -> None:
        self._limit = limit
        self._timeout_s = timeout_s
        self._waiting: dict[str, deque[Work]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._counts: Counter[str] = Counter()
        self._count = 0

    def take(self, place: str, work: Work) -> None:
        """Do `work` when it is its turn."""
        if self._count >= self._limit or self._counts[work.owner] >= self._limit // 2:
            work.failed(TooManyRequests("commands at once", 1))
            return
        self._count += 1
        self._counts[work.owner] += 1
        if (line := self._waiting.get(place)) is not None:
            line.append(work)
            return
        self._waiting[place] = deque([work])
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
                work = line.popleft()
                try:
                    async with asyncio.timeout(self._timeout_s):
                        await work.do()
                except Exception as error:
                    work.failed(error)
                finally:
                    self._over(work)
        finally:
            for work in line:
                self._over(work)
            del self._waiting[place]

    def _over(self, work: Work) -> None:
        self._count -= 1
        self._counts[work.owner] -= 1
        if not self._counts[work.owner]:
            del self._counts[work.owner]
