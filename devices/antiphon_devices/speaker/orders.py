"""What a loudspeaker is told to do once: checked, done, answered."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping

from pydantic import ValidationError

from antiphon_devices.connection import Incoming
from antiphon_devices.payloads import MAX_PAYLOAD_BYTES, Ack, AckStatus, now
from antiphon_devices.reports import Order

_log = logging.getLogger(__name__)
_REMEMBERED = 100

Answer = Callable[[Ack], None]
# Does it; returns what went wrong, or None.
Op = Callable[[Order], Awaitable[str | None]]


class Orders:
    """Executes orders by their op; `answer` gets each ack.

    An order that comes twice, as QoS 1 allows, is executed once. One that is older than its own
    time to live is not executed at all.
    """

    def __init__(self, ops: Mapping[str, Op], answer: Answer) -> None:
        self._ops = ops
        self._answer = answer
        self._done: OrderedDict[str, Ack | None] = OrderedDict()

    async def execute(self, op: str, message: Incoming) -> None:
        """One message below `down/cmd/`."""
        if message.retain:
            if message.payload:
                _log.warning("The order %s was retained by somebody; it is not executed", op)
            return
        order = _read(op, message.payload)
        if order is None:
            return
        if order.id in self._done:
            if (ack := self._done[order.id]) is not None:
                self._answer(ack)
            return
        self._remember(order.id, None)
        ack = await self._judge(op, order)
        self._remember(order.id, ack)
        self._answer(ack)

    async def _judge(self, op: str, order: Order) -> Ack:
        if order.ts is not None and (age_s := (now() - order.ts).total_seconds()) > order.ttl_s:
            why = f"It is {age_s:.0f} s old by this loudspeaker's clock."
            return _ack(order, op, AckStatus.EXPIRED, "expired", why)
        if (act := self._ops.get(op)) is None:
            why = f"There is no {op} here; there are: {', '.join(self._ops)}."
            return _ack(order, op, AckStatus.REJECTED, "not_supported", why)
        try:
            trouble = await act(order)
        except ValidationError as error:
            mistake = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, mistake["loc"]))
            return _ack(order, op, AckStatus.REJECTED, "invalid", f"{where}: {mistake['msg']}")
        except Exception:
            _log.exception("%s failed", op)
            trouble = "Something went wrong in the loudspeaker; its log says what."
        if trouble is not None:
            return _ack(order, op, AckStatus.FAILED, "failed", trouble)
        return _ack(order, op, AckStatus.COMPLETED, None, None)

    def _remember(self, order_id: str, ack: Ack | None) -> None:
        self._done[order_id] = ack
        while len(self._done) > _REMEMBERED:
            self._done.popitem(last=False)


def _ack(order: Order, op: str, status: AckStatus, code: str | None, message: str | None) -> Ack:
    return Ack(id=order.id, op=op, status=status, code=code, message=message)


def _read(op: str, payload: bytes) -> Order | None:
    if len(payload) > MAX_PAYLOAD_BYTES:
        _log.warning("The order %s is larger than 16 KiB; ignored", op)
        return None
    try:
        return Order.model_validate_json(payload)
    except ValidationError as error:
        _log.warning("The order %s makes no sense and is ignored: %s", op, error)
        return None
