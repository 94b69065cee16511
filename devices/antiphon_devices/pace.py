"""Work that is asked for often and done seldom: at most once per key and interval."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from operator import itemgetter
from typing import Generic, TypeVar

K_ = TypeVar("K_", bound=Hashable)

_log = logging.getLogger(__name__)


class Pace(Generic[K_]):
    """Runs `act(key)` after `mark(key)`: the first time at once, then not before `interval_s`.

    Marks that come meanwhile become one run, so the last change is never missed. A run that
    raises or takes longer than `timeout_s` is logged; the others go on.
    """

    def __init__(
        self, act: Callable[[K_], Awaitable[None]], interval_s: float, timeout_s: float = 10.0
    ) -> None:
        self._act = act
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._due: dict[K_, float] = {}
        self._last: dict[K_, float] = {}
        self._marked = asyncio.Event()

    def mark(self, key: K_) -> None:
        """Something changed for `key`."""
        if key not in self._due:
            now = asyncio.get_running_loop().time()
            last = self._last.get(key)
            self._due[key] = now if last is None else max(now, last + self._interval_s)
            self._marked.set()

    async def run(self) -> None:
        """Work until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            key, at = min(self._due.items(), key=itemgetter(1), default=(None, None))
            if key is None or at is None:
                self._marked.clear()
                await self._marked.wait()
            elif (wait_s := at - clock()) > 0:
                self._marked.clear()
                await self._marked_within(wait_s)
            else:
                del self._due[key]
                self._remember(key, clock())
                await self._run_one(key)

    async def _marked_within(self, wait_s: float) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await self._marked.wait()
        except TimeoutError:
            return

    async def _run_one(self, key: K_) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._act(key)
        except Exception:
            _log.exception("Publishing a change of %s failed", key)

    def _remember(self, key: K_, now: float) -> None:
        if len(self._last) > 10_000:
            horizon = now - self._interval_s
            self._last = {k: at for k, at in self._last.items() if at > horizon}
        self._last[key] = now
