"""Loudspeakers with an agent as devices of the server."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from antiphon.errors import Conflict, FieldError, Invalid, PartAway, PartTimedOut
from antiphon.plugins import DeviceDriver
from antiphon_devices.outbox import Outbox, Outgoing
from antiphon_devices.payloads import MAX_PAYLOAD_BYTES
from antiphon_devices.reports import AgentAck, DeviceOrder, ToneArguments
from antiphon_devices.topics import DeviceTopic, Kind, device_key

AGENT = "agent"
_TTL_S = 5.0
_DONE_WITHIN_S = 9.0


class DeviceOrders:
    """Tells loudspeakers to do something once, and waits for their answers.

    `is_online` says whether the agent with a key is there.
    """

    def __init__(self, root: str, outbox: Outbox, is_online: Callable[[str], bool]) -> None:
        self._is_online = is_online
        self._root = root
        self._outbox = outbox
        self._open: dict[tuple[str, str], asyncio.Future[AgentAck]] = {}
        self.is_connected = False

    async def give(self, key: str, op: str, arguments: Mapping[str, Any], takes_s: float) -> None:
        """Return when the loudspeaker has done it, which takes `takes_s` by itself.

        Raises PartAway without a broker or an agent, PartTimedOut without an answer, Conflict or
        PartAway where it answers that it did not do it.
        """
        if not self.is_connected:  # it must not come later, when nobody expects it any more
            raise PartAway("The MQTT broker", "The log says why.")
        if not self._is_online(key):
            raise PartAway(f"The agent of the loudspeaker {key}", "Look at its power and network.")
        order = DeviceOrder(id=secrets.token_hex(8), ttl_s=_TTL_S, args=dict(arguments))
        answer: asyncio.Future[AgentAck] = asyncio.get_running_loop().create_future()
        self._open[key, order.id] = answer
        topic = DeviceTopic(Kind.DOWN_CMD, op, device=key).render(self._root)
        self._outbox.say(Outgoing(topic, order.encode(), expires_s=round(_TTL_S)))
        timeout_s = _DONE_WITHIN_S + takes_s
        try:
            async with asyncio.timeout(timeout_s):
                ack = await answer
        except TimeoutError:
            raise PartTimedOut(f"The loudspeaker {key}", op, timeout_s) from None
        finally:
            del self._open[key, order.id]
        _judge(key, op, ack)

    def answered(self, key: str, payload: bytes) -> None:
        """An ack came from a loudspeaker; what nobody waits for, or makes no sense, is nothing."""
        if len(payload) > MAX_PAYLOAD_BYTES:
            return
        try:
            ack = AgentAck.model_validate_json(payload)
        except ValidationError:
            return
        answer = self._open.get((key, ack.id))
        if answer is not None and not answer.done() and ack.status != "accepted":
            answer.set_result(ack)


def _judge(key: str, op: str, ack: AgentAck) -> None:
    why = ack.message or "It does not say why."
    match ack.status:
        case "rejected" | "expired":
            raise Conflict(f"The loudspeaker {key} does not do {op}: {why}")
        case "failed":
            raise PartAway(f"{op} at the loudspeaker {key}", why)


class AgentDriver(DeviceDriver):
    """What is wished stands in a retained document, which the bridge keeps up to date.

    So there is nothing to carry here but orders, and a device that is away misses nothing.
    """

    def __init__(self, orders: DeviceOrders) -> None:
        self._orders = orders

    @property
    def device_type(self) -> str:
        """What `Device.device_type` says of a loudspeaker with an agent."""
        return AGENT

    async def set_volume(self, device_id: str, volume: int) -> None:
        """See the class."""

    async def set_name(self, device_id: str, name: str) -> None:
        """See the class."""

    async def assign(self, device_id: str, zone_id: UUID | None) -> None:
        """See the class."""

    async def order(self, device_id: str, op: str, arguments: Mapping[str, Any]) -> None:
        """See `DeviceDriver`."""
        takes_s = 0.0
        if op == "test_tone":
            try:
                takes_s = ToneArguments.model_validate(arguments).duration_s
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False)[0]
                field = ".".join(map(str, first["loc"]))
                raise Invalid([FieldError(field, first["msg"])]) from None
        await self._orders.give(device_key(device_id), op, arguments, takes_s)
