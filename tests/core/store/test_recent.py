from __future__ import annotations

from pathlib import Path

import pytest

from antiphon.store import in_transaction, open_database
from antiphon.store.recent import remembered
from antiphon.tenancy.models import Client
from antiphon.tenancy.users import create_client

asked: list[str] = []


@remembered
async def name_of(prefix: str) -> str | None:
    asked.append(prefix)
    found = await Client.filter(name__startswith=prefix).first()
    return found.name if found is not None else None


@pytest.fixture(autouse=True)
def _fresh() -> None:
    asked.clear()


async def test_what_was_read_is_remembered_until_something_is_written(tmp_path: Path) -> None:
    async with open_database("", tmp_path):
        client = await create_client("Hotel")
        assert [await name_of("Ho") for _ in range(3)] == ["Hotel"] * 3
        assert await name_of("X") is None
        assert asked == ["Ho", "X"]
        # Whatever way it is written: by a row, by a query, by plain SQL, in a transaction.
        client.name = "Hostel"
        await client.save()
        assert await name_of("Ho") == "Hostel"
        await Client.filter(id=client.id).update(name="House")
        assert await name_of("Ho") == "House"
        async with in_transaction() as connection:
            await Client.filter(id=client.id).update(name="Home")
            assert await name_of("Ho") == "Home"
            await connection.rollback()
        assert await name_of("Ho") == "House"
        await Client.filter(id=client.id).delete()
        assert await name_of("Ho") is None


async def test_another_process_is_noticed_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("antiphon.store.recent.FRESH_S", -1.0)
    async with open_database("", tmp_path):
        await create_client("Hotel")
        assert [await name_of("Ho") for _ in range(2)] == ["Hotel"] * 2
        assert len(asked) == 2


async def test_postgresql_is_asked_each_time(postgres_url: str, tmp_path: Path) -> None:
    async with open_database(postgres_url, tmp_path):
        await create_client("Hotel")
        assert [await name_of("Ho") for _ in range(2)] == ["Hotel"] * 2
        assert len(asked) == 2
