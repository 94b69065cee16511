"""Clips that are made once and kept: each a file and, beside it, what was measured of it."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

from antiphon.errors import Unavailable
from antiphon.plugins import Jobs
from antiphon.types import Frozen

WORKER = "speech"

_SPARED_S = 600.0  # a call that was just accepted may still be waiting to play its clip


class Measured(Frozen):
    """What is kept beside a clip."""

    duration_s: float
    loudness_lufs: float | None
    true_peak_db: float


class Clip(Measured):
    """A clip that is ready to play."""

    path: Path


class ClipStore:
    """Makes clips and keeps them in folders; who asks for one in the making waits for that one.

    The file of measures is written last, so a clip that has one is complete, over crashes too.
    """

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._making: dict[Path, asyncio.Task[Clip]] = {}

    async def get(self, path: Path, make: Callable[[Path], Awaitable[None]]) -> Clip:
        """The clip at `path`; `make` writes it to the path it is given if it is not there yet.

        A caller that gives up does not stop the making. Raises what `make` raises.
        """
        if clip := await asyncio.to_thread(_kept, path):
            return clip
        if (task := self._making.get(path)) is None:
            task = asyncio.create_task(self._make(path, make))
            self._making[path] = task
            task.add_done_callback(lambda done: self._made(path, done))
        return await asyncio.shield(task)

    async def trim(self, folder: Path, limit_bytes: int) -> None:
        """Remove the clips of `folder` that were unused for longest, down to `limit_bytes`."""
        await asyncio.to_thread(_trim, folder, limit_bytes)

    async def _make(self, path: Path, make: Callable[[Path], Awaitable[None]]) -> Clip:
        await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
        part = path.with_name(f"{uuid.uuid4()}.part")
        try:
            await make(part)
            found = await self._jobs.run(
                "antiphon_announcements.inspection:inspect", {"path": str(part)}, worker=WORKER
            )
            if "problem" in found:
                raise Unavailable(f"The clip can not be played: {found['problem']}. Try again.")
            del found["container"]
            measured = Measured.model_validate(found)
            await asyncio.to_thread(_keep, part, path, measured)
        finally:
            await asyncio.to_thread(part.unlink, missing_ok=True)
        return Clip(path=path, **measured.model_dump())

    def _made(self, path: Path, task: asyncio.Task[Clip]) -> None:
        del self._making[path]
        if not task.cancelled():
            task.exception()  # every waiter may have gone; the failure is theirs, not the log's


def _measures(path: Path) -> Path:
    return path.with_suffix(".json")


def _kept(path: Path) -> Clip | None:
    """The clip at `path`, marked as used now, if it is complete."""
    try:
        measured = Measured.model_validate_json(_measures(path).read_bytes())
        os.utime(path)
    except (OSError, ValueError):
        return None
    return Clip(path=path, **measured.model_dump())


def _keep(part: Path, path: Path, measured: Measured) -> None:
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)
    beside = part.with_suffix(".json.part")
    beside.write_text(measured.model_dump_json(), encoding="utf-8")
    beside.replace(_measures(path))


def _trim(folder: Path, limit_bytes: int) -> None:
    files = [(file.stat(), file) for file in folder.glob("*.wav")]
    size = sum(stat.st_size for stat, _ in files)
    for stat, file in sorted(files, key=lambda entry: entry[0].st_mtime):
        if size <= limit_bytes or stat.st_mtime > time.time() - _SPARED_S:
            return
        _measures(file).unlink(missing_ok=True)
        file.unlink(missing_ok=True)
        size -= stat.st_size
