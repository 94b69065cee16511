from __future__ import annotations

import importlib
import logging
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from tortoise.context import TortoiseContext
from tortoise.fields import Field
from tortoise.migrations.autodetector import MigrationAutodetector
from tortoise.models import Model

from antiphon.errors import Misconfigured
from antiphon.store import Tables, in_transaction, open_database
from antiphon.store import database as database_module
from antiphon.store.database import CORE, CORE_TABLES
from antiphon.tenancy.models import ApiToken, Client, RefreshToken, User


def all_tables() -> dict[str, Tables]:
    """The core's tables and those of every installed plugin."""
    found = {CORE: CORE_TABLES}
    for point in entry_points(group="antiphon.plugins"):
        package = point.module.partition(".")[0]
        try:
            plugin = importlib.import_module(point.module)
        except ModuleNotFoundError:
            continue
        if hasattr(plugin, "antiphon_models"):
            found[point.name] = Tables(plugin.antiphon_models(), f"{package}.migrations")
    return found


def config(tables: Mapping[str, Tables]) -> dict[str, dict[str, object]]:
    return {
        label: {
            "models": list(part.modules),
            "migrations": part.migrations,
            "default_connection": "sqlite",
        }
        for label, part in tables.items()
    }


async def test_models_and_migrations_agree() -> None:
    apps = config(all_tables())
    async with TortoiseContext() as context:
        await context.init(
            config={"connections": {"sqlite": "sqlite://:memory:"}, "apps": apps},
            init_connections=False,
        )
        assert context.apps is not None
        detector = MigrationAutodetector(context.apps, apps)
        missing = {
            writer.app_label: [(type(op).__name__, vars(op)) for op in writer.operations]
            for writer in await detector.changes()
        }
    assert missing == {}, "run tortoise makemigrations"


def test_no_description_of_a_table_breaks_its_migration() -> None:
    """The ORM splits a migration's SQL, comments and all, at semicolons."""
    for part in all_tables().values():
        for module in map(importlib.import_module, part.modules):
            for value in vars(module).values():
                if isinstance(value, type) and issubclass(value, Model):
                    meta = value._meta
                    said = [meta.table_description, *_descriptions(meta.fields_map.values())]
                    assert not [text for text in said if ";" in (text or "")], value


def _descriptions(fields: Iterable[Field[Any]]) -> list[str | None]:
    return [field.description for field in fields]


async def test_all_tables_can_be_made_on_postgresql_too(postgres_url: str, tmp_path: Path) -> None:
    plugins = {label: tables for label, tables in all_tables().items() if label != CORE}
    async with open_database(postgres_url, tmp_path, plugins) as database:
        assert database.failed == {}


SHOP_MODELS = """
from tortoise import fields
from antiphon.store import TimestampedModel
class Shelf(TimestampedModel):
    name = fields.CharField(max_length=50)
    class Meta:
        table = "shop_shelf"
class Book(TimestampedModel):
    shelf = fields.ForeignKeyField("shop.Shelf", related_name="books")
    client = fields.ForeignKeyField("antiphon.Client", related_name=False)
    class Meta:
        table = "shop_book"
"""
SHOP_FIRST = """
from uuid import uuid4
from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops
STAMPS = [
    ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
    ('created_at', fields.DatetimeField(auto_now_add=True)),
    ('updated_at', fields.DatetimeField(auto_now=True)),
]
class Migration(migrations.Migration):
    initial = True
    dependencies = [("antiphon", "0001_initial")]
    operations = [
        ops.CreateModel("Shelf", [*STAMPS, ("name", fields.CharField(max_length=20))],
            options={"table": "shop_shelf", "app": "shop", "pk_attr": "id"}, bases=["Model"]),
        ops.CreateModel("Book", [*STAMPS,
            ("shelf", fields.ForeignKeyField("shop.Shelf", source_field="shelf_id",
                to_field="id", related_name="books", on_delete=OnDelete.CASCADE)),
            ("client", fields.ForeignKeyField("antiphon.Client", source_field="client_id",
                to_field="id", related_name=False, on_delete=OnDelete.CASCADE))],
            options={"table": "shop_book", "app": "shop", "pk_attr": "id"}, bases=["Model"]),
    ]
"""
SHOP_SECOND = """
from tortoise import fields, migrations
from tortoise.migrations import operations as ops
class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [ops.AlterField("Shelf", "name", fields.CharField(max_length=50))]
"""
SHOP_BROKEN = """
from tortoise import migrations
from tortoise.migrations import operations as ops
class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        ops.RunSQL("CREATE TABLE shop_half (id INT)"),
        ops.RunSQL("CREATE TABLE shop_shelf (id INT)"),
    ]
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A stranger's plugin with tables: the folder of its migrations."""
    folder = tmp_path / "site" / "a_shop" / "migrations"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("")
    (folder.parent / "models.py").write_text(SHOP_MODELS)
    (folder / "__init__.py").write_text("")
    (folder / "0001_initial.py").write_text(SHOP_FIRST)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    yield folder
    for name in [name for name in sys.modules if name.startswith("a_shop")]:
        del sys.modules[name]


SHOP = {"shop": Tables(["a_shop.models"], "a_shop.migrations")}


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    return "" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


async def test_changing_a_table_loses_no_row_of_those_that_point_to_it(
    url: str, tmp_path: Path, shop: Path
) -> None:
    async with open_database(url, tmp_path, SHOP) as database:
        assert database.failed == {}
        client = await Client.create(name="x")
        models = importlib.import_module("a_shop.models")
        shelf = await models.Shelf.create(name="poems")
        await models.Book.create(shelf=shelf, client=client)
    (shop / "0002_longer.py").write_text(SHOP_SECOND)
    importlib.invalidate_caches()
    async with open_database(url, tmp_path, SHOP) as database:
        assert database.failed == {}
        assert await models.Book.filter(shelf__name="poems", client=client).count() == 1
        await models.Shelf.create(name="n" * 50)


async def test_broken_tables_of_a_plugin_leave_the_core_and_no_half_behind(
    url: str, tmp_path: Path, shop: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (shop / "0002_broken.py").write_text(SHOP_BROKEN)
    with caplog.at_level(logging.CRITICAL):
        async with open_database(url, tmp_path, SHOP) as database:
            assert "shop_shelf" in database.failed["shop"]
            assert await Client.all().count() == 0
    (shop / "0002_broken.py").unlink()
    del sys.modules["a_shop.migrations.0002_broken"]
    (shop / "0002_longer.py").write_text(SHOP_SECOND)
    importlib.invalidate_caches()
    async with open_database(url, tmp_path, SHOP) as database:
        assert database.failed == {}
        async with in_transaction() as connection:
            await connection.execute_query("CREATE TABLE shop_half (id INT)")


OLD = ("0001_initial", "0002_accounts", "0003_audit", "0004_mute", "0005_calls", "0006_unheard")
# What these six migrations of before the first release lost on SQLite.
LOST = {f"idx_play_event_{name}" for name in ("call_id_9eeedd", "client__7cf1a1", "zone_id_964f8b")}
ANNA = str(UUID(int=7))


async def make_old_database(url: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The core's tables as the six migrations left them, of which the last stands for all now."""
    first = data_dir / "old" / "first_version"
    first.mkdir(parents=True)
    (first / "__init__.py").write_text("")
    migrations = Path(str(importlib.import_module(CORE_TABLES.migrations).__file__)).parent
    shutil.copy(migrations / f"{OLD[-1]}.py", first)
    stamp = "'2026-01-01 00:00:00+00:00'"
    with monkeypatch.context() as patched:
        patched.syspath_prepend(str(first.parent))
        old = Tables(CORE_TABLES.modules, "first_version")
        patched.setattr(database_module, "CORE_TABLES", old)
        async with open_database(url, data_dir) as database, in_transaction() as connection:
            for name in LOST if database.kind == "sqlite" else ():
                await connection.execute_query(f"DROP INDEX {name}")
            for name in OLD[:-1]:
                await connection.execute_query(
                    "INSERT INTO tortoise_migrations (app, name, applied_at) "
                    f"VALUES ('antiphon', '{name}', {stamp})"
                )
            await connection.execute_query(
                'INSERT INTO "user" (id, created_at, updated_at, email, name, role, phone, '
                f"settings, password_hash, is_active) VALUES ('{ANNA}', {stamp}, {stamp}, "
                "'a@b.example', 'Anna', 'staff', '', '{}', 'hash', true)"
            )
    del sys.modules["first_version"], sys.modules[f"first_version.{OLD[-1]}"]


async def test_a_database_of_before_the_first_release_keeps_its_rows(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its people can log in; a new database and an old one end up the same."""
    await make_old_database(url, tmp_path, monkeypatch)
    async with open_database(url, tmp_path) as database:
        anna = await User.get(id=ANNA)
        assert (anna.name, anna.token_version) == ("Anna", 0)
        until = datetime.now(UTC) + timedelta(days=1)
        await RefreshToken.create(user=anna, family=uuid4(), token_hash="r", expires_at=until)
        await ApiToken.create(user=anna, name="Door", scopes=["read"], token_hash="a")
        assert (await ApiToken.get(user_id=ANNA)).scopes == ["read"]
        await User.filter(id=ANNA).delete()
        assert await RefreshToken.all().count() == 0
        catalogue = "sqlite_master" if database.kind == "sqlite" else "pg_indexes"
        column = "name" if database.kind == "sqlite" else "indexname"
        async with in_transaction() as connection:
            _, rows = await connection.execute_query(f"SELECT {column} FROM {catalogue}")
        assert {row[column] for row in rows} >= LOST


async def test_a_database_of_before_the_last_of_the_old_migrations_is_left_alone(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_old_database(url, tmp_path, monkeypatch)
    async with open_database(url, tmp_path), in_transaction() as connection:
        await connection.execute_query(f"DELETE FROM tortoise_migrations WHERE name = '{OLD[-1]}'")
    with pytest.raises(Misconfigured, match="too old"):
        async with open_database(url, tmp_path):
            pass
