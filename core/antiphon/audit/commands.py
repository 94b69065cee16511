"""Commands to zones and loudspeakers, told as events by those who carry them out."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar
from uuid import UUID

from pydantic import BaseModel

from antiphon.audit.changes import cleaned, name_of, told
from antiphon.events import Event, EventBus
from antiphon.types import Principal, Via

P_ = ParamSpec("P_")
R_ = TypeVar("R_", bound=BaseModel)


class CommandGiven(Event):
    """Somebody commanded a zone or a loudspeaker, through whatever door, and it was done.

    It is for the audit trail: the API's stream of events leaves it out.
    """

    user_id: UUID | None
    via: Via
    action: str
    resource_type: str
    resource_id: UUID
    resource_name: str
    details: dict[str, Any]


class _HasBus(Protocol):
    _bus: EventBus


S_ = TypeVar("S_", bound=_HasBus)
Method = Callable[Concatenate[S_, Principal, P_], Awaitable[R_]]
Told = Callable[Concatenate[S_, Principal, P_], Coroutine[Any, Any, R_]]


def commanded(action: str, resource_type: str) -> Callable[[Method[S_, P_, R_]], Told[S_, P_, R_]]:
    """Publish CommandGiven after each call of the method that does not raise.

    The thing is the one that the first argument behind the principal names, else the result.
    """

    def decorate(method: Method[S_, P_, R_]) -> Told[S_, P_, R_]:
        names = list(inspect.signature(method).parameters)[2:]

        @wraps(method)
        async def telling(
            self: S_, principal: Principal, /, *arguments: P_.args, **options: P_.kwargs
        ) -> R_:
            result = await method(self, principal, *arguments, **options)
            given = dict(zip(names, arguments, strict=False)) | options
            self._bus.publish(_event(action, resource_type, principal, given, result))
            return result

        return telling

    return decorate


def _event(
    action: str,
    resource_type: str,
    principal: Principal,
    given: dict[str, Any],
    result: BaseModel,
) -> CommandGiven:
    view = result.__dict__
    first = next(iter(given.values()), None)
    details: dict[str, Any] = {}
    for name, value in given.items():
        if isinstance(value, BaseModel):
            details |= told(value)
        elif isinstance(value, str | int | float | bool):
            details[name] = cleaned(value)
    return CommandGiven(
        client_id=view.get("client_id"),
        user_id=principal.user_id,
        via=principal.via,
        action=action,
        resource_type=resource_type,
        resource_id=first if isinstance(first, UUID) else view["id"],
        resource_name=name_of(view),
        details=details,
    )
