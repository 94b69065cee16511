"""Loudspeakers that ask to join, until somebody has decided."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pydantic import ValidationError

from antiphon.errors import NotFound, TooManyRequests
from antiphon_devices.accounts.rights import RESERVED
from antiphon_devices.codes import code_of
from antiphon_devices.payloads import MAX_PAYLOAD_BYTES
from antiphon_devices.reports import HeardEnrolRequest
from antiphon_devices.topics import device_key

MAX_PENDING = 100
FORGOTTEN_AFTER_S = 900.0
REJECTED_FOR_S = 3600.0
WRONG_CODES = 5
WRONG_WINDOW_S = 900.0
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


class Waiting:
    """Keeps who asks, for a quarter of an hour after the last time, a hundred at most.

    Floods cost little: requests beyond a rate are dropped unread, and so are new ones when all
    places are taken. Who asks under the id of another waits beside it, under a code of its own.
    """

    def __init__(self, log: logging.Logger, now: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._now = now
        self._pending: OrderedDict[tuple[str, str], Pending] = OrderedDict()
        self._rejected: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._tokens, self._filled_at = float(_BURST), now()
        self._complained_at = -_COMPLAIN_EVERY_S

    def may_ask(self) -> bool:
        """Whether one more request may be read now."""
        now = self._now()
        self._tokens = min(_BURST, self._tokens + (now - self._filled_at) * _PER_SECOND)
        self._filled_at = now
        if self._tokens < 1:
            self.complain("there are more requests than %d a second", _PER_SECOND)
            return False
        self._tokens -= 1
        return True

    def read(self, key: str, payload: bytes) -> HeardEnrolRequest | None:
        """A request below `enroll/<key>/`; None, and a line in the log, where it makes no sense."""
        if len(payload) > MAX_PAYLOAD_BYTES:
            self.complain("the request of %s is larger than 16 KiB", key)
            return None
        try:
            request = HeardEnrolRequest.model_validate_json(payload)
        except ValidationError as error:
            fields = sorted(
                {str(mistake["loc"][0]) for mistake in error.errors() if mistake["loc"]}
            )
            what = ", ".join(fields) or "no JSON object"
            self.complain("the request of %s is not valid: %s", key, what)
            return None
        if request.device_id != key or key in RESERVED:
            self.complain("somebody asks to join as %s under another name", key)
            return None
        return request

    def take(self, key: str, request: HeardEnrolRequest, *, replaces: bool) -> Pending | None:
        """Keep a request; returns it if it is news."""
        self._forget_old()
        pending = Pending(key, request, datetime.now(UTC), self._now(), replaces)
        before = self._pending.get(pending.mark)
        if before is not None:
            pending = replace(pending, asked_at=before.asked_at)
        elif not self._has_room(pending):
            return None
        self._pending[pending.mark] = pending
        return pending if before is None else None

    def _has_room(self, pending: Pending) -> bool:
        rejected_at_s = self._rejected.get(pending.mark)
        if rejected_at_s is not None and self._now() - rejected_at_s < REJECTED_FOR_S:
            return False
        if len(self._pending) >= MAX_PENDING:
            self.complain("%d are waiting, so %s is not heard", MAX_PENDING, pending.key)
            return False
        rivals = len(self._of(pending.key))
        if rivals:
            self.complain("%d devices ask under the id %s", rivals + 1, pending.key)
        return rivals < _PER_ID

    def all(self) -> Sequence[Pending]:
        """Who waits, in the order in which they came."""
        self._forget_old()
        return list(self._pending.values())

    def under(self, key: str) -> Sequence[Pending]:
        """Who waits under this id. Raises NotFound where nobody does."""
        self._forget_old()
        if not (waiting := self._of(key)):
            raise NotFound("loudspeaker that waits with the id", key)
        return waiting

    def admitted(self, key: str) -> None:
        """One was let in: nobody waits under its id any more."""
        for pending in self._of(key):
            del self._pending[pending.mark]

    def reject(self, key: str) -> None:
        """Let a request fall, and do not hear it again for an hour. Raises NotFound."""
        for pending in self.under(key):
            del self._pending[pending.mark]
            self._rejected[pending.mark] = self._now()
        while len(self._rejected) > 10 * MAX_PENDING:
            self._rejected.popitem(last=False)

    def complain(self, text: str, *arguments: object) -> None:
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


class Tries:
    """Counts wrong codes, by whom they came from or what they were for."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()

    def check(self, who: str) -> None:
        """Raise TooManyRequests after a few wrong codes."""
        made = self._recent(who)
        if len(made) >= WRONG_CODES:
            raise TooManyRequests("wrong codes", int(made[0] + WRONG_WINDOW_S - self._now()) + 1)

    def wrong(self, who: str) -> None:
        """A code was wrong."""
        self._wrong.setdefault(who, deque()).append(self._now())
        self._wrong.move_to_end(who)
        while len(self._wrong) > 10 * MAX_PENDING:
            self._wrong.popitem(last=False)

    def right(self, who: str) -> None:
        """A code was right: the count starts anew."""
        self._wrong.pop(who, None)

    def _recent(self, who: str) -> deque[float]:
        made = self._wrong.get(who, deque())
        while made and made[0] <= self._now() - WRONG_WINDOW_S:
            made.popleft()
        return made
