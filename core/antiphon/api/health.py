"""Asks every part how it is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Literal

from antiphon.api.parts import HealthCheck, PartHealth
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


async def check_health(checks: Mapping[str, HealthCheck], version: str) -> Health:
    """Run all checks at once; one that raises or takes too long is a part that is away."""
    results = await asyncio.gather(*(_check(name, check) for name, check in checks.items()))
    parts = dict(zip(checks, results, strict=True))
    if all(part.is_up for part in results):
        return Health(status="ok", version=version, parts=parts)
    down = any(part.is_essential and not part.is_up for part in results)
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
