"""Every list of the whole server asks the database as often for many rows as for few."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest
from tests.conftest import LoadedFor
from tests.fakes.queries import counted
from tests.walk.requests import operations
from tests.walk.rows import make_house, make_user

from antiphon.app import running
from antiphon.plugins.manager import load_plugins
from antiphon.settings.load import Loaded
from antiphon.store import open_database
from antiphon.tenancy.models import User
from antiphon.tenancy.tokens import Tokens, load_secret_key
from antiphon.types import Role

ASKED = 3  # the least counts: whatever else the server does meanwhile asks too
MORE = 4


async def test_more_rows_are_no_more_queries(
    tmp_path: Path, loaded_for: LoadedFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No voice is installed: what is spoken is not what this is about, and takes its time.
    monkeypatch.setattr("antiphon_ai.voices._packaged_models", tuple)
    loaded = loaded_for(tmp_path)
    admin = await _houses(loaded, "qxfirst")
    few = await _queries(loaded, admin)
    await _houses(loaded, *(f"qxmore{number}" for number in range(MORE)))
    many = await _queries(loaded, admin)
    assert len(few) > 15
    assert all(items > 0 for path, (items, _) in many.items() if path in few and few[path][0])
    more = {path: (few[path], many[path]) for path in few if many[path][1] > few[path][1]}
    assert more == {}, "(items, queries) with few rows, and with many"


async def _houses(loaded: Loaded, *markers: str) -> User:
    plugins = load_plugins()
    plugins.configure(loaded)
    async with open_database("", loaded.settings.data_dir, plugins.tables()):
        for marker in markers:
            await make_house(marker)
        found = await User.filter(role=Role.ADMIN).first()
        return found or await make_user("admin@us.example", Role.ADMIN)


async def _queries(loaded: Loaded, admin: User) -> dict[str, tuple[int, int]]:
    """Of each list how many items it has, and how many queries it takes."""
    plugins = load_plugins()
    plugins.configure(loaded)
    token, _ = Tokens(load_secret_key(loaded.settings.data_dir / "secret.key"), 600).issue(admin.id)
    header = {"Authorization": f"Bearer {token}"}
    found = {}
    async with running(loaded, plugins) as server, aiohttp.ClientSession(headers=header) as session:
        base = f"{server.url}/api/v1/"
        async with session.get(base + "openapi.json") as answer:
            document = await answer.json()
        for one in operations(document):
            if not one.reads or one.has_id or "limit" not in _parameters(one.told):
                continue
            least = []
            for _ in range(ASKED):
                with counted() as queries:
                    async with session.get(base + one.at(""), params={"limit": "200"}) as answer:
                        page = await answer.json()
                least.append(len(queries))
            if "total" in page:
                found[str(one)] = (page["total"], min(least))
    return found


def _parameters(told: object) -> set[str]:
    assert isinstance(told, dict)
    return {parameter["name"] for parameter in told.get("parameters", [])}
