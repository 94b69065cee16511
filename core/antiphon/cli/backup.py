"""`antiphon backup`: a copy of everything, also while the server runs."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

from antiphon.cli.console import out
from antiphon.errors import Misconfigured, Refused
from antiphon.settings import load
from antiphon.store.database import FILE_NAME

# What is worth nothing without the process that made it, and the database, which is copied apart.
_LEFT_OUT = ("run", "*.lock", f"{FILE_NAME}*", "*.part*", "incoming")


def back_up(target: Path) -> None:
    """Copy the data directory to `target`, which is made. Raises Refused where it can not be."""
    settings = load().settings
    source = settings.data_dir
    target = target.expanduser().absolute()
    if not source.is_dir():
        raise Misconfigured([f"data_dir: there is nothing in {source} yet."])
    if target.exists():
        raise Refused(f"{target} is there already; name a folder that is not.")
    if target.is_relative_to(source):
        raise Refused(f"{target} lies in the data directory itself; name a folder elsewhere.")
    # Only what is whole gets the name.
    unfinished = target.with_name(f"{target.name}.unfinished")
    try:
        unfinished.mkdir(mode=0o700, parents=True)
        if (source / FILE_NAME).exists():
            _copy_database(source / FILE_NAME, unfinished / FILE_NAME)
        ignored = shutil.ignore_patterns(*_LEFT_OUT)
        shutil.copytree(source, unfinished, ignore=ignored, copy_function=_copy, dirs_exist_ok=True)
        unfinished.chmod(0o700)
        unfinished.rename(target)
    except (OSError, sqlite3.Error) as error:
        raise Refused(f"The backup to {target} failed: {error}") from error
    out.print(f"Everything is in {target}", soft_wrap=True, markup=False)
    if settings.database.url.get_secret_value():
        out.print("but for the database: save that with pg_dump.")


def _copy_database(source: Path, target: Path) -> None:
    """As it is at one moment, whoever writes to it meanwhile."""
    target.touch(mode=0o600)
    with (
        contextlib.closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as original,
        contextlib.closing(sqlite3.connect(target)) as copy,
    ):
        original.backup(copy)


def _copy(source: str, target: str) -> None:
    """A file that has gone since the folder was read is not missed."""
    with contextlib.suppress(FileNotFoundError):
        shutil.copy2(source, target)
