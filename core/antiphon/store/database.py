"""Opens the database, brings its tables up to date, and closes it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.backends.base.config_generator import expand_db_url
from tortoise.context import TortoiseContext
from tortoise.exceptions import BaseORMException, ConfigurationError, DBConnectionError

from antiphon.errors import AntiphonError, Misconfigured, PartAway
from antiphon.store.changes import Changes, leaves_of
from antiphon.store.migrate import bring_up_to_date

CORE = "antiphon"
FILE_NAME = "antiphon.sqlite3"
_POSTGRES = ("postgres", "postgresql")


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of one part: the modules of its models, and the package of its migrations."""

    modules: Sequence[str]
    migrations: str


CORE_TABLES = Tables(
    (
        "antiphon.tenancy.models",
        "antiphon.audit.models",
        "antiphon.building.models",
        "antiphon.playback.models",
    ),
    "antiphon.store.migrations",
)


class Database:
    """An open database. `failed` says, by label, which plugins' tables could not be made."""

    def __init__(self, connection: BaseDBAsyncClient, failed: Mapping[str, str]) -> None:
        self._connection = connection
        self.failed = failed

    @property
    def kind(self) -> str:
        """`sqlite` or `postgres`."""
        return str(self._connection.capabilities.dialect)

    async def check(self) -> None:
        """Ask the database something. Raises PartAway where it does not answer."""
        with _friendly(self.kind):
            await self._connection.execute_query("SELECT 1")


@asynccontextmanager
async def open_database(
    url: str, data_dir: Path, apps: Mapping[str, Tables] | None = None
) -> AsyncIterator[Database]:
    """The database for the tasks that are made while it is open; tables are brought up to date.

    `url` is `postgres://user:password@host:port/name`, or empty for SQLite in `data_dir` (which is
    made). `apps` are the plugins' tables by label. Several processes may open one database at the
    same time: one of them migrates, the others wait for it.

    Enter it before creating tasks: the ORM keeps its connections in a context variable, which
    earlier tasks do not see. Raises Misconfigured where a person must act, PartAway where the
    database does not answer. A plugin whose tables can not be made is named in `Database.failed`.
    """
    tables = {CORE: CORE_TABLES, **(apps or {})}
    # The ORM keeps statements by the connection's name, so the name must tell the dialects apart.
    kind = "postgres" if url else "sqlite"
    connection = _postgres(url) if url else _sqlite(data_dir)
    apps_config = {
        label: {
            "models": list(part.modules),
            "migrations": part.migrations,
            "default_connection": kind,
        }
        for label, part in tables.items()
    }
    async with TortoiseContext() as context:
        with _friendly(kind):
            await context.init(config={"connections": {kind: connection}, "apps": apps_config})
            await context.db().execute_query("SELECT 1")
            failed = await bring_up_to_date(context.db(), apps_config, data_dir, core=CORE)
            _note_leaves(context)
        yield Database(context.db(), failed)


def _note_leaves(context: TortoiseContext) -> None:
    """Tell what is remembered of the database which deletions take nothing else along."""
    apps = (context.apps or {}).values()
    changes: Changes = getattr(context.db(), "changes")  # noqa: B009  the ORM's types do not know it
    changes.leaves = leaves_of(chain.from_iterable(models.values() for models in apps))


def _sqlite(data_dir: Path) -> dict[str, Any]:
    path = data_dir / FILE_NAME
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        # Made here so that password hashes are nobody else's to read, whatever the umask.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise Misconfigured(
            [f"data_dir: {path} can not be written: {error.strerror}. Choose another data_dir."]
        ) from error
    return {
        "engine": "antiphon.store.sqlite",
        "credentials": {
            "file_path": str(path),
            "busy_timeout": 10_000,
            "journal_mode": "WAL",
            "synchronous": "NORMAL",
            "foreign_keys": "ON",
        },
    }


def _postgres(url: str) -> dict[str, Any]:
    scheme, has_scheme, _ = url.partition("://")
    if not has_scheme or scheme not in _POSTGRES:
        form = "postgres://user:password@host:port/name, or empty for SQLite"
        raise Misconfigured([f"database.url: should be {form}."])
    if find_spec("asyncpg") is None:
        raise Misconfigured(
            ["database.url: PostgreSQL needs its driver: pip install 'antiphon[postgresql]'."]
        )
    try:
        return {**expand_db_url(url), "engine": "antiphon.store.postgresql"}
    except (ConfigurationError, ValueError) as error:
        raise Misconfigured(
            ["database.url: this is not a URL of a PostgreSQL database."]
        ) from error


@contextmanager
def _friendly(kind: str) -> Iterator[None]:
    """Say in words what a driver's exception means; programming errors pass as they are."""
    try:
        yield
    except AntiphonError:
        raise
    except DBConnectionError as error:
        raise Misconfigured([f"database.url: {error}. Create it with createdb."]) from error
    except OSError as error:
        raise PartAway(
            "The database", f"It does not answer ({error.strerror or error}); is it running?"
        ) from error
    except BaseORMException as error:
        if "locked" in str(error):
            raise PartAway("The database", "Another program holds it locked.") from error
        raise
    except Exception as error:
        _explain(kind, error)
        raise


def _explain(kind: str, error: Exception) -> None:
    """Raise the friendly form of a driver's own error, if there is one."""
    name = type(error).__name__
    if kind == "sqlite" and "not a database" in str(error):
        raise Misconfigured(
            [f"data_dir: {FILE_NAME} there is not a database. Move it away, or restore a backup."]
        ) from error
    if name in ("InvalidPasswordError", "InvalidAuthorizationSpecificationError"):
        raise Misconfigured([f"database.url: the server refused the login: {error}."]) from error
    if name in ("CannotConnectNowError", "TooManyConnectionsError", "ConnectionDoesNotExistError"):
        raise PartAway("The database", f"It said: {error}.") from error
