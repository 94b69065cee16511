"""What is remembered of the database is never older than what this process wrote."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.conftest import Migrated

from antiphon.playback.models import OpenCall
from antiphon.store import Memo, in_transaction, open_database, total
from antiphon.store.changes import Changes
from antiphon.store.database import FILE_NAME
from antiphon.tenancy.models import Client, User


@pytest.fixture(params=["sqlite", "postgres"])
def opened(request: pytest.FixtureRequest, tmp_path: Path, migrated: Migrated) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    migrated(tmp_path)
    return ""


@asynccontextmanager
async def one_client(url: str, folder: Path) -> AsyncIterator[Client]:
    async with open_database(url, folder):
        yield await Client.create(name="A")


class Reader:
    """Asks the database for a client's name, and counts how often."""

    def __init__(self, client: Client) -> None:
        self.memo: Memo[str] = Memo(Client)
        self.client = client
        self.asked = 0

    async def name(self) -> str:
        return await self.memo.get(self.client.id, self._ask)

    async def _ask(self) -> str:
        self.asked += 1
        return str(await Client.get(id=self.client.id).values_list("name", flat=True))


async def test_every_way_to_write_makes_it_old(opened: str, tmp_path: Path) -> None:
    async with one_client(opened, tmp_path) as client:
        reader = Reader(client)
        assert [await reader.name() for _ in range(3)] == ["A", "A", "A"]
        assert reader.asked == 1
        client.name = "B"
        await client.save()
        assert await reader.name() == "B"
        await Client.filter(id=client.id).update(name="C")
        assert await reader.name() == "C"
        client.name = "D"
        await Client.bulk_update([client], fields=["name"])
        assert await reader.name() == "D"
        client.name = "E"
        await Client.bulk_create([client], on_conflict=["id"], update_fields=["name"])
        assert await reader.name() == "E"


async def test_other_tables_do_not_but_a_deletion_does(opened: str, tmp_path: Path) -> None:
    async with one_client(opened, tmp_path) as client:
        reader = Reader(client)
        await reader.name()
        user = await User.create(email="a@x", role="client", client=client, password_hash="-")
        assert (await reader.name(), reader.asked) == ("A", 1)
        call = await OpenCall.create(
            client=client,
            request={},
            principal={},
            zones={},
            arrival=1,
            accepted_at=user.created_at,
        )
        await call.delete()  # to which nothing refers
        assert (await reader.name(), reader.asked) == ("A", 1)
        await user.delete()  # which may take rows of any table along
        assert (await reader.name(), reader.asked) == ("A", 2)


async def test_what_a_transaction_took_back_was_never_there(opened: str, tmp_path: Path) -> None:
    async with one_client(opened, tmp_path) as client:
        reader = Reader(client)

        async def fails() -> None:
            async with in_transaction():
                await Client.filter(id=client.id).update(name="B")
                async with in_transaction():
                    await Client.filter(id=client.id).update(name="C")
                assert await reader.name() == "C"
                raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            await fails()
        assert await reader.name() == "A"
        async with in_transaction():
            await Client.filter(id=client.id).update(name="D")
        assert await reader.name() == "D"


async def test_what_is_read_while_it_is_written_is_not_kept(opened: str, tmp_path: Path) -> None:
    async with one_client(opened, tmp_path) as client:
        memo: Memo[str] = Memo(Client)

        async def slow() -> str:
            found = str(await Client.get(id=client.id).values_list("name", flat=True))
            await Client.filter(id=client.id).update(name="B")
            return found

        async def quick() -> str:
            return str(await Client.get(id=client.id).values_list("name", flat=True))

        assert await memo.get("key", slow) == "A"
        assert await memo.get("key", quick) == "B"


async def test_totals_are_counted_anew_after_a_change(opened: str, tmp_path: Path) -> None:
    async with one_client(opened, tmp_path) as client:
        rows = Client.filter(name__icontains="a")
        assert (await total(rows), await total(Client.filter(name="x"))) == (1, 0)
        await Client.create(name="another")
        assert await total(rows) == 2
        await client.delete()
        assert await total(rows) == 1


async def test_another_process_is_seen_soon(tmp_path: Path, migrated: Migrated) -> None:
    migrated(tmp_path)
    async with one_client("", tmp_path) as client:
        reader = Reader(client)
        await reader.name()
        with sqlite3.connect(tmp_path / FILE_NAME) as other:
            other.execute("UPDATE client SET name = 'B'")
        other.close()
        async with asyncio.timeout(8):
            while await reader.name() != "B":  # noqa: ASYNC110  another process tells nobody
                await asyncio.sleep(0.05)


async def test_it_forgets_the_oldest(opened: str, tmp_path: Path) -> None:
    async with one_client(opened, tmp_path):
        asked = []
        memo: Memo[int] = Memo(Client, at_most=2)

        async def ask() -> int:
            asked.append(1)
            return len(asked)

        assert [await memo.get(key, ask) for key in "abcbca"] == [1, 2, 3, 2, 3, 4]


def test_statements_that_are_not_known_count_for_all_tables() -> None:
    written_by = Changes().written_by
    assert written_by('INSERT INTO "client" ("id") VALUES (?)') == {"client"}
    assert written_by('UPDATE "user" SET "name"=?') == {"user"}
    assert written_by('  select "name" FROM "user"') == set()
    for unknown in (
        'DELETE FROM "user"',
        'WITH x AS (SELECT 1) UPDATE "user" SET "name"=1',
        'INSERT OR REPLACE INTO "user" VALUES (1)',
        "UPDATE user SET name=1",
        "DROP TABLE x",
    ):
        assert written_by(unknown) == {""}, unknown
