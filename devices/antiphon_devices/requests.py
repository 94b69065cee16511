"""Commands as they come in: who asks, for what, and whether the payload makes sense."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from pydantic import ValidationError

from antiphon.errors import FieldError, Invalid, NotFound, Refused
from antiphon.types import Principal, Via
from antiphon_devices.connection import Incoming
from antiphon_devices.payloads import Command, now
from antiphon_devices.topics import AskedTopic, Kind

CommandT = TypeVar("CommandT", bound=Command)


class NotSupported(Refused):
    """The contract knows it, this server does not do it yet."""

    code = "not_supported"
    status = 501
    title = "Not supported"


class UnknownOp(Refused):
    """Nothing of the contract has that name."""

    code = "unknown_op"
    status = 404
    title = "Unknown operation"

    def __init__(self, op: str, known: Iterable[str]) -> None:
        super().__init__(f"There is no {op}; there are: {', '.join(known)}.")


class Expired(Refused):
    """The command is older than its own time to live."""

    code = "expired"
    title = "Too late"


class ClockSkew(Refused):
    """The command comes from the future: how old it is can not be told."""

    code = "clock_skew"
    title = "The clocks differ"


@dataclass(slots=True)
class Request:
    """One message on a `set` or `cmd` topic. `id` is the sender's, once it could be read."""

    topic: AskedTopic
    message: Incoming
    id: str | None = None

    @property
    def op(self) -> str:
        """What an ack calls it: `announce`, `set`, `set/volume`."""
        if self.topic.kind is Kind.CMD:
            return self.topic.name or ""
        return "set" if self.topic.name is None else f"set/{self.topic.name}"

    @property
    def principal(self) -> Principal:
        """On whose behalf: the client in the topic, and nobody else."""
        return Principal.system(uuid_of("client", self.topic.client), Via.MQTT)

    @property
    def wants_ack(self) -> bool:
        """Whether the sender asked for an answer in its own right."""
        return self.id is not None or self.message.response_topic is not None

    def note_id(self) -> None:
        """Find the sender's id in the payload, so that an answer carries it whatever comes."""
        try:
            found = json.loads(self.message.payload)
        except (ValueError, RecursionError):
            return
        said = found.get("id") if isinstance(found, dict) else None
        if isinstance(said, str) and 0 < len(said) <= 64:
            self.id = said

    def read(self, model: type[CommandT]) -> CommandT:
        """The payload as `model`. Raises Invalid, or Expired where it came too late."""
        payload = self.message.payload.strip() or b"{}"
        try:
            command = model.model_validate_json(payload)
        except ValidationError as error:
            raise Invalid(list(_field_errors(error)), what="The payload") from None
        self.id = command.id
        if command.ts is not None:
            _check_age(command.ts, command.ttl_s)
        return command


def _check_age(sent_at: datetime, ttl_s: float) -> None:
    age_s = (now() - sent_at).total_seconds()
    if age_s > ttl_s:
        raise Expired(
            f"The command was sent at {sent_at.isoformat()} and may be {ttl_s:g} s old; "
            "that time is over."
        )
    if age_s < -ttl_s:
        raise ClockSkew(
            f"The command says that it was sent at {sent_at.isoformat()}, which is {-age_s:.0f} s "
            "ahead of the server's clock. Set the clocks, or leave out ts."
        )


def uuid_of(what: str, text: str) -> UUID:
    """The UUID behind an id of a topic. Raises NotFound: ours are all UUIDs."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(what, text) from None


def _field_errors(error: ValidationError) -> Iterable[FieldError]:
    for mistake in error.errors(include_url=False, include_input=False):
        field = ".".join(str(part) for part in mistake["loc"]) or "payload"
        yield FieldError(field, mistake["msg"].removeprefix("Value error, "))
