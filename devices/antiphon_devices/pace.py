"""Work that is asked for often and done seldom: at most once per key and interval."""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from itertools import count
from typing import Generic, TypeVar

K_ = TypeVar("K_", bound=Hashable)

_log = logging.getLogger(__name__)
_KEPT = 20_000


class Pace(Generic[K_]):
    """Runs `act(key)` after `mark(key)`: the first time at once, then not before `interval_s`.

    Marks that come meanwhile become one run, so the last change is never missed. A run that
    raises is logged; one that takes longer than `timeout_s` is tried again. The others go on.
    """

    def __init__(
        self, act: Callable[[K_], Awaitable[None]], interval_s: float, timeout_s: float = 10.0
    ) -> None:
        self._act = act
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._due: set[K_] = set()
        self._ready: deque[K_] = deque()
        self._later: list[tuple[float, int, K_]] = []
        self._numbers = count()
        self._last: dict[K_, float] = {}
        self._marked = asyncio.Event()

    def mark(self, key: K_) -> None:
        """Something changed for `key`."""
        if key in self._due:
            return
        self._due.add(key)
        last = self._last.get(key)
        if last is None or last + self._interval_s <= asyncio.get_running_loop().time():
            self._ready.append(key)
        else:
            at = last + self._interval_s
            heapq.heappush(self._later, (at, next(self._numbers), key))
        self._marked.set()

    async def run(self) -> None:
        """Work until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            while self._later and self._later[0][0] <= clock():
                self._ready.append(heapq.heappop(self._later)[2])
            if self._ready:
                key = self._ready.popleft()
                self._due.discard(key)
                self._remember(key, clock())
                await self._run_one(key)
                continue
            self._marked.clear()
            await self._marked_within(self._later[0][0] - clock() if self._later else None)

    async def _marked_within(self, wait_s: float | None) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await self._marked.wait()
        except TimeoutError:
            return

    async def _run_one(self, key: K_) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._act(key)
        except TimeoutError:
            _log.warning("Publishing a change of %s took too long; it is tried again", key)
            self.mark(key)
        except Exception:
            _log.exception("Publishing a change of %s failed", key)

    def _remember(self, key: K_, now: float) -> None:
        if len(self._last) > _KEPT:
            horizon = now - self._interval_s
            self._last = {k: at for k, at in self._last.items() if at > horizon}
        self._last[key] = now
