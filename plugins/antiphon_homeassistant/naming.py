"""What things are called in the ids of entities: as they were when they were first announced."""

from __future__ import annotations

import json
import logging
import re
import unicodedata
from itertools import count
from pathlib import Path

from antiphon_homeassistant.house import Place

_log = logging.getLogger(__name__)


def slug(name: str, otherwise: str) -> str:
    """A name in the letters of an entity's id, or `otherwise` where none of it is left."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_") or re.sub(r"\W", "_", otherwise)


class FirstNames:
    """Remembers the first name of everything, in `file` where one is given.

    So the ids of entities outlive a rename, even in a Home Assistant that has forgotten them. Two
    things never share a name: the later one gets a number.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._words: dict[str, str] = {}
        self._is_saved = True
        if file is not None and file.exists():
            try:
                self._words = _read(file)
            except (OSError, ValueError) as error:
                _log.warning("Home Assistant: %s is made anew, it can not be read: %s", file, error)

    def of(self, place: Place, name: str) -> str:
        """The word for `place`; `name` is what it is called now."""
        key = f"{place.rank.name.lower()}/{place.id}"
        if key not in self._words:
            self._words[key] = _free(slug(name, place.id), set(self._words.values()))
            self._is_saved = False
        return self._words[key]

    def save(self) -> None:
        """Write down what is new. A full disk costs no more than that."""
        if self._is_saved or self._file is None:
            return
        fresh = self._file.with_suffix(".new")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(json.dumps(self._words, indent=1))
            fresh.replace(self._file)
            self._is_saved = True
        except OSError as error:
            _log.warning("Home Assistant: %s can not be written: %s", self._file, error)


def _read(file: Path) -> dict[str, str]:
    found = json.loads(file.read_text())
    if not isinstance(found, dict):
        raise ValueError("it holds no names")
    return {str(key): str(word) for key, word in found.items()}


def _free(word: str, taken: set[str]) -> str:
    if word not in taken:
        return word
    return next(other for n in count(2) if (other := f"{word}_{n}") not in taken)
