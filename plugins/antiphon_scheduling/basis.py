"""What the times that are written down were worked out from, beside the schedules themselves."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from uuid import UUID

from antiphon_scheduling import records

_log = logging.getLogger(__name__)
_ARITHMETIC = 1  # one more whenever the same configuration comes to mean other times
_ZONE_FILES = (Path("/usr/share/zoneinfo/+VERSION"), Path("/usr/share/zoneinfo/tzdata.zi"))


class Basis:
    """Remembers, in a file, by which timezones and which rules of the clock was reckoned.

    Where these differ at the next start, what was written down is worked out anew.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "reckoned.json"

    async def check(self, timezones: Mapping[UUID, str]) -> None:
        """Forget all that was reckoned in another way, then keep how it is done now."""
        before = self._read()
        known: Any = before.get("timezones")
        if before.get("by") != _by() or not isinstance(known, dict):
            await records.unrest()
        else:
            changed = [key for key, name in timezones.items() if known.get(str(key)) != name]
            if changed:
                await records.unrest(changed)
        self.keep(timezones)

    def keep(self, timezones: Mapping[UUID, str]) -> None:
        """Write down how it is done now."""
        names = {str(key): name for key, name in sorted(timezones.items())}
        text = json.dumps({"by": _by(), "timezones": names})
        try:
            temporary = self._path.with_suffix(".new")
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(self._path)
        except OSError as error:  # then the next start takes longer
            _log.warning("%s could not be written: %s", self._path, error)

    def _read(self) -> Mapping[str, object]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def _by() -> list[str]:
    """What knows when clocks change and which days are holidays, and our own arithmetic."""
    found = [f"arithmetic {_ARITHMETIC}"]
    for package in ("tzdata", "holidays", "croniter"):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    for path in _ZONE_FILES:
        try:
            with path.open(encoding="utf-8") as file:
                found.append(f"zones {file.readline().strip()}")
            break
        except OSError:
            continue
    return found
