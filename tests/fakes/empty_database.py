"""A database with all tables and no rows: migrating takes seconds, a copy does not."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from antiphon.store.database import FILE_NAME

_SCRIPT = """
import asyncio, pathlib, sys
from antiphon.plugins.manager import load_plugins
from antiphon.store import open_database

async def main():
    tables = load_plugins().tables()
    async with open_database("", pathlib.Path(sys.argv[1]), tables) as database:
        assert not database.failed, database.failed

asyncio.run(main())
"""


def put_empty_database(data_dir: Path) -> None:
    """Into a data directory, which is made, the tables of the core and of all our plugins."""
    data_dir.mkdir(parents=True, exist_ok=True)
    shutil.copy(_template(), data_dir / FILE_NAME)


@functools.cache
def _template() -> Path:
    """Made once for each process that tests, in one of its own: a loop of ours would disturb."""
    folder = tempfile.mkdtemp(prefix="antiphon-empty-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", _SCRIPT, folder], check=True, env=path, timeout=120)
    return Path(folder) / FILE_NAME
