from __future__ import annotations

import asyncio
import socket
import sqlite3
import sys
from pathlib import Path

import pytest

from antiphon.building.models import Floor, Zone
from antiphon.errors import Misconfigured, PartAway
from antiphon.store import Database, IntegrityError, in_transaction, open_database
from antiphon.tenancy.models import Client


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    return "" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


async def test_rows_outlive_the_process_and_times_are_utc(url: str, tmp_path: Path) -> None:
    async with open_database(url, tmp_path):
        client = await Client.create(name="Café Größe", premium_features={"max_floors": 3})
    async with open_database(url, tmp_path) as database:
        await database.check()
        again = await Client.get(id=client.id)
        assert again.name == "Café Größe"
        assert again.premium_features == {"max_floors": 3}
        assert again.created_at == client.created_at
        assert again.created_at.utcoffset() is not None


async def test_a_row_cannot_lose_its_parent_and_goes_with_it(url: str, tmp_path: Path) -> None:
    async with open_database(url, tmp_path):
        client = await Client.create(name="a")
        floor = await Floor.create(client=client, name="ground")
        with pytest.raises(IntegrityError):
            await Zone.create(client=client, floor_id=client.id, name="nowhere")
        await Zone.create(client=client, floor=floor, name="bar")
        await client.delete()
        assert await Zone.all().count() == 0


async def test_a_failed_transaction_leaves_nothing(url: str, tmp_path: Path) -> None:
    async def half() -> None:
        async with in_transaction():
            await Client.create(name="half")
            raise RuntimeError

    async with open_database(url, tmp_path):
        with pytest.raises(RuntimeError):
            await half()
        assert await Client.all().count() == 0


async def test_a_question_waits_for_no_transaction(url: str, tmp_path: Path) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def change() -> None:
        async with in_transaction():
            await Client.create(name="new")
            assert await Client.all().count() == 1
            begun.set()
            await go_on.wait()

    async with open_database(url, tmp_path), asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        changing = tasks.create_task(change())
        await begun.wait()
        assert await Client.all().count() == 0
        go_on.set()
        await changing
        assert await Client.all().count() == 1


async def test_tasks_made_while_it_is_open_see_it(url: str, tmp_path: Path) -> None:
    async with open_database(url, tmp_path):

        async def create(name: str) -> Client:
            return await Client.create(name=name)

        await asyncio.gather(*(asyncio.create_task(create(str(n))) for n in range(20)))
        assert await Client.all().count() == 20


async def test_the_fixture_reaches_the_test(database: Database) -> None:
    assert database.kind == "sqlite"
    assert await Client.all().count() == 0


async def test_many_processes_may_start_at_once(url: str, tmp_path: Path) -> None:
    script = (
        "import asyncio, sys, pathlib\n"
        "from antiphon.store import open_database\n"
        "from antiphon.tenancy.models import Client\n"
        "async def main():\n"
        "    async with open_database(sys.argv[1], pathlib.Path(sys.argv[2])):\n"
        "        await Client.create(name='x')\n"
        "asyncio.run(main())\n"
    )
    starts = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", script, url, str(tmp_path))
        for _ in range(4)
    ]
    async with asyncio.timeout(60):
        assert [await start.wait() for start in starts] == [0, 0, 0, 0]
    async with open_database(url, tmp_path):
        assert await Client.all().count() == 4


async def test_sqlite_is_set_up_for_a_server(tmp_path: Path) -> None:
    async with open_database("", tmp_path / "new" / "data"), in_transaction() as connection:
        found = {
            pragma: (await connection.execute_query(f"PRAGMA {pragma}"))[1][0][0]
            for pragma in ("journal_mode", "foreign_keys", "busy_timeout")
        }
        assert found == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 10_000}
    assert (tmp_path / "new" / "data" / "antiphon.sqlite3").stat().st_mode & 0o077 == 0


async def _open(url: str, data_dir: Path) -> None:
    async with open_database(url, data_dir):
        pass


@pytest.mark.parametrize(
    "url", ["mysql://a@b/c", "antiphon.db", "postgres://[", "postgres://u@host:port/x"]
)
async def test_a_url_that_makes_no_sense(url: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"database\.url"):
        await _open(url, tmp_path)


async def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        with pytest.raises(PartAway, match="is it running"):
            await _open(f"postgres://a:secret@127.0.0.1:{port}/x", tmp_path)


async def test_a_database_that_does_not_exist(postgres_url: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="createdb"):
        await _open(f"{postgres_url}_gone", tmp_path)


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "antiphon.sqlite3").write_text("music " * 1000)
    with pytest.raises(Misconfigured, match="not a database"):
        await _open("", tmp_path)


async def test_a_place_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="data_dir"):
        await _open("", tmp_path / "file" / "data")


async def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    await _open("", tmp_path)
    with sqlite3.connect(tmp_path / "antiphon.sqlite3") as connection:
        connection.execute(
            "INSERT INTO tortoise_migrations (app, name, applied_at)"
            " VALUES ('antiphon', '9999_future', '2099-01-01')"
        )
    connection.close()
    with pytest.raises(Misconfigured, match="newer version"):
        await _open("", tmp_path)
