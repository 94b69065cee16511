"""Runs migrations: one process at a time, each part's in one transaction."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.migrations.executor import MigrationExecutor, MigrationTarget
from tortoise.migrations.graph import MigrationKey
from tortoise.migrations.loader import MigrationLoader
from tortoise.migrations.recorder import MigrationRecorder
from tortoise.migrations.schema_editor import BaseSchemaEditor
from tortoise.migrations.schema_generator.state import State
from tortoise.transactions import in_transaction

from antiphon.errors import AntiphonError, Misconfigured, PartTimedOut

_log = logging.getLogger(__name__)

_LOCK_TIMEOUT_S = 120.0
_ADVISORY_KEY = 0x616E7469  # "anti": ours among the advisory locks of a shared server

AppsConfig = Mapping[str, Mapping[str, Any]]


async def bring_up_to_date(
    connection: BaseDBAsyncClient, apps: AppsConfig, lock_dir: Path, *, core: str
) -> dict[str, str]:
    """Apply what is missing; returns why, for each plugin whose tables could not be made.

    Raises whatever goes wrong with the tables of `core`, Misconfigured if the database is newer
    than the program, PartTimedOut if another process does not finish its own migration.
    """
    failed: dict[str, str] = {}
    state: State | None = None
    async with _alone(connection, lock_dir), _foreign_keys_off(connection):
        for label in (core, *(name for name in apps if name != core)):
            try:
                state = await _migrate(apps, label, state)
            except Exception as error:
                state = None  # it may hold what was taken back
                if label == core or isinstance(error, AntiphonError):
                    raise
                _log.exception("The tables of the plugin %s could not be made", label)
                failed[label] = f"its tables could not be made: {error}"
    return failed


async def _migrate(apps: AppsConfig, label: str, state: State | None) -> State | None:
    """All missing migrations of one label, and the record of them, or nothing.

    `state` is what the call before gave, for the next to go on from.
    """
    async with in_transaction() as transaction:
        executor = _Executor(transaction, {name: dict(app) for name, app in apps.items()})
        executor.state = state
        recorder = _Recorder(transaction)
        executor.recorder = recorder
        executor.loader = _Loader(executor.loader.apps_config, recorder)
        await recorder.ensure_schema(executor._schema_editor(atomic=False))
        await executor.loader.build_graph()
        recorded = await recorder.applied_migrations()
        applied = {key.name for key in recorded if key.app_label == label}
        known = {key.name for key in executor.loader.disk_migrations if key.app_label == label}
        replaced = executor.loader.replaced(label)
        if unknown := sorted(applied - known - replaced.keys()):
            made_by = f"it was made by a newer version ({label} {unknown[-1]} is unknown here)"
            remedy = "Install that version, or restore a backup from before the update"
            raise Misconfigured([f"database: {made_by}. {remedy}."])
        if halfway := sorted(name for name in applied if replaced.get(name, name) not in applied):
            made_by = f"it is too old, of before the first release ({label} {halfway[-1]})"
            remedy = "Start the last commit that has this migration once, or empty the data_dir"
            raise Misconfigured([f"database: {made_by}. {remedy}."])
        # Not the executor's "latest": to it, a migration that a plugin builds on is not a last one.
        if missing := [MigrationTarget(label, name) for name in sorted(known - applied)]:
            _log.info("Bringing the tables of %s up to date", label)
            gc.enable()  # which `run` turns off while it starts: the models of each step are many
            await executor.migrate(missing)
            await _check_references(transaction)
        return executor.state


async def _check_references(transaction: BaseDBAsyncClient) -> None:
    """What `_foreign_keys_off` did not check on the way."""
    if transaction.capabilities.dialect == "sqlite":
        _, broken = await transaction.execute_query("PRAGMA foreign_key_check")
        if broken:
            raise RuntimeError(f"The migration leaves rows of {broken[0]['table']} without parents")


class _Executor(MigrationExecutor):
    """Keeps the models as of the migrations that are applied: to make them takes seconds."""

    state: State | None = None

    async def _project_state(
        self, applied: set[MigrationKey], *, upto: MigrationKey | None = None
    ) -> State:
        if upto is not None:
            return await super()._project_state(applied, upto=upto)
        if self.state is None:
            self.state = await super()._project_state(applied)
        return self.state  # which `migrate` takes forward as it goes


class _Loader(MigrationLoader):
    """Knows a migration that stands for several older ones, also by the names of those."""

    def load_disk(self) -> None:
        super().load_disk()
        for migration in self.disk_migrations.values():
            migration.dependencies = [
                (label, self.replaced(label).get(name, name))
                for label, name in migration.dependencies
            ]

    def replaced(self, label: str) -> dict[str, str]:
        """What stands for each migration of a label that is not there any more."""
        return {
            old: key.name
            for key, migration in self.disk_migrations.items()
            for app, old in migration.replaces
            if app == key.app_label == label
        }


class _Recorder(MigrationRecorder):
    """Makes its own table by a plain query: a script would commit the transaction on SQLite."""

    async def ensure_schema(self, schema_editor: BaseSchemaEditor) -> None:
        create = schema_editor._get_model_sql_data(self.model).table_sql
        await self.connection.execute_query(
            create.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1)
        )


@asynccontextmanager
async def _foreign_keys_off(connection: BaseDBAsyncClient) -> AsyncIterator[None]:
    """SQLite changes a table by making it anew; dropping the old one must not cascade."""
    if connection.capabilities.dialect != "sqlite":
        yield
        return
    await connection.execute_query("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        await connection.execute_query("PRAGMA foreign_keys=ON")


@asynccontextmanager
async def _alone(connection: BaseDBAsyncClient, lock_dir: Path) -> AsyncIterator[None]:
    """Hold the right to migrate; waits for another process that has it."""
    if connection.capabilities.dialect == "sqlite":
        file = lock_dir / "migrate.lock"
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            await _until(lambda: _flock(descriptor))
            yield
        finally:
            os.close(descriptor)
    else:
        # A connection of its own, for the lock ends with the connection if we are killed.
        async with connection.acquire_connection() as holder:
            await _until(lambda: holder.fetchval("SELECT pg_try_advisory_lock($1)", _ADVISORY_KEY))
            try:
                yield
            finally:
                await holder.execute("SELECT pg_advisory_unlock($1)", _ADVISORY_KEY)


async def _until(attempt: Callable[[], Awaitable[bool]]) -> None:
    try:
        async with asyncio.timeout(_LOCK_TIMEOUT_S):
            while not await attempt():  # noqa: ASYNC110  another process has no event for us
                await asyncio.sleep(0.1)
    except TimeoutError as error:
        raise PartTimedOut("The process that migrates the database", "us", _LOCK_TIMEOUT_S) from (
            error
        )


async def _flock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
