"""The connection to the broker: the one file that knows aiomqtt.

It connects, says `online`, keeps an `offline` as its last will, reads, publishes what waits in the
outbox, and connects again, after growing delays, for as long as it is entered. Nothing here makes
anybody wait: senders put into the outbox, and the listener is called with what was read.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import socket
import ssl
from collections.abc import Callable, Sequence
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import lru_cache
from types import TracebackType
from typing import Any, Protocol, Self, cast

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from antiphon.processes import Backoff
from antiphon_devices.outbox import Outbox, Outgoing
from antiphon_devices.payloads import OFFLINE, ONLINE
from antiphon_devices.settings import BrokerAddress
from antiphon_devices.subscriptions import Subscriptions

_ANSWER_TIMEOUT_S = 10.0
_FAREWELL_TIMEOUT_S = 2.0
_SETTLED_S = 10.0
_IN_FLIGHT = 64
_FILTERS_AT_ONCE = 200
_MAX_QUEUED_INCOMING = 200_000  # as many as our own broker keeps for us
# A loudspeaker is to be seen again within seconds of its broker, however long that was away.
_MOST_DELAY_S = 3.0
# An account may be made at any moment, and whoever makes it stands there and waits.
_REFUSED_DELAY_S = 2.0
# Answers to a log-in of MQTT 5: bad user name or password, not authorised.
_REFUSALS = frozenset({134, 135})


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message that was read. `retain` is the flag that its sender set."""

    topic: str
    payload: bytes
    retain: bool
    response_topic: str | None = None
    correlation: bytes | None = None


class Listener(Protocol):
    """Whom the connection tells. The methods return at once."""

    def connected(self) -> None:
        """The broker is there; subscriptions are in force and `online` was said."""

    def received(self, message: Incoming) -> None:
        """A message came in."""

    def lost(self, reason: str) -> None:
        """The broker went away, or could not be reached; once per outage."""

    def refused(self) -> None:
        """The broker is there and does not know our account; after each attempt."""


@dataclass(frozen=True, slots=True)
class Session:
    """What every connection begins with.

    `mirrored` are filters whose messages come with the retain flag as the sender set it and never
    from ourselves; `reported` are plain filters: there the flag tells old from new. `plugins` are
    the filters of plugins, of the first kind; they come and go while we are connected. `identifier`
    is our name at the broker, random where it is empty; a broker that hears nothing for one and a
    half times `keepalive_s` speaks our last will.
    """

    status_topic: str
    mirrored: Sequence[str]
    reported: Sequence[str]
    identifier: str = ""
    keepalive_s: int = 30
    plugins: Subscriptions[Any] = field(default_factory=Subscriptions)


class _Arrivals(asyncio.Queue[aiomqtt.Message]):
    """Where aiomqtt puts what it read: kept until `flow`, and handed over at once from then on.

    Thousands of loudspeakers report all the time, and a queue that a task empties costs more than
    all that becomes of a report.
    """

    def __init__(self, maxsize: int = 0) -> None:
        super().__init__(maxsize)
        self._taker: Callable[[aiomqtt.Message], None] | None = None
        # aiomqtt calls from where there are no context variables, and the database lives in them.
        self._context = copy_context()

    def flow(self, taker: Callable[[aiomqtt.Message], None]) -> None:
        """Call `taker` with what came, in its order, and with all that comes."""
        while not self.empty():
            taker(self.get_nowait())
        self._taker = taker

    def put_nowait(self, item: aiomqtt.Message) -> None:
        """Called by aiomqtt for each message."""
        if self._taker is None:
            super().put_nowait(item)
        else:
            self._context.run(self._taker, item)


class Connection:
    """See the module. Enter it to start; leaving it says `offline` and disconnects."""

    def __init__(
        self,
        address: BrokerAddress,
        session: Session,
        outbox: Outbox,
        listener: Listener,
        log: logging.Logger,
    ) -> None:
        self._address = address
        self._session = session
        self._outbox = outbox
        self._listener = listener
        self._log = log
        # The same all along: a broker that still holds an older connection ends that one first,
        # so that its will comes before our `online`.
        self._identifier = session.identifier or f"antiphon-{secrets.token_hex(4)}"
        self._closing = asyncio.Event()
        self._in_flight = 0
        self._is_refused = False
        self._idle = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start; returns at once, whether or not the broker is there."""
        self._task = asyncio.create_task(self._run(), name="mqtt connection")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Send what waits, as far as that is quick, say `offline` and disconnect."""
        self._closing.set()
        if self._task is not None:
            done, _ = await asyncio.wait({self._task}, timeout=3 * _FAREWELL_TIMEOUT_S)
            if not done:
                self._task.cancel()
                await asyncio.wait({self._task})
            self._task = None

    async def _run(self) -> None:
        backoff = Backoff(0.2, _MOST_DELAY_S)
        refused = Backoff(_REFUSED_DELAY_S, _REFUSED_DELAY_S)
        clock = asyncio.get_running_loop().time
        told = False
        while not self._closing.is_set():
            started_at = clock()
            was_up, reason = await self._one_session()
            if self._closing.is_set():
                return
            if was_up and clock() - started_at > _SETTLED_S:
                backoff.reset()
            if was_up or not told:
                self._listener.lost(reason)
                told = True
            if self._is_refused:
                self._listener.refused()
                backoff.reset()  # the broker itself is well: its next absence may be short
                delay_s = refused.next_s()
            else:
                delay_s = backoff.next_s()
            self._log.debug("MQTT: %s; the next attempt is in %.1f s", reason, delay_s)
            try:
                async with asyncio.timeout(delay_s):
                    await self._closing.wait()
            except TimeoutError:
                pass

    async def _one_session(self) -> tuple[bool, str]:
        """One connection from its first to its last byte: whether it came up, why it ended."""
        was_up = self._is_refused = False
        arrivals = _Arrivals(_MAX_QUEUED_INCOMING)
        try:
            async with self._client(arrivals) as client:
                await self._begin(client)
                was_up = True
                self._listener.connected()
                arrivals.flow(self._take)
                await self._serve(client)
        except (aiomqtt.MqttError, OSError, ValueError) as error:
            self._is_refused = not was_up and _refuses(error)
            return was_up, f"the broker at {self._address.shown} is away: {error}"
        finally:
            self._session.plugins.lost()
        return was_up, f"the broker at {self._address.shown} closed the connection"

    def _client(self, arrivals: _Arrivals) -> aiomqtt.Client:
        address = self._address
        client = aiomqtt.Client(
            address.host,
            address.port,
            username=address.username,
            password=address.password.get_secret_value() if address.password else None,
            identifier=self._identifier,
            protocol=aiomqtt.ProtocolVersion.V5,
            will=aiomqtt.Will(self._session.status_topic, OFFLINE, qos=1, retain=True),
            clean_start=True,
            timeout=_ANSWER_TIMEOUT_S,
            keepalive=self._session.keepalive_s,
            # It makes its queue by calling this; ours is there already.
            queue_type=cast("type[asyncio.Queue[aiomqtt.Message]]", lambda **_: arrivals),
            tls_context=_tls(address) if address.tls else None,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )
        client.pending_calls_threshold = 2 * _IN_FLIGHT
        return client

    async def _begin(self, client: aiomqtt.Client) -> None:
        as_written = SubscribeOptions(qos=1, noLocal=True, retainAsPublished=True)
        plain = SubscribeOptions(qos=1)
        filters = [(name, plain) for name in self._session.reported]
        filters += [(name, as_written) for name in self._session.mirrored]
        if filters:
            for code in await client.subscribe(filters):
                if getattr(code, "is_failure", False):
                    raise aiomqtt.MqttError(f"it refuses a subscription: {code}")
        await self._subscribe_plugins(client, self._session.plugins.begin())
        self._outbox.hold(self._session.status_topic, ONLINE)

    async def _subscribe_plugins(self, client: aiomqtt.Client, wanted: Sequence[str]) -> None:
        as_written = SubscribeOptions(qos=1, noLocal=True, retainAsPublished=True)
        for start in range(0, len(wanted), _FILTERS_AT_ONCE):
            some = wanted[start : start + _FILTERS_AT_ONCE]
            codes = await client.subscribe([(name, as_written) for name in some])
            for name, code in zip(some, codes, strict=True):
                if getattr(code, "is_failure", False):
                    self._log.warning("MQTT: the broker refuses to let us read %s: %s", name, code)
        self._session.plugins.done()

    async def _follow_plugins(self, client: aiomqtt.Client) -> None:
        while True:
            changes = await self._session.plugins.changes()
            if gone := [name for name, wanted in changes.items() if not wanted]:
                await client.unsubscribe(gone)
            await self._subscribe_plugins(client, [name for name, on in changes.items() if on])

    async def _serve(self, client: aiomqtt.Client) -> None:
        """Read and write until the connection breaks (raises MqttError) or we close."""
        closing = asyncio.create_task(self._closing.wait())
        work = [
            asyncio.create_task(self._until_broken(client)),
            asyncio.create_task(self._write(client)),
            asyncio.create_task(self._follow_plugins(client)),
        ]
        try:
            await asyncio.wait({closing, *work}, return_when=asyncio.FIRST_COMPLETED)
            if closing.done():
                await self._farewell(client)
        finally:
            for task in (closing, *work):
                task.cancel()
            results = await asyncio.gather(*work, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise _first(result)

    async def _farewell(self, client: aiomqtt.Client) -> None:
        self._outbox.hold(self._session.status_topic, OFFLINE)
        try:
            async with asyncio.timeout(_FAREWELL_TIMEOUT_S):
                while len(self._outbox) or self._in_flight:
                    self._idle.clear()
                    await self._idle.wait()
        except TimeoutError:
            self._log.warning("MQTT: %d messages could not be sent any more", len(self._outbox))
            await client.publish(
                self._session.status_topic, OFFLINE, 1, retain=True, timeout=_FAREWELL_TIMEOUT_S
            )

    async def _until_broken(self, client: aiomqtt.Client) -> None:
        """Raise MqttError when the connection breaks; the messages themselves go past this."""
        async for message in client.messages:
            self._take(message)

    def _take(self, message: aiomqtt.Message) -> None:
        extra = message.properties
        self._listener.received(
            Incoming(
                topic=message.topic.value,
                payload=bytes(message.payload),
                retain=message.retain,
                response_topic=getattr(extra, "ResponseTopic", None),
                correlation=getattr(extra, "CorrelationData", None),
            )
        )

    async def _write(self, client: aiomqtt.Client) -> None:
        room = asyncio.Semaphore(_IN_FLIGHT)
        async with asyncio.TaskGroup() as group:
            while True:
                await room.acquire()
                message = await self._outbox.take()
                self._in_flight += 1
                sending = self._publish(client, message, room)
                if message.qos:
                    group.create_task(sending)
                else:  # there is no answer to wait for, and telemetry is most of what is sent
                    await sending

    async def _publish(
        self, client: aiomqtt.Client, message: Outgoing, room: asyncio.Semaphore
    ) -> None:
        try:
            await client.publish(
                message.topic,
                message.payload,
                qos=message.qos,
                retain=message.retain,
                properties=_properties(message.expires_s, message.correlation),
                timeout=_ANSWER_TIMEOUT_S if message.qos else math.inf,
            )
        except (aiomqtt.MqttError, asyncio.CancelledError):
            self._outbox.put_back(message)
            raise
        finally:
            self._in_flight -= 1
            self._idle.set()
            room.release()


@lru_cache(maxsize=16)  # nearly all are the same, and dear to make; nobody changes one
def _properties(expires_s: int | None, correlation: bytes | None) -> Properties | None:
    if expires_s is None and correlation is None:
        return None
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    if expires_s is not None:
        properties.MessageExpiryInterval = math.ceil(expires_s)
    if correlation is not None:
        properties.CorrelationData = correlation
    return properties


def _tls(address: BrokerAddress) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(address.ca_file) if address.ca_file else None)
    if address.cert_file is not None:
        context.load_cert_chain(address.cert_file, address.key_file)
    if address.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _refuses(error: Exception) -> bool:
    code = error.rc if isinstance(error, aiomqtt.MqttCodeError) else None
    return (code if isinstance(code, int) else getattr(code, "value", None)) in _REFUSALS


async def publish_once(address: BrokerAddress, message: Outgoing) -> None:
    """Log in, send one message, log out. Raises OSError where that can not be done."""
    client = aiomqtt.Client(
        address.host,
        address.port,
        username=address.username,
        password=address.password.get_secret_value() if address.password else None,
        protocol=aiomqtt.ProtocolVersion.V5,
        timeout=_ANSWER_TIMEOUT_S,
        tls_context=_tls(address) if address.tls else None,
    )
    try:
        async with client:
            properties = _properties(message.expires_s, message.correlation)
            await client.publish(message.topic, message.payload, qos=1, properties=properties)
    except (aiomqtt.MqttError, ValueError) as error:
        raise OSError(f"the broker at {address.shown} did not take it: {error}") from error


def _first(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
