"""Text made ready for a voice: checked, cleaned, and cut into pieces that fit into memory."""

from __future__ import annotations

import re
import unicodedata

from antiphon.errors import Invalid

MAX_CHARACTERS = 5_000
PIECE_CHARACTERS = 250  # a voice's memory grows with a sentence: 900 characters take 800 MB

_CUTS = tuple(re.compile(p) for p in (r"[.!?…。！？]['\")»”]*\s", r"[,;:–—、，；：]\s?", r"\s"))


def speakable(text: str) -> str:
    """`text` with control characters, half characters and runs of blanks as single blanks.

    Raises Invalid on `text` where it is empty, too long, or nothing but symbols.
    """
    cleaned = " ".join("".join(_shown(c) for c in text.replace("\u00ad", "")).split())
    if not cleaned:
        raise Invalid.field("text", "there is nothing to speak, so write at least one word")
    if len(cleaned) > MAX_CHARACTERS:
        raise Invalid.field(
            "text", f"it has {len(cleaned):,} characters, and {MAX_CHARACTERS:,} are the limit"
        )
    if not any(c.isalnum() for c in cleaned):
        raise Invalid.field("text", "there is no letter or digit in it, so it can not be spoken")
    return cleaned


def _shown(character: str) -> str:
    return " " if unicodedata.category(character) in ("Cc", "Cs") else character


def pieces(text: str, limit: int = PIECE_CHARACTERS) -> list[str]:
    """`text` in pieces of at most `limit` characters.

    Cut after the last sentence that fits, else after a clause, else between words, else anywhere.
    """
    found = []
    rest = text.strip()
    while len(rest) > limit:
        cut = _last_cut(rest, limit)
        found.append(rest[:cut].strip())
        rest = rest[cut:].strip()
    return [*found, rest] if rest else found


def _last_cut(text: str, limit: int) -> int:
    for pattern in _CUTS:
        ends = [match.end() for match in pattern.finditer(text, 0, limit + 1)]
        if ends and ends[-1] > 1:
            return min(ends[-1], limit)
    return limit
