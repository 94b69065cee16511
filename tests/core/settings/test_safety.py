from __future__ import annotations

from pathlib import Path

import pytest

from antiphon.errors import Misconfigured
from antiphon.settings import Settings, check_private, load

CONFIG = Path(__file__).parents[3] / "config"
GOOD = "correct horse battery"


def mistakes(environment: str = "production", **values: str) -> list[str]:
    environ = {f"ANTIPHON_{key.upper()}": value for key, value in values.items()}
    try:
        load(environ | {"ANTIPHON_ENV": environment}, CONFIG, sections={})
    except Misconfigured as error:
        return error.mistakes
    return []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("admin__password", "hunter2"),
        ("admin__password", "ChangeMe2024!"),
        ("admin__password", "password-password"),
        ("admin__password", "123456789012"),
        ("database__url", "postgres://antiphon:antiphon@db/antiphon"),
        ("database__url", "postgres://antiphon:pass%77ord@db/antiphon"),
        ("http__metrics_token", "secret"),
        ("http__trusted_proxies", "10.0.0.1, 0.0.0.0/0"),
        ("http__trusted_proxies", "::/0"),
    ],
)
def test_unsafe_values_are_refused_with_a_sentence(key: str, value: str) -> None:
    [mistake] = mistakes(**{key: value})
    name = f"ANTIPHON_{key.upper()}"
    assert mistake.startswith(f"{key.replace('__', '.')} (set in the variable {name}): ")
    assert mistake.endswith(".")
    if "proxies" not in key:
        assert value not in mistake
    assert mistakes("development", **{key: value}) == []


def test_all_are_told_at_once() -> None:
    assert len(mistakes(admin__password="short", http__metrics_token="short")) == 2


def test_the_files_that_come_with_it_and_good_values_are_accepted() -> None:
    assert mistakes() == []
    assert mistakes("development") == []
    values = {
        "admin__password": GOOD,
        "database__url": "postgres://antiphon:x7Kq-92hh@127.0.0.1/antiphon",
        "http__metrics_token": "0123456789abcdef0123456789abcdef",
        "http__trusted_proxies": "127.0.0.1",
    }
    assert mistakes(**values) == []


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    production = Settings(environment="production")
    key = tmp_path / "secret.key"
    check_private(production, key)
    key.write_bytes(bytes(32))
    key.chmod(0o600)
    check_private(production, key)
    key.chmod(0o640)
    with pytest.raises(Misconfigured, match="chmod 600"):
        check_private(production, key)
    check_private(Settings(), key)
