"""Words out of files and searches, in a form that every database takes and finds again."""

from __future__ import annotations

import unicodedata


def fold(text: str) -> str:
    """`text` without case and accents: what searches compare."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in apart if not unicodedata.combining(sign))


def search_text(*parts: str) -> str:
    """What a search looks into, made of a track's tags."""
    return fold(" ".join(part for part in parts if part))


def search_words(text: str) -> list[str]:
    """The words that all have to be found."""
    return fold(text).split()
