"""Calls into code of others with a time-out, also where that code blocks its thread."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

R = TypeVar("R")


class _Outcome(Generic[R]):
    """What a call on a thread of its own came to. The thread is left behind if it never ends."""

    def __init__(self, call: Callable[[], R], done: Callable[[], None]) -> None:
        self._call = call
        self._done = done
        self._value: R
        self._error: BaseException | None = None
        context = contextvars.copy_context()
        threading.Thread(
            target=context.run, args=(self._run,), name="plugin call", daemon=True
        ).start()

    def _run(self) -> None:
        try:
            self._value = self._call()
        except BaseException as error:
            self._error = error
        self._done()

    def get(self) -> R:
        """The result, once `done` was called; an exit or interrupt becomes a RuntimeError."""
        if isinstance(self._error, Exception):
            raise self._error
        if self._error is not None:
            raise RuntimeError(f"{type(self._error).__name__}: {self._error}") from self._error
        return self._value


def call(function: Callable[[], R], timeout_s: float) -> R:
    """The function's result, from a thread of its own. Raises TimeoutError, or what it raised."""
    done = threading.Event()
    outcome = _Outcome(function, done.set)
    if not done.wait(timeout_s):
        raise TimeoutError(f"it did not return within {timeout_s:g} s")
    return outcome.get()


async def call_beside(function: Callable[[], R], timeout_s: float) -> R:
    """Like `call`, while the loop goes on."""
    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def wake() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is gone, and nobody waits
            loop.call_soon_threadsafe(done.set)

    outcome = _Outcome(function, wake)
    try:
        async with asyncio.timeout(timeout_s):
            await done.wait()
    except TimeoutError:
        raise TimeoutError(f"it did not return within {timeout_s:g} s") from None
    return outcome.get()
