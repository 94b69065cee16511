from __future__ import annotations

from pathlib import Path

import pytest

from antiphon.cli.backup import back_up
from antiphon.errors import Misconfigured, Refused
from antiphon.store import open_database
from antiphon.tenancy.models import Client
from antiphon.tenancy.users import create_client


async def test_a_backup_of_a_database_in_use_is_whole_and_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, target = tmp_path / "data", tmp_path / "backups" / "today"
    monkeypatch.setenv("ANTIPHON_DATA_DIR", str(data))
    with pytest.raises(Misconfigured):
        back_up(target)
    async with open_database("", data):
        for name in ("media/client/track.mp3", "secret.key", "run/server.json", "antiphon.lock"):
            (data / name).parent.mkdir(parents=True, exist_ok=True)
            (data / name).write_text(name)
        await create_client("Hotel")  # in the write-ahead log still
        back_up(target)
        await create_client("Too late")
        with pytest.raises(Refused, match="there already"):
            back_up(target)
        with pytest.raises(Refused, match="elsewhere"):
            back_up(data / "backup")
    copied = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    assert copied == {"antiphon.sqlite3", "media/client/track.mp3", "secret.key"}
    assert target.stat().st_mode & 0o077 == 0
    async with open_database("", target):
        assert [client.name for client in await Client.all()] == ["Hotel"]
