"""Covers for those who can not log in, such as a picture in Home Assistant: links that are keys."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from uuid import UUID

_KEY_BYTES = 32
_SIGNATURE_LENGTH = 32
PLACEHOLDER = "none"
PLACEHOLDER_SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 240 240">
<rect width="240" height="240" fill="#20262e"/>
<g fill="none" stroke="#5b8def" stroke-width="10" stroke-linecap="round">
<path d="M84 92v56M108 72v96M132 88v64M156 104v32"/>
</g>
</svg>
"""


class ArtKeys:
    """Makes and reads the keys. They last as long as the file with the secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    @classmethod
    def of_file(cls, path: Path) -> ArtKeys:
        """With the secret in `path`, which is made where there is none."""
        if not path.exists():
            new = path.with_suffix(f".{secrets.token_hex(4)}")
            handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(_KEY_BYTES))
            new.replace(path)
        return cls(path.read_bytes())

    def key(self, music_id: UUID) -> str:
        """What shows the cover of a track to whoever has it."""
        return f"{music_id.hex}-{self._signature(music_id)}"

    def read(self, key: str) -> UUID | None:
        """The track of a key that was made here."""
        name, _, signature = key.partition("-")
        try:
            music_id = UUID(hex=name)
        except ValueError:
            return None
        expected = self._signature(music_id).encode()
        return music_id if hmac.compare_digest(expected, signature.encode()) else None

    def _signature(self, music_id: UUID) -> str:
        digest = hmac.new(self._secret, music_id.bytes, hashlib.sha256).hexdigest()
        return digest[:_SIGNATURE_LENGTH]
