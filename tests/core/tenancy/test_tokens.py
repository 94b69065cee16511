from __future__ import annotations

import base64
import json
import stat
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from antiphon.errors import Misconfigured, NotAuthenticated
from antiphon.tenancy.tokens import Tokens, load_secret_key

KEY = b"k" * 32
USER = uuid4()


def claims(**changed: Any) -> dict[str, Any]:
    return {
        "iss": "antiphon",
        "use": "access",
        "sub": str(USER),
        "exp": int(time.time()) + 60,
        **changed,
    }


def signed(key: bytes = KEY, algorithm: str = "HS256", **changed: Any) -> str:
    content = {name: value for name, value in claims(**changed).items() if value is not None}
    return jwt.encode({"alg": algorithm}, content, OctKey.import_key(key), algorithms=[algorithm])


def unsigned() -> str:
    parts = ({"alg": "none", "typ": "JWT"}, claims())
    return (
        ".".join(
            base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
            for part in parts
        )
        + "."
    )


def test_a_token_says_who_and_until_when() -> None:
    tokens = Tokens(KEY, 3600, now=lambda: 1_000_000.0)
    token, lifetime = tokens.issue(USER)
    assert lifetime == 3600
    assert tokens.read(token).user_id == USER
    assert tokens.read(token).expires_at == 1_003_600


def test_a_token_ends() -> None:
    clock = [1_000_000.0]
    tokens = Tokens(KEY, 3600, now=lambda: clock[0])
    token, _ = tokens.issue(USER)
    clock[0] += 3599
    tokens.read(token)
    clock[0] += 1
    with pytest.raises(NotAuthenticated):
        tokens.read(token)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b.c",
        "ä.ö.ü",
        unsigned(),
        signed(b"f" * 32),
        signed(KEY * 2, "HS512"),
        signed(iss="somebody else"),
        signed(use="refresh"),
        signed(exp=None),
        signed(exp="tomorrow"),
        signed(sub="nobody"),
        signed(sub=None),
        signed()[:-2],
    ],
)
def test_what_is_not_ours_is_refused(token: str) -> None:
    Tokens(KEY, 60).read(signed())
    with pytest.raises(NotAuthenticated):
        Tokens(KEY, 60).read(token)


def test_changed_content_is_refused() -> None:
    head, _, signature = signed().split(".")
    other = signed(sub=str(uuid4())).split(".")[1]
    with pytest.raises(NotAuthenticated):
        Tokens(KEY, 60).read(f"{head}.{other}.{signature}")


def test_the_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    key = load_secret_key(path)
    assert load_secret_key(path) == key
    assert load_secret_key(tmp_path / "other.key") != key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_bytes(b"")
    with pytest.raises(Misconfigured, match="delete it"):
        load_secret_key(path)
