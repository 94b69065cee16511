"""Measures the loudness of what was imported, one file at a time, in a job worker.

The database is the queue: what is not measured yet is measured after a restart too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from antiphon.errors import Unavailable
from antiphon.events import EventBus, JobProgressed, MediaImported, MediaMeasured
from antiphon.plugins import Jobs, sweep_incoming
from antiphon_music.library import KIND, Library
from antiphon_music.models import MusicFile

SILENCE_DB = -120.0
_MEASURE = "antiphon_music.work:measure"
_ATTEMPTS = 3
_TIMEOUT_S = 3600.0


class Measurer:
    """Measures tracks by job workers and tells of it on the bus."""

    def __init__(self, library: Library, jobs: Jobs, bus: EventBus, log: logging.Logger) -> None:
        self._library = library
        self._jobs = jobs
        self._bus = bus
        self._log = log
        self._failures: dict[UUID, int] = {}

    async def measure(self, music: MusicFile, worker: str = "media") -> bool:
        """Measure one track and keep what was found; False where it is to be tried again."""
        job = _Progress(self._bus, music)
        job.tell(0.0)
        try:
            found: Mapping[str, Any] = await self._jobs.run(
                _MEASURE,
                {"path": str(self._library.path_of(music.file))},
                worker=worker,
                timeout_s=_TIMEOUT_S,
                on_progress=job.tell,
            )
        except Exception as error:  # a worker died or hung: perhaps of this file, perhaps not
            return await self._failed(music, job, error)
        self._failures.pop(music.id, None)
        if "refused" in found:
            job.tell(1.0, "failed", found["refused"])
            await _record(music, {"measure_error": found["refused"]})
            return True
        await self._measured(music, found)
        job.tell(1.0, "done")
        return True

    async def _measured(self, music: MusicFile, found: Mapping[str, Any]) -> None:
        await _record(
            music,
            {
                "loudness_lufs": found["integrated_lufs"],
                "true_peak_db": round(found["true_peak_db"], 2),
                "duration_s": round(found["duration_s"], 3),
                "measure_error": None,
            },
        )
        loudness = found["integrated_lufs"]
        self._bus.publish(
            MediaMeasured(
                client_id=music.client_id,
                media_id=music.id,
                kind=KIND,
                loudness_lufs=SILENCE_DB if loudness is None else loudness,
                true_peak_db=round(found["true_peak_db"], 2),
            )
        )

    async def _failed(self, music: MusicFile, job: _Progress, error: Exception) -> bool:
        attempts = self._failures[music.id] = self._failures.get(music.id, 0) + 1
        self._log.warning("Measuring %s failed (attempt %d): %s", music.id, attempts, error)
        if attempts < _ATTEMPTS:
            return False
        job.tell(1.0, "failed", str(error))
        await _record(music, {"measure_error": str(error)})
        return True


class _Progress:
    """One measurement as a job that people can watch."""

    def __init__(self, bus: EventBus, music: MusicFile) -> None:
        self._bus = bus
        self._client_id = music.client_id
        self._label = f"Measuring {music.title}"
        self._id = uuid4()

    def tell(self, progress: float, state: str = "running", message: str | None = None) -> None:
        self._bus.publish(
            JobProgressed(
                client_id=self._client_id,
                job_id=self._id,
                label=self._label,
                progress=progress,
                state=state,
                message=message,
            )
        )


async def _record(music: MusicFile, values: Mapping[str, Any]) -> None:
    music.update_from_dict({**values, "measured_at": datetime.now(UTC)})
    # Only these: a person may have changed the row meanwhile.
    await music.save(update_fields=[*values, "measured_at"])


def unmeasured() -> Any:
    """What waits for its measurement, oldest first."""
    return MusicFile.filter(measured_at=None, deleted_at=None).order_by("created_at", "id")


@asynccontextmanager
async def keep_measured(
    library: Library, measurer: Measurer, bus: EventBus, log: logging.Logger
) -> AsyncIterator[None]:
    """Tidy up, then measure what is there and what comes, while entered."""
    wake = asyncio.Event()
    wake.set()

    def imported(event: MediaImported) -> None:
        if event.kind == KIND:
            wake.set()

    unsubscribe = bus.subscribe(MediaImported, imported)
    await asyncio.to_thread(sweep_incoming, library.media_dir)
    tasks = []
    if library.settings.measure:
        tasks.append(asyncio.create_task(_measure_all(measurer, wake, log)))
    try:
        yield
    finally:
        unsubscribe()
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def _measure_all(measurer: Measurer, wake: asyncio.Event, log: logging.Logger) -> None:
    while True:
        await wake.wait()
        wake.clear()
        try:
            while music := await unmeasured().first():
                if not await measurer.measure(music):
                    await asyncio.sleep(_RETRY_S)
        except Unavailable as error:
            log.warning("Measuring pauses: %s", error)
            await asyncio.sleep(_RETRY_S)
            wake.set()
        except Exception:
            log.exception("Measuring failed; it goes on with the next upload")


_RETRY_S = 5.0
