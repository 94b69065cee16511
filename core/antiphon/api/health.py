"""Asks every part how it is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Literal

from antiphon.api.parts import HealthCheck, PartHealth
from antiphon.events import EventBus, PartChanged
from antiphon.types import Frozen

_log = logging.getLogger(__name__)

CHECK_TIMEOUT_S = 3.0


class Health(Frozen):
    """`ok` when all parts are up, `degraded` while an inessential one is away, else `down`."""

    status: Literal["ok", "degraded", "down"]
    version: str
    parts: dict[str, PartHealth]

    @property
    def is_ready(self) -> bool:
        """Whether the server can do its main job."""
        return self.status != "down"


class PartsTold:
    """What parts without a check of their own told last, such as a plugin's broker.

    Make it before the parts start, so that nothing is missed.
    """

    def __init__(self, bus: EventBus) -> None:
        self._last: dict[str, PartHealth] = {}
        bus.subscribe(PartChanged, self._note)

    def _note(self, event: PartChanged) -> None:
        self._last[event.part] = PartHealth(
            is_up=event.is_up, is_essential=False, message=event.message
        )

    def __call__(self) -> dict[str, PartHealth]:
        """The parts by name."""
        return dict(self._last)


async def check_health(
    checks: Mapping[str, HealthCheck], told: Mapping[str, PartHealth], version: str
) -> Health:
    """Run all checks at once; one that raises or takes too long is a part that is away.

    `told` are parts that have no check: what they said last counts.
    """
    results = await asyncio.gather(*(_check(name, check) for name, check in checks.items()))
    parts = {**told, **dict(zip(checks, results, strict=True))}
    if all(part.is_up for part in parts.values()):
        return Health(status="ok", version=version, parts=parts)
    down = any(part.is_essential and not part.is_up for part in parts.values())
    return Health(status="down" if down else "degraded", version=version, parts=parts)


async def _check(name: str, check: HealthCheck) -> PartHealth:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return await check()
    except TimeoutError:
        return PartHealth(is_up=False, message="It did not answer in time.")
    except Exception:
        _log.exception("The health of %s could not be checked", name)
        return PartHealth(is_up=False, message="It could not be checked; the log says why.")
