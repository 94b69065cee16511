"""The answers to commands: acks at once, and the end of a call when it comes."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from antiphon.errors import AntiphonError, PartTimedOut, Refused
from antiphon.events import CallChanged
from antiphon.plugins import CallView
from antiphon.types import CallState
from antiphon_devices.outbox import Outbox, Outgoing
from antiphon_devices.payloads import Ack, AckStatus
from antiphon_devices.requests import Expired, Request
from antiphon_devices.topics import (
    AskedTopic,
    ClientTopic,
    FloorTopic,
    InvalidTopic,
    Kind,
    MirrorTopic,
    ZoneTopic,
    parse,
)

_ACK_EXPIRES_S = 300
_MAX_FOLLOWED = 1000


class Answers:
    """Sends acks: to the topic beside the command, and to the sender's response topic."""

    def __init__(self, root: str, outbox: Outbox, log: logging.Logger) -> None:
        self._root = root
        self._outbox = outbox
        self._log = log
        self._followed: dict[UUID, _Followed] = {}

    def ack(
        self,
        request: Request,
        status: AckStatus,
        error: tuple[str, str] | None = None,
        result: dict[str, Any] | None = None,
    ) -> None:
        """Answer a request; `error` is a stable code and a sentence."""
        code, sentence = error or (None, None)
        ack = Ack(
            id=request.id, op=request.op, status=status, code=code, message=sentence, result=result
        ).encode()
        self._outbox.say(Outgoing(self._ack_topic(request.topic), ack, expires_s=_ACK_EXPIRES_S))
        if (topic := request.message.response_topic) and self._may_answer(request, topic):
            correlation = request.message.correlation
            self._outbox.say(
                Outgoing(topic, ack, expires_s=_ACK_EXPIRES_S, correlation=correlation)
            )

    def refuse(self, request: Request, error: Exception) -> None:
        """Answer a request that raised `error`; a bug is logged, and admitted without details."""
        match error:
            case Expired():
                self.ack(request, AckStatus.EXPIRED, (error.code, str(error)))
            case Refused():
                self.ack(request, AckStatus.REJECTED, (error.code, str(error)))
            case AntiphonError():
                self.ack(request, AckStatus.FAILED, (error.code, str(error)))
            case TimeoutError():
                sentence = f"{request.op} was not done in time. Try again."
                self.ack(request, AckStatus.FAILED, (PartTimedOut.code, sentence))
            case _:
                self._log.error("MQTT: %s failed", request.op, exc_info=error)
                sentence = "Something went wrong in the server; its log says what."
                self.ack(request, AckStatus.FAILED, (AntiphonError.code, sentence))

    def follow(self, request: Request, call: CallView, zones: Iterable[UUID]) -> None:
        """Ack `accepted` now, and how it ended as soon as the call is over in `zones`."""
        followed = _Followed(request, dict.fromkeys(zones))
        self.ack(request, AckStatus.ACCEPTED, result={"call_id": str(call.id)})
        while len(self._followed) >= _MAX_FOLLOWED:
            self._followed.pop(next(iter(self._followed)))
        self._followed[call.id] = followed
        for zone in call.zones:
            self._record(call.id, zone.zone_id, zone.state, zone.reason)

    def call_changed(self, event: CallChanged) -> None:
        """A call changed; whoever asked for it hears of its end."""
        self._record(event.call_id, event.zone_id, event.state, event.reason)

    def _record(self, call_id: UUID, zone_id: UUID, state: CallState, reason: str | None) -> None:
        followed = self._followed.get(call_id)
        if followed is None or not state.final or zone_id not in followed.ends:
            return
        followed.ends[zone_id] = (state, reason)
        ends = [end for end in followed.ends.values() if end is not None]
        if len(ends) < len(followed.ends):
            return
        del self._followed[call_id]
        state, reason = next((e for e in ends if e[0] is not CallState.COMPLETED), ends[0])
        status = _ENDS.get(state, AckStatus.FAILED)
        error = None if status is AckStatus.COMPLETED else (state.value, reason or _WHY[state])
        self.ack(followed.request, status, error, result={"call_id": str(call_id)})

    def _ack_topic(self, topic: AskedTopic) -> str:
        match topic:
            case ZoneTopic():
                return ZoneTopic(Kind.ACK, client=topic.client, zone=topic.zone).render(self._root)
            case MirrorTopic():
                mirror = MirrorTopic(Kind.ACK, client=topic.client, device=topic.device)
                return mirror.render(self._root)
            case FloorTopic():
                floor = FloorTopic(Kind.ACK, client=topic.client, floor=topic.floor)
                return floor.render(self._root)
            case _:
                return ClientTopic(Kind.ACK, client=topic.client).render(self._root)

    def _may_answer(self, request: Request, topic: str) -> bool:
        """Only inside the caller's own tree, and not where the contract has something else."""
        tree = f"{self._root}/client/{request.topic.client}/"
        inside = topic.startswith(tree) and len(topic) > len(tree)
        if not inside or len(topic) > 500 or any(sign in topic for sign in "+#\x00"):
            return False
        try:
            return parse(self._root, topic).kind is Kind.ACK
        except InvalidTopic:
            return True


@dataclass(slots=True)
class _Followed:
    request: Request
    ends: dict[UUID, tuple[CallState, str | None] | None]


_ENDS = {CallState.COMPLETED: AckStatus.COMPLETED, CallState.EXPIRED: AckStatus.EXPIRED}
_WHY = {
    CallState.CUT: "A call of higher priority ended it.",
    CallState.EXPIRED: "It could not be played before it expired.",
    CallState.REVOKED: "It was taken back.",
    CallState.FAILED: "It could not be played.",
}
