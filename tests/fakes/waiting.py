"""Waiting for what happens in another process, where there is no event to wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(check: Callable[[], T], timeout_s: float = 8.0) -> T:
    """The first true value that `check` returns; TimeoutError when it returns none in time."""
    async with asyncio.timeout(timeout_s):
        while not (value := check()):  # noqa: ASYNC110  another process tells nobody
            await asyncio.sleep(0.02)
        return value
