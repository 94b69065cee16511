"""The adapter to python-snapcast, and the one file that imports it.

The library gives the framing and the matching of answers to requests. What it does not give is
here: time-outs, errors as exceptions, reading that survives any input, reconnecting with growing
delays, and a check that the server still answers. Its model of the server is not used: it raises
inside the reader on notifications about groups and clients that it has not heard of.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Protocol, Self

from snapcast.control.protocol import SERVER_ONDISCONNECT, SnapcastProtocol

from antiphon.errors import PartAway, PartTimedOut, Unavailable
from antiphon.processes import Backoff

_log = logging.getLogger(__name__)
_METHOD_MISSING = -32601
_LONGEST_MESSAGE = 16 << 20

Json = Mapping[str, Any]


class RequestRefused(Unavailable):
    """Snapserver answered with an error."""

    def __init__(self, method: str, message: str) -> None:
        super().__init__(f"snapserver refused {method}: {message}.")


class MethodMissing(RequestRefused):
    """This version of snapserver does not have the method."""


class Listener(Protocol):
    """Who is told what happens on the connection; all calls come on the main loop's thread."""

    def on_status(self, status: Json) -> None:
        """The full status: after every connection, and from time to time.

        A ValueError means that it makes no sense; the connection is then made anew.
        """

    def on_notification(self, method: str, params: Json) -> None:
        """Something changed that another one asked for, in the server's order."""

    def on_lost(self, reason: str) -> None:
        """The connection is gone, or could not be made over the first seconds."""


class SnapcastControl:
    """A connection to snapserver's control port that is made again whenever it is lost.

    `address` is asked before every attempt, since a server of ours may have moved to another port.
    One that is not there within `patience_s` of the start is reported as lost.
    """

    def __init__(
        self,
        address: Callable[[], tuple[str, int]],
        listener: Listener,
        *,
        timeout_s: float = 5.0,
        check_every_s: float = 10.0,
        patience_s: float = 2.0,
    ) -> None:
        self._address = address
        self._listener = listener
        self._timeout_s = timeout_s
        self._check_every_s = check_every_s
        self._patience_s = patience_s
        self._protocol: _SafeProtocol | None = None
        self._refresh = asyncio.Event()
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to connect; returns at once."""
        self._task = asyncio.create_task(self._run(), name="snapserver control")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Hang up."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    @property
    def is_connected(self) -> bool:
        """Whether requests can be sent now."""
        return self._protocol is not None

    def refresh(self) -> None:
        """Ask for the full status soon; it comes through the listener."""
        self._refresh.set()

    def hurry(self) -> None:
        """Try to connect now: there is reason to think that it will work."""
        self._hurry.set()

    async def request(self, method: str, params: Json | None = None) -> dict[str, Any]:
        """Send a request and return its result.

        Raises PartAway without a connection, PartTimedOut, MethodMissing, RequestRefused.
        """
        if self._protocol is None:
            raise PartAway("snapserver", "It is being reconnected; try again.")
        return await self._ask(self._protocol, method, params or {})

    async def _ask(self, protocol: _SafeProtocol, method: str, params: Json) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._timeout_s):
                result, error = await protocol.request(method, dict(params))
        except TimeoutError:
            raise PartTimedOut("snapserver", method, self._timeout_s) from None
        if error is not None:
            message = str(error.get("data") or error.get("message") or error)
            kind = MethodMissing if error.get("code") == _METHOD_MISSING else RequestRefused
            raise kind(method, message)
        return result if isinstance(result, dict) else {"result": result}

    async def _run(self) -> None:
        backoff = Backoff(first_s=0.05, most_s=3.0)
        clock = asyncio.get_running_loop().time
        tell_at = clock() + self._patience_s
        while True:
            protocol: _SafeProtocol | None = None
            was_up = False
            try:
                protocol = await self._connect()
                await self._report_status(protocol)
                self._protocol = protocol
                was_up = True
                backoff.reset()
                await self._keep(protocol)
            except (OSError, Unavailable, ValueError) as error:
                reason = str(error) or type(error).__name__
            finally:
                self._protocol = None
                if protocol is not None:
                    protocol.close()
            if was_up or clock() >= tell_at:
                tell_at = math.inf
                self._listener.on_lost(reason)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(backoff.next_s()):
                    await self._hurry.wait()
                self._hurry.clear()
                backoff.reset()

    async def _connect(self) -> _SafeProtocol:
        host, port = self._address()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout_s):
                _, protocol = await loop.create_connection(
                    lambda: _SafeProtocol(self._notify), host, port
                )
        except TimeoutError:
            raise PartTimedOut("snapserver", "a connection", self._timeout_s) from None
        return protocol

    async def _keep(self, protocol: _SafeProtocol) -> None:
        """Stay until the connection is lost; asks for the status when told to and now and then."""
        while True:
            self._refresh.clear()
            waits = {
                asyncio.create_task(protocol.lost.wait()),
                asyncio.create_task(self._refresh.wait()),
            }
            try:
                await asyncio.wait(
                    waits, timeout=self._check_every_s, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                for wait in waits:
                    wait.cancel()
            if protocol.lost.is_set():
                raise ConnectionError("The connection to snapserver was lost")
            await self._report_status(protocol)

    async def _report_status(self, protocol: _SafeProtocol) -> None:
        self._listener.on_status(await self._ask(protocol, "Server.GetStatus", {}))

    def _notify(self, method: str, params: Json) -> None:
        if self._protocol is not None:
            self._listener.on_notification(method, params)


class _SafeProtocol(SnapcastProtocol):  # type: ignore[misc]  # the library has no types
    """The library's protocol, with a reader that no input can break."""

    def __init__(self, notify: Callable[[str, Json], None]) -> None:
        super().__init__({SERVER_ONDISCONNECT: self._on_lost})
        self._notify = notify
        self._rest = b""
        self._transport: asyncio.Transport | None = None
        self.lost = asyncio.Event()

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Split into lines first, decode then: a letter may lie across two reads."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST_MESSAGE:
            _log.warning("snapserver sent a message without an end; hanging up")
            self.close()
        for line in lines:
            if line := line.strip():
                self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
            for item in message if isinstance(message, list) else [message]:
                self.handle_data(item)
        except Exception:
            _log.exception("A message of snapserver could not be used: %.200r", line)

    def handle_notification(self, data: Json) -> None:
        """Pass on behind the answers that came before: those reach their waiters a turn later."""
        loop = asyncio.get_running_loop()
        loop.call_soon(self._notify, str(data.get("method")), data.get("params") or {})

    def _on_lost(self, _error: Exception | None) -> None:
        self.lost.set()
