"""The data directory of one running server: its folders, its lock, and where it answers."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from antiphon import __version__
from antiphon.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class Place:
    """Folders that exist. What is in `run_dir` is worth nothing after a stop."""

    data_dir: Path
    run_dir: Path
    media_dir: Path

    @property
    def secret_key(self) -> Path:
        """The file of the key that signs access tokens."""
        return self.data_dir / "secret.key"

    @contextmanager
    def announced(self, url: str) -> Iterator[None]:
        """Let the command line find the server, as long as this lasts."""
        file = self.run_dir / "server.json"
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps({"url": url, "pid": os.getpid(), "version": __version__}))
        fresh.replace(file)
        try:
            yield
        finally:
            file.unlink(missing_ok=True)


@contextmanager
def occupied(data_dir: Path) -> Iterator[Place]:
    """Make the folders and keep every other server out of them, as long as this lasts.

    Raises Misconfigured where they can not be made, or where another server runs in them. The lock
    is the kernel's: it ends with the process, however that ends.
    """
    place = Place(data_dir, data_dir / "run", data_dir / "media")
    try:
        for folder in (place.data_dir, place.media_dir):
            folder.mkdir(parents=True, exist_ok=True)
        place.run_dir.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(data_dir / "antiphon.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Misconfigured(
            [f"data_dir: {error.filename} can not be written: {error.strerror}. Choose another."]
        ) from error
    try:
        _lock(lock, data_dir)
        (place.run_dir / "server.json").unlink(missing_ok=True)
        yield place
    finally:
        os.close(lock)


def _lock(descriptor: int, data_dir: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = os.read(descriptor, 20).decode(errors="replace").strip()
        process = f" (process {owner})" if owner else ""
        raise Misconfigured(
            [f"data_dir: another Antiphon{process} runs in {data_dir}. Stop it, or choose another."]
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
