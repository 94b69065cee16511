"""Reports of loudspeakers, each in its turn; of what one says again, the newest counts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable

from antiphon_devices.allowance import Allowance

Work = Callable[[], Awaitable[None]]

_RATE = 10.0
_BURST = 50
_REST_S = 0.2
_TIMEOUT_S = 60.0  # thousands may come at once, and all of them want the database


class Inbox:
    """Does what comes for one loudspeaker in order; loudspeakers do not wait for another.

    Work that waits is replaced by newer work with the same label, so a loudspeaker that floods
    the server costs it little, and what it said last counts all the same. `flooded` is called
    with one that says more than it should; `failed` with what a piece of work raised.
    """

    def __init__(self, failed: Callable[[Exception], None], flooded: Callable[[str], None]) -> None:
        self._failed = failed
        self._flooded = flooded
        clock = asyncio.get_running_loop().time
        self._allowance = Allowance(_RATE, _BURST, clock)
        self._waiting: dict[str, dict[Hashable, Work]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_greedy: set[str] = set()
        self.taken = 0
        self.replaced = 0

    def lets_in(self, key: str) -> bool:
        """Count a message; whether it may be taken at once, since nothing waits before it."""
        self.taken += 1
        if self._allowance.take(key):
            return key not in self._waiting
        self._is_greedy.add(key)
        self._flooded(key)
        return False

    def take(self, key: str, label: Hashable, work: Work) -> None:
        """Do `work` when it is its turn, unless something newer with that label comes before."""
        line = self._waiting.get(key)
        if line is None:
            self._waiting[key] = {label: work}
            task = asyncio.create_task(self._serve(key))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        if line.pop(label, None) is not None:
            self.replaced += 1
        line[label] = work  # at the end: what came between keeps its place before it

    @property
    def is_idle(self) -> bool:
        """Whether all that came is done."""
        return not self._waiting

    async def close(self) -> None:
        """Drop what waits and cancel what is being done."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, key: str) -> None:
        line = self._waiting[key]
        try:
            while line:
                work = line.pop(next(iter(line)))
                try:
                    async with asyncio.timeout(_TIMEOUT_S):
                        await work()
                except Exception as error:
                    self._failed(error)
                if key in self._is_greedy:
                    self._is_greedy.discard(key)
                    await asyncio.sleep(_REST_S)
        finally:
            del self._waiting[key]
