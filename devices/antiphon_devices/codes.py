"""The code by which a person tells a loudspeaker that wants to join from any other."""

from __future__ import annotations

import hashlib

DIGITS = 6


def code_of(device_id: str, secret: str) -> str:
    """Six digits that follow from id and secret; both sides know them, so they never travel."""
    digest = hashlib.sha256(f"{device_id}:{secret}".encode()).digest()
    return f"{int.from_bytes(digest[:8], 'big') % 10**DIGITS:0{DIGITS}d}"
