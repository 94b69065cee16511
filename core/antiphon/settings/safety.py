"""What is good enough to try things out, but not for a building: refused outside of development."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import unquote, urlsplit

from antiphon.errors import Misconfigured
from antiphon.settings.models import Settings
from antiphon.settings.sources import DEVELOPMENT

_ADMIN_SIGNS = 12
_TOKEN_SIGNS = 16
# What everybody tries first, in small letters.
_KNOWN = (
    "admin",
    "administrator",
    "antiphon",
    "change-me",
    "change_me",
    "changeme",
    "changethis",
    "default",
    "example",
    "letmein",
    "mosquitto",
    "passw0rd",
    "password",
    "postgres",
    "qwerty",
    "secret",
    "test",
)


@dataclass(frozen=True, slots=True)
class Unsafe:
    """A key, and a sentence on what is wrong with its value, which is never repeated."""

    key: str
    reason: str


def unsafe_values(settings: Settings) -> Iterator[Unsafe]:
    """The values that a server in a building must not have."""
    password = settings.admin.password.get_secret_value()
    if password and len(password) < _ADMIN_SIGNS:
        yield Unsafe(
            "admin.password",
            f"it is short; use {_ADMIN_SIGNS} signs or more, or leave it empty: then one is made "
            "and shown once.",
        )
    elif password and _is_known(password):
        yield Unsafe(
            "admin.password",
            "everybody tries that one; leave it empty: then one is made and shown once.",
        )
    url = settings.database.url.get_secret_value()
    if url and _is_known(_password_of(url)):
        yield Unsafe(
            "database.url", "everybody tries the password in it; give the database another one."
        )
    token = settings.http.metrics_token.get_secret_value()
    if token and (len(token) < _TOKEN_SIGNS or _is_known(token)):
        yield Unsafe(
            "http.metrics_token",
            f"it can be guessed; use {_TOKEN_SIGNS} random signs or more "
            "(openssl rand -hex 16), or leave it empty: then this machine alone sees the metrics.",
        )
    for proxy in settings.http.trusted_proxies:
        if ip_network(proxy).prefixlen == 0:
            yield Unsafe(
                "http.trusted_proxies",
                f"{proxy} is everybody, who could then claim any address; name your proxy's own.",
            )


def check_private(settings: Settings, secret_key: Path) -> None:
    """Raises Misconfigured where others can read the key; not in development, nor without one."""
    if settings.environment == DEVELOPMENT or not secret_key.exists():
        return
    if secret_key.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        mistake = (
            f"{secret_key}: other users of this machine can read the key that signs log-ins; "
            f"run chmod 600 {secret_key}. If they may have read it, delete it: a new one is "
            "made, and everybody logs in again."
        )
        raise Misconfigured([mistake])


def _password_of(url: str) -> str:
    try:
        return unquote(urlsplit(url).password or "")
    except ValueError:
        return ""


def _is_known(secret: str) -> bool:
    """Whether it is a word of the list, said once or more often, with some figures behind it."""
    plain = secret.casefold().rstrip("0123456789!.?")
    if not plain:
        return bool(secret)
    return any(plain.replace(word, "").strip("-_ ") == "" for word in _KNOWN)
