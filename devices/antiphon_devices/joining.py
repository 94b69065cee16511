"""Loudspeakers that ask to join, and who lets them in."""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from antiphon.errors import Invalid, NotFound
from antiphon.events import DevicePending, EventBus
from antiphon.plugins import DeviceReport, Devices, DeviceUpdate, DeviceView, Zones
from antiphon.types import Principal, Role
from antiphon_devices.accounts.service import Accounts
from antiphon_devices.connection import Incoming
from antiphon_devices.driver import AGENT
from antiphon_devices.waiting import Pending, Tries, Waiting


@dataclass(frozen=True, slots=True)
class Admission:
    """What whoever lets a loudspeaker in decides."""

    code: str
    zone_id: UUID | None = None
    name: str | None = None


class Joining:
    """Hears who asks, and makes accounts for those whose code somebody has read or heard.

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
        self._waiting = Waiting(log, now)
        self._tries = Tries(now)
        self.conflicted: Callable[[str], None] = lambda _: None
        self.revoked: Callable[[str], None] = lambda _: None

    # --- the broker says something -----------------------------------------------------------

    def may_ask(self) -> bool:
        """Whether one more request may be read now."""
        return self._waiting.may_ask()

    async def asked(self, key: str, message: Incoming) -> None:
        """A request below `enroll/<key>/`. What makes no sense is logged and changes nothing."""
        if not self.accounts.are_ours:
            self._waiting.complain("%s asks, but accounts are managed elsewhere", key)
            return
        if (request := self._waiting.read(key, message.payload)) is None:
            return
        known = await self.accounts.knows(key, request.secret)
        if known:
            # The broker has lost it, or was changed for another: it proves by its secret who it is.
            await self.accounts.admit(key, request.secret)
        elif (pending := self._waiting.take(key, request, replaces=known is False)) is not None:
            self._tell(pending)

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

    # --- somebody decides ----------------------------------------------------------------------

    def pending(self) -> Sequence[Pending]:
        """Who waits, in the order in which they came."""
        return self._waiting.all()

    async def confirm(self, principal: Principal, key: str, admission: Admission) -> DeviceView:
        """Let a loudspeaker in whose code somebody has read or heard.

        Raises NotFound where it does not wait, Invalid for a wrong code, TooManyRequests after a
        few of those, and what adopting raises.
        """
        waiting = self._waiting.under(key)
        self._tries.check(key)
        for pending in waiting:
            if _same(pending.code, admission.code):
                return await self._admit(principal, pending, admission)
        self._tries.wrong(key)
        raise Invalid.field("code", "is not what the loudspeaker shows or speaks")

    async def claim(self, principal: Principal, admission: Admission) -> DeviceView:
        """Let the loudspeaker in whose code this is, whichever it is.

        Raises NotFound where none has it, TooManyRequests after a few of those.
        """
        who = str(principal.client_id or principal.user_id)
        self._tries.check(who)
        for pending in self._waiting.all():
            if _same(pending.code, admission.code):
                return await self._admit(principal, pending, admission)
        self._tries.wrong(who)
        raise NotFound("loudspeaker that waits with the code", admission.code)

    def reject(self, key: str) -> None:
        """Let a request fall, and do not hear it again for an hour. Raises NotFound."""
        self._waiting.reject(key)

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
        self._waiting.admitted(pending.key)
        self._tries.right(pending.key)
        return view


def _same(code: str, given: str) -> bool:
    return hmac.compare_digest(code.encode(), "".join(given.split()).encode())
