"""Secrets of others that have to be kept readable, such as the key to a service: sealed at rest."""

from __future__ import annotations

import base64
import binascii
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from antiphon.errors import Conflict

_PREFIX = "v1:"
_NONCE_BYTES = 12


class SecretBox:
    """Seals texts with a key of its own, made of the server's secret key and a `purpose`.

    AES-256-GCM. `about` binds a sealed text to its place, such as a row's id: moved to another
    one, it opens no more. A backup without the file `secret.key` holds no readable secret.
    """

    def __init__(self, secret_key: bytes, purpose: str) -> None:
        derive = HKDF(SHA256(), 32, salt=None, info=f"antiphon secrets {purpose}".encode())
        self._cipher = AESGCM(derive.derive(secret_key))

    def seal(self, text: str, about: str) -> str:
        """`text` as it may be stored."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, text.encode(), about.encode())
        return _PREFIX + base64.urlsafe_b64encode(nonce + sealed).decode()

    def open(self, sealed: str, about: str) -> str:
        """What was sealed. Raises SecretUnreadable where the server has another key by now."""
        try:
            content = base64.urlsafe_b64decode(sealed.removeprefix(_PREFIX))
            nonce, rest = content[:_NONCE_BYTES], content[_NONCE_BYTES:]
            return self._cipher.decrypt(nonce, rest, about.encode()).decode()
        except (InvalidTag, ValueError, binascii.Error) as error:
            raise SecretUnreadable from error


class SecretUnreadable(Conflict):
    """A stored secret was sealed with another `secret.key` than the server has now."""

    code = "secret_unreadable"
    title = "The stored secret can not be read"

    def __init__(self) -> None:
        super().__init__(
            "The stored key can not be read: the server's secret.key is another one than when it "
            "was entered. Enter it again, or put the old secret.key back."
        )
