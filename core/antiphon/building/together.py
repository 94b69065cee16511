"""Work that is cheaper for many at once: what comes while some is done waits and goes together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

I_ = TypeVar("I_")
O_ = TypeVar("O_")


class Together(Generic[I_, O_]):
    """Calls `work` with up to `most` of what was `put`, one call at a time.

    Where a call raises, its items are tried again one by one, so that each caller hears of its
    own trouble and of no other.
    """

    def __init__(self, work: Callable[[Sequence[I_]], Awaitable[Sequence[O_]]], most: int) -> None:
        self._work = work
        self._most = most
        self._waiting: list[tuple[I_, asyncio.Future[O_]]] = []
        self._task: asyncio.Task[None] | None = None

    async def put(self, item: I_) -> O_:
        """Have `item` worked on; returns what became of it."""
        future: asyncio.Future[O_] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="together")
        return await future

    async def close(self) -> None:
        """Give up what waits."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for _, future in self._waiting:
            future.cancel()
        self._waiting.clear()

    async def _run(self) -> None:
        while self._waiting:
            batch = self._waiting[: self._most]
            del self._waiting[: self._most]
            try:
                await self._try(batch)
            except Exception:
                for one in batch:
                    await self._try_alone(one)

    async def _try(self, batch: Sequence[tuple[I_, asyncio.Future[O_]]]) -> None:
        results = await self._work([item for item, _ in batch])
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)

    async def _try_alone(self, one: tuple[I_, asyncio.Future[O_]]) -> None:
        try:
            await self._try([one])
        except Exception as error:
            if not one[1].done():
                one[1].set_exception(error)
