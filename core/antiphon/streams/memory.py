"""What is kept over restarts, so that loudspeakers find the same ports and streams again."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from uuid import UUID

from pydantic import BaseModel, ValidationError

_log = logging.getLogger(__name__)


class Remembered(BaseModel):
    """`zones`: those with a stream. `ports`: by what they are for, a zone's under its id's hex."""

    zones: set[UUID] = set()
    ports: dict[str, int] = {}


class Memory:
    """A small file of `Remembered`; one that is missing or damaged counts as empty."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.kept = self._load()

    def _load(self) -> Remembered:
        try:
            return Remembered.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return Remembered()
        except (OSError, ValidationError) as error:
            _log.warning("%s can not be read and is written anew: %s", self._path, error)
            return Remembered()

    def save(self) -> None:
        """Write the file whole or not at all."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.kept.model_dump(mode="json"), indent=1, sort_keys=True)
        draft = self._path.with_suffix(".new")
        draft.write_text(text)
        draft.replace(self._path)
