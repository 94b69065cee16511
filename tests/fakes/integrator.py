"""Somebody else on the broker: writes what it likes, and remembers all that it reads."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

ROOT = "antiphon/v1"
_AS_WRITTEN = SubscribeOptions(qos=1, noLocal=True, retainAsPublished=True)


@dataclass(frozen=True)
class Heard:
    """A message as it came."""

    topic: str
    payload: bytes
    retain: bool
    correlation: bytes | None

    @property
    def json(self) -> Any:
        return json.loads(self.payload)


class Integrator:
    """Made by `integrating`. Topics are relative to the root."""

    def __init__(self, client: aiomqtt.Client, check: Callable[[Heard], None]) -> None:
        self._client = client
        self._check = check
        self._news = asyncio.Condition()
        self.heard: list[Heard] = []
        self.held: dict[str, bytes] = {}
        self.faults: list[Exception] = []

    async def listen(self) -> None:
        async for message in self._client.messages:
            heard = Heard(
                message.topic.value.removeprefix(f"{ROOT}/"),
                bytes(message.payload),
                message.retain,
                getattr(message.properties, "CorrelationData", None),
            )
            try:
                self._check(heard)
            except Exception as error:
                self.faults.append(error)
            async with self._news:
                self.heard.append(heard)
                if heard.retain:
                    self.held[heard.topic] = heard.payload
                self._news.notify_all()

    async def subscribe(self, topics: str) -> None:
        """Read something besides the root."""
        await self._client.subscribe(topics, options=_AS_WRITTEN)

    async def publish(self, topic: str, payload: bytes | str, *, retain: bool = False) -> None:
        """Write anywhere; unlike with `send`, `topic` is the whole topic."""
        await self._client.publish(topic, payload, qos=1, retain=retain)

    async def send(
        self,
        topic: str,
        payload: Any = b"",
        *,
        retain: bool = False,
        response_topic: str | None = None,
        correlation: bytes | None = None,
    ) -> None:
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if response_topic is not None:
            properties.ResponseTopic = response_topic
        if correlation is not None:
            properties.CorrelationData = correlation
        raw = payload if isinstance(payload, bytes | str) else json.dumps(payload)
        await self._client.publish(
            f"{ROOT}/{topic}", raw, qos=1, retain=retain, properties=properties
        )

    async def hears(
        self,
        topic: str,
        such_as: Callable[[Heard], bool] = lambda _: True,
        *,
        since: int = 0,
        timeout_s: float = 20.0,
    ) -> Heard:
        """The first message on `topic` since the index `since` that is `such_as`."""

        def found() -> Heard | None:
            matches = (h for h in self.heard[since:] if h.topic == topic and such_as(h))
            return next(matches, None)

        try:
            async with asyncio.timeout(timeout_s), self._news:
                await self._news.wait_for(found)
        except TimeoutError:
            others = [h for h in self.heard[since:] if h.topic == topic][-5:]
            raise TimeoutError(f"{topic} was silent for {timeout_s} s, but for {others}") from None
        result = found()
        assert result is not None
        return result

    async def until(self, check: Callable[[], bool], timeout_s: float = 20.0) -> None:
        """Wait until what was heard is as `check` wants it."""
        async with asyncio.timeout(timeout_s), self._news:
            await self._news.wait_for(check)

    async def ack(self, place: str, *, since: int = 0, **expected: Any) -> dict[str, Any]:
        """The first ack beside `place` whose keys are as `expected`."""

        def fits(heard: Heard) -> bool:
            return all(heard.json[key] == value for key, value in expected.items())

        answer: dict[str, Any] = (await self.hears(f"{place}/ack", fits, since=since)).json
        return answer


@asynccontextmanager
async def integrating(url: str, check: Callable[[Heard], None]) -> AsyncIterator[Integrator]:
    """Be on the broker at `url`; each message goes to `check`, whose complaints are raised."""
    parts = urlsplit(url)
    async with aiomqtt.Client(
        parts.hostname or "",
        parts.port or 1883,
        username=parts.username,
        password=parts.password,
        protocol=aiomqtt.ProtocolVersion.V5,
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
    ) as client:
        integrator = Integrator(client, check)
        await client.subscribe(f"{ROOT}/#", options=_AS_WRITTEN)
        listening = asyncio.create_task(integrator.listen())
        try:
            yield integrator
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError, aiomqtt.MqttError):
                await listening
    if integrator.faults:
        raise ExceptionGroup("Messages that break the contract", integrator.faults)
