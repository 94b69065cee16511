"""Makes plugins of strangers, good and bad, that can be installed in a test."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path
from textwrap import dedent

import pytest

HEADER = """
import asyncio, threading, time
from contextlib import asynccontextmanager
from pathlib import Path
from pydantic import BaseModel, SecretStr
from antiphon.plugins import *
from antiphon.plugins import hookimpl
"""

Write = Callable[..., EntryPoint]
_numbers = itertools.count()


class FakeDistribution(Distribution):
    """A distribution with a name and a version, and nothing else."""

    def __init__(self, name: str) -> None:
        self._name = name

    def read_text(self, filename: str) -> str | None:
        if filename == "METADATA":
            return f"Metadata-Version: 2.1\nName: {self._name}\nVersion: 1.2\n"
        return None

    def locate_file(self, path: str | os.PathLike[str]) -> Path:
        raise FileNotFoundError(path)


def writer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """A function that writes a plugin's module and returns its entry point."""
    monkeypatch.syspath_prepend(str(folder))

    def write(name: str, body: str, distribution: str = "stranger") -> EntryPoint:
        package = f"stranger_{next(_numbers)}"
        (folder / package).mkdir(parents=True)
        (folder / package / "__init__.py").write_text("")
        (folder / package / "plugin.py").write_text(HEADER + dedent(body))
        point = EntryPoint(name, f"{package}.plugin", "antiphon.plugins")
        return point._for(FakeDistribution(distribution))  # type: ignore[attr-defined,no-any-return]

    return write


def forget() -> None:
    """Take the strangers' modules out of the interpreter."""
    for name in [name for name in sys.modules if name.startswith("stranger_")]:
        del sys.modules[name]
