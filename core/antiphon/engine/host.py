"""The main process's end of the renderer: starts it, and replays its state when it died."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from antiphon.engine.protocol import Command, Report
from antiphon.events import EventBus


class RendererHost:
    """Keeps one renderer process alive.

    `send` never waits. What was sent is remembered as the desired state (zones, programmes with
    their last known positions, open calls) and replayed into a new process when the old one died,
    so callers need not care. All methods run on the main loop.
    """

    def __init__(self, bus: EventBus) -> None:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        """Start the process; returns when it is ready. Raises PartTimedOut."""
        raise NotImplementedError

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the process."""
        raise NotImplementedError

    def send(self, command: Command) -> None:
        """Hand a command over."""
        raise NotImplementedError

    def subscribe(self, handler: Callable[[Report], None]) -> Callable[[], None]:
        """Call `handler` with every report; returns the function that ends it."""
        raise NotImplementedError

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        raise NotImplementedError
