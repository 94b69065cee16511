"""Answers that end only when somebody hangs up: live sound, WebSockets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class EndlessAnswers:
    """Knows the requests that would keep a server from stopping, and ends them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()

    @contextmanager
    def one(self) -> Iterator[None]:
        """The current task gives such an answer; it is cancelled when the server stops."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("An answer is given by a task")
        self._tasks.add(task)
        try:
            yield
        finally:
            self._tasks.discard(task)

    def end(self) -> None:
        """The server stops."""
        for task in tuple(self._tasks):
            task.cancel()
