"""The scripts that come with Antiphon: what shops, hotels and gyms say every day."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any
from uuid import UUID, uuid5

_NAMESPACE = UUID("8c7f2f0e-6a0b-4f6e-9d3a-5a4b1f6c2d10")
_NO_LANGUAGES = frozenset({"category", "defaults"})


@dataclass(frozen=True, slots=True)
class ReadyMade:
    """One script in one language. Its id never changes."""

    id: UUID
    name: str
    text: str
    language: str
    category: str
    defaults: Mapping[str, str]


@cache
def ready_made() -> Mapping[UUID, ReadyMade]:
    """All of them by id."""
    content = files("antiphon_announcements").joinpath("ready_made.toml").read_text("utf-8")
    return {one.id: one for one in _scripts(tomllib.loads(content))}


def _scripts(content: Mapping[str, Any]) -> Iterator[ReadyMade]:
    for key, script in content["scripts"].items():
        categories = content["categories"][script["category"]]
        for language in [name for name in script if name not in _NO_LANGUAGES]:
            yield ReadyMade(
                id=uuid5(_NAMESPACE, f"{key}/{language}"),
                language=language,
                category=categories[language],
                defaults=script.get("defaults", {}),
                **script[language],
            )
