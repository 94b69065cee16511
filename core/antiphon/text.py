"""Text from strangers, in a form that every database, file system and page takes."""

from __future__ import annotations

import unicodedata

# Control characters, halves of surrogate pairs, line and paragraph separators.
UNSEEN = frozenset({"Cc", "Cs", "Zl", "Zp"})


def one_line(text: str, limit: int) -> str:
    """`text` as one line without control characters; cut, and maybe empty."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    visible = "".join(" " if unicodedata.category(sign) in UNSEEN else sign for sign in whole)
    return unicodedata.normalize("NFC", " ".join(visible.split()))[:limit].strip()
