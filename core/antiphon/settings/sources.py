"""Reads what people wrote: TOML files, then variables, each value with where it came from."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import antiphon

PREFIX = "ANTIPHON_"
ENVIRONMENT = "ANTIPHON_ENV"
CONFIG_DIR = "ANTIPHON_CONFIG_DIR"
DEVELOPMENT = "development"
NOT_SETTINGS = frozenset({ENVIRONMENT, CONFIG_DIR})
"""Variables with the prefix that say where settings are, and are none themselves."""


@dataclass(slots=True)
class Sources:
    """All values, merged, later sources over earlier ones.

    `origins` maps the dotted key of every value to the file or variable that set it. `mistakes`
    are those that show while reading: a file that is not TOML, an environment without a file.
    """

    environment: str
    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    mistakes: list[str] = field(default_factory=list)

    def put(self, path: tuple[str, ...], value: object, origin: str) -> None:
        """Set one value; tables are merged, anything else is replaced."""
        table = self.values
        for depth, part in enumerate(path[:-1], start=1):
            inner = table.setdefault(part, {})
            if not isinstance(inner, dict):
                key = ".".join(path[:depth])
                self.mistakes.append(
                    f"{origin} sets {'.'.join(path)}, but {key} is not a section in "
                    f"{self.origins.get(key, 'another source')}."
                )
                return
            table = inner
        table[path[-1]] = value
        self.origins[".".join(path)] = origin


def read_sources(environ: Mapping[str, str], config_dir: Path | None) -> Sources:
    """Read `base.toml`, `<environment>.toml` and the variables; never raises for their content."""
    sources = Sources(environ.get(ENVIRONMENT) or DEVELOPMENT)
    folder = config_dir or _config_dir(environ)
    if folder is not None:
        _read_files(sources, folder)
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in NOT_SETTINGS:
            path = tuple(name.removeprefix(PREFIX).lower().split("__"))
            sources.put(path, environ[name], f"the variable {name}")
    return sources


def _config_dir(environ: Mapping[str, str]) -> Path | None:
    """Where the files are: as told, beside a checkout, or where the wheel put them."""
    if told := environ.get(CONFIG_DIR):
        return Path(told).expanduser()
    checkout = Path(antiphon.__file__).parents[2]
    if (checkout / "pyproject.toml").is_file() and (checkout / "config").is_dir():
        return checkout / "config"
    installed = Path(sys.prefix) / "share" / "antiphon" / "config"
    return installed if installed.is_dir() else None


def _read_files(sources: Sources, folder: Path) -> None:
    if not folder.is_dir():
        sources.mistakes.append(f"There is no folder {folder} to read the settings from.")
        return
    own = folder / f"{sources.environment}.toml"
    known = sorted(path.stem for path in folder.glob("*.toml") if path.stem != "base")
    if own.parent != folder or (known and sources.environment not in known):
        sources.mistakes.append(
            f"The variable {ENVIRONMENT} names the environment {sources.environment!r}, but "
            f"{folder} knows: {', '.join(known)}."
        )
        own = folder / "base.toml"
    for path in dict.fromkeys((folder / "base.toml", own)):
        if path.is_file():
            _read_file(sources, path)


def _read_file(sources: Sources, path: Path) -> None:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        sources.mistakes.append(f"{path} can not be read: {error}.")
        return
    for keys, value in _leaves(content):
        sources.put(keys, value, str(path))


def _leaves(table: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Each value with the path of its keys; an empty table is a value of its own."""
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value
