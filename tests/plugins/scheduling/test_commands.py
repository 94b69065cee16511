"""`antiphon schedule preview`: a day as people read it, without a server."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from tests.plugins.scheduling.conftest import TABLES
from typer.testing import CliRunner

from antiphon.building.models import Floor, Zone
from antiphon.errors import Invalid, NotFound
from antiphon.store import open_database
from antiphon.tenancy.models import Client
from antiphon_scheduling.commands import commands
from antiphon_scheduling.models import Schedule


async def _fill(data_dir: Path) -> None:
    async with open_database("", data_dir, {"scheduling": TABLES}):
        client = await Client.create(name="Shop", timezone="Europe/Berlin")
        floor = await Floor.create(client=client, name="Ground")
        await Zone.create(client=client, floor=floor, name="Lobby")
        base: dict[str, Any] = {"client": client, "settled_until": datetime.now(UTC)}
        noon = {"kind": "cron", "expression": "0 12 * * *", "announcements": [str(UUID(int=7))]}
        await Schedule.create(name="Noon", kind="cron", config=noon, **base)
        night = {"quiet": [{"begin": "21:00", "end": "08:00"}]}
        late = noon | {"expression": "30 22 * * *"}
        await Schedule.create(name="Late", kind="cron", config=late, rules=night, **base)


def test_a_day_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    asyncio.run(_fill(tmp_path))
    printed = CliRunner().invoke(commands, ["preview", "lobby", "--day", "+1"])
    assert printed.exit_code == 0, printed.output
    lines = printed.output.splitlines()
    assert "Lobby, " in lines[0]
    assert "times of Europe/Berlin" in lines[0]
    noon = next(line for line in lines if "Noon" in line)
    assert "12:00:00" in noon
    assert "plays" in noon
    late = next(line for line in lines if "Late" in line)
    assert "suppressed" in late
    assert "quiet hours until 08:00" in late
    for arguments, error in ((["Attic"], NotFound), (["Lobby", "--day", "soon"], Invalid)):
        refused = CliRunner().invoke(commands, ["preview", *arguments])
        assert isinstance(refused.exception, error)
