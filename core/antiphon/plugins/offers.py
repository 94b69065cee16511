"""What one plugin has and others may use, without knowing of each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

OfferedT = TypeVar("OfferedT")


class Offer(Generic[OfferedT]):
    """Where a plugin offers a thing while its service runs, and others find it."""

    def __init__(self) -> None:
        self._offered: OfferedT | None = None
        self._made = asyncio.Event()

    @property
    def current(self) -> OfferedT | None:
        """The thing, if there is one now."""
        return self._offered

    def make(self, offered: OfferedT) -> Callable[[], None]:
        """Offer a thing; returns what takes it back. Raises ValueError where there is one."""
        if self._offered is not None:
            raise ValueError(f"{type(self._offered).__name__} is offered already")
        self._offered = offered
        self._made.set()

        def withdraw() -> None:
            self._offered = None
            self._made.clear()

        return withdraw

    async def accept(self) -> OfferedT:
        """The thing; waits, forever if need be, until there is one."""
        while self._offered is None:
            await self._made.wait()
        return self._offered
