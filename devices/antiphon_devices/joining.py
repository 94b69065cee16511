"""Loudspeakers that ask to join: who waits, and who is let in by whom."""

from __future__ import annotations

import hmac
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from pydantic import ValidationError

from antiphon.errors import Invalid, NotFound, TooManyRequests
from antiphon.events import DevicePending, EventBus
from antiphon.plugins import DeviceReport, Devices, DeviceUpdate, DeviceView, Zones
from antiphon.types import Principal, Role
from antiphon_devices.accounts.rights import RESERVED
from antiphon_devices.accounts.service import Accounts
from antiphon_devices.codes import code_of
from antiphon_devices.connection import Incoming
from antiphon_devices.driver import AGENT
from antiphon_devices.payloads import MAX_PAYLOAD_BYTES
from antiphon_devices.reports import HeardEnrolRequest
from antiphon_devices.topics import device_key

MAX_PENDING = 100
FORGOTTEN_AFTER_S = 900.0
WRONG_CODES = 5
WRONG_WINDOW_S = 900.0
REJECTED_FOR_S = 3600.0
_PER_ID = 3
_PER_SECOND = 20
_BURST = 100
_COMPLAIN_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Pending:
    """A loudspeaker that asked and was not answered. `replaces`: its id has an account already."""

    key: str
    request: HeardEnrolRequest
    asked_at: datetime
    seen_at_s: float
    replaces: bool

    @property
    def mark(self) -> tuple[str, str]:
        """What tells it from others, also from one that asks under its id."""
        return self.key, self.code

    @property
    def code(self) -> str:
        """What the loudspeaker shows and speaks."""
        return code_of(self.key, self.request.secret)

    @property
    def hardware_id(self) -> str:
        """What it is known by for good, in the letters of its hardware where these are told."""
        for told in (self.request.host_id, self.request.mac):
            if told is not None and device_key(told) == self.key:
                return told
        return self.key


@dataclass(frozen=True, slots=True)
class Admission:
    """What whoever lets a loudspeaker in decides."""

    code: str
    zone_id: UUID | None = None
    name: str | None = None


class Joining:
    """Keeps who asks, for a quarter of an hour after the last time, a hundred at most.

    Floods cost little: requests beyond a rate are dropped unread, and so are new ones when all
    places are taken. Who asks under the id of another waits beside it, under a code of its own.
    `conflicted` is called with the id of a loudspeaker that has an account when somebody with
    another secret asks under its name, `revoked` with that of one that has none any more.
    """

    def __init__(
        self,
        accounts: Accounts,
        devices: Devices,
        zones: Zones,
        bus: EventBus,
        log: logging.Logger,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.accounts = accounts
        self._devices = devices
        self._zones = zones
        self._bus = bus
        self._log = log
        self._now = now
        self._pending: OrderedDict[tuple[str, str], Pending] = OrderedDict()
        self._rejected: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()
        self._tokens, self._filled_at = float(_BURST), now()
        self._complained_at = -_COMPLAIN_EVERY_S
        self.conflicted: Callable[[str], None] = lambda _: None
        self.revoked: Callable[[str], None] = lambda _: None

    # --- the broker says something -----------------------------------------------------------

    def may_ask(self) -> bool:
        """Whether one more request may be read now."""
        now = self._now()
        self._tokens = min(_BURST, self._tokens + (now - self._filled_at) * _PER_SECOND)
        self._filled_at = now
        if self._tokens < 1:
            self._complain("there are more requests than %d a second", _PER_SECOND)
            return False
        self._tokens -= 1
        return True

    async def asked(self, key: str, message: Incoming) -> None:
        """A request below `enroll/<key>/`. What makes no sense is logged and changes nothing."""
        request = self._read(key, message.payload)
        if request is None:
            return
        known = await self.accounts.knows(key, request.secret)
        if known:
            # The broker has lost it, or was changed for another: it proves by its secret who it is.
            await self.accounts.admit(key, request.secret)
            return
        self._forget_old()
        pending = Pending(key, request, datetime.now(UTC), self._now(), replaces=known is False)
        before = self._pending.get(pending.mark)
        if before is not None:
            pending = replace(pending, asked_at=before.asked_at)
        elif not self._has_room(pending):
            return
        self._pending[pending.mark] = pending
        if before is None:
            self._tell(pending)

    def _has_room(self, pending: Pending) -> bool:
        rejected_at_s = self._rejected.get(pending.mark)
        if rejected_at_s is not None and self._now() - rejected_at_s < REJECTED_FOR_S:
            return False
        if len(self._pending) >= MAX_PENDING:
            self._complain("%d are waiting, so %s is not heard", MAX_PENDING, pending.key)
            return False
        rivals = len(self._of(pending.key))
        if rivals:
            self._complain("%d devices ask under the id %s", rivals + 1, pending.key)
        return rivals < _PER_ID

    def _tell(self, pending: Pending) -> None:
        self._log.info("MQTT: the loudspeaker %s asks to join; its code lets it in", pending.key)
        self._bus.publish(
            DevicePending(
                device_key=pending.key,
                name=pending.request.hostname or "",
                replaces=pending.replaces,
            )
        )
        if pending.replaces:
            self.conflicted(pending.key)

    def _read(self, key: str, payload: bytes) -> HeardEnrolRequest | None:
        if not self.accounts.are_ours:
            self._complain("%s asks to join, but accounts are managed elsewhere", key)
            return None
        if len(payload) > MAX_PAYLOAD_BYTES:
            self._complain("the request of %s is larger than 16 KiB", key)
            return None
        try:
            request = HeardEnrolRequest.model_validate_json(payload)
        except ValidationError as error:
            fields = sorted(
                {str(mistake["loc"][0]) for mistake in error.errors() if mistake["loc"]}
            )
            what = ", ".join(fields) or "no JSON object"
            self._complain("the request of %s is not valid: %s", key, what)
            return None
        if request.device_id != key or key in RESERVED:
            self._complain("somebody asks to join as %s under another name", key)
            return None
        return request

    def _complain(self, text: str, *arguments: object) -> None:
        """Log, but not at the pace of a flood."""
        level = logging.DEBUG
        if self._now() - self._complained_at >= _COMPLAIN_EVERY_S:
            self._complained_at = self._now()
            level = logging.WARNING
        self._log.log(level, f"MQTT: a request to join was refused: {text}", *arguments)

    def _forget_old(self) -> None:
        horizon = self._now() - FORGOTTEN_AFTER_S
        for mark in [mark for mark, one in self._pending.items() if one.seen_at_s < horizon]:
            del self._pending[mark]

    def _of(self, key: str) -> list[Pending]:
        return [one for one in self._pending.values() if one.key == key]

    # --- somebody decides ----------------------------------------------------------------------

    def pending(self) -> Sequence[Pending]:
        """Who waits, in the order in which they came."""
        self._forget_old()
        return list(self._pending.values())

    async def confirm(self, principal: Principal, key: str, admission: Admission) -> DeviceView:
        """Let a loudspeaker in whose code somebody has read or heard.

        Raises NotFound where it does not wait, Invalid for a wrong code, TooManyRequests after a
        few of those, and what adopting raises.
        """
        self._forget_old()
        if not (waiting := self._of(key)):
            raise NotFound("loudspeaker that waits with the id", key)
        self._check_tries(key)
        for pending in waiting:
            if _same(pending.code, admission.code):
                return await self._admit(principal, pending, admission)
        self._count_wrong(key)
        raise Invalid.field("code", "is not what the loudspeaker shows or speaks")

    async def claim(self, principal: Principal, admission: Admission) -> DeviceView:
        """Let the loudspeaker in whose code this is, whichever it is.

        Raises NotFound where none has it, TooManyRequests after a few of those.
        """
        self._forget_old()
        who = str(principal.client_id or principal.user_id)
        self._check_tries(who)
        for pending in list(self._pending.values()):
            if _same(pending.code, admission.code):
                return await self._admit(principal, pending, admission)
        self._count_wrong(who)
        raise NotFound("loudspeaker that waits with the code", admission.code)

    def reject(self, key: str) -> None:
        """Let a request fall, and do not hear it again for an hour. Raises NotFound."""
        if not (waiting := self._of(key)):
            raise NotFound("loudspeaker that waits with the id", key)
        for pending in waiting:
            del self._pending[pending.mark]
            self._rejected[pending.mark] = self._now()
        while len(self._rejected) > 10 * MAX_PENDING:
            self._rejected.popitem(last=False)

    async def forget(self, key: str) -> None:
        """The loudspeaker was removed: its account goes with it, if it had one."""
        await self.accounts.revoke(key)

    async def revoke(self, key: str) -> bool:
        """Cut a loudspeaker off; whether it had an account. `revoked` is called if it had."""
        if not await self.accounts.revoke(key):
            return False
        self.revoked(key)
        return True

    async def _admit(
        self, principal: Principal, pending: Pending, admission: Admission
    ) -> DeviceView:
        if principal.client_id is not None and admission.zone_id is None:
            raise Invalid.field("zone_id", "say in which zone it stands")
        if admission.zone_id is not None:
            await self._zones.view(principal, admission.zone_id)
        request = pending.request
        view = await self._devices.report(
            DeviceReport(
                device_id=pending.hardware_id,
                device_type=AGENT,
                is_online=None,
                name=admission.name or request.hostname or "",
                model=request.model,
            )
        )
        if principal.client_id is not None and view.client_id not in (None, principal.client_id):
            raise NotFound("loudspeaker that waits with the code", admission.code)
        # The code is proof enough: nobody sees the loudspeaker yet, so nobody may adopt it.
        adopting = principal.model_copy(
            update={"role": Role.ADMIN, "client_id": None, "floor_id": None}
        )
        wish = {"zone_id": admission.zone_id, "name": admission.name}
        wishes = {name: value for name, value in wish.items() if value is not None}
        if wishes:
            update = DeviceUpdate.model_validate(wishes)
            view = await self._devices.update(adopting, view.id, update)
        await self.accounts.admit(pending.key, request.secret)
        for other in self._of(pending.key):
            del self._pending[other.mark]
        self._wrong.pop(pending.key, None)
        return view

    def _check_tries(self, who: str) -> None:
        made = self._recent(who)
        if len(made) >= WRONG_CODES:
            raise TooManyRequests("wrong codes", int(made[0] + WRONG_WINDOW_S - self._now()) + 1)

    def _count_wrong(self, who: str) -> None:
        self._wrong.setdefault(who, deque()).append(self._now())
        self._wrong.move_to_end(who)
        while len(self._wrong) > 10 * MAX_PENDING:
            self._wrong.popitem(last=False)

    def _recent(self, who: str) -> deque[float]:
        made = self._wrong.get(who, deque())
        while made and made[0] <= self._now() - WRONG_WINDOW_S:
            made.popleft()
        return made


def _same(code: str, given: str) -> bool:
    return hmac.compare_digest(code.encode(), "".join(given.split()).encode())
