"""The jobs of the whole server: which run, how far they are, what became of them."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from types import TracebackType
from typing import Any, Self
from uuid import UUID, uuid4

from antiphon.errors import AntiphonError, PartAway
from antiphon.events import EventBus, JobProgressed
from antiphon.jobs.process import WorkerProcess
from antiphon.types import Frozen

_log = logging.getLogger(__name__)

_KEPT = 200


class JobState(StrEnum):
    """Where a job stands. The last two are final."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class JobView(Frozen):
    """A job that was started in the background. `message` says why it failed."""

    id: UUID
    label: str
    client_id: UUID | None
    state: JobState
    progress: float
    message: str | None = None
    started_at: datetime
    finished_at: datetime | None = None


class JobRunner:
    """Implements `plugins.Jobs`. All methods run on the main loop.

    Leaving the context ends all workers and fails all jobs that run.
    """

    def __init__(self, bus: EventBus, *, idle_s: float = 300.0) -> None:
        self._bus = bus
        self._idle_s = idle_s
        self._workers: dict[str, WorkerProcess] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._views: dict[UUID, JobView] = {}
        self._order: deque[UUID] = deque()
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End everything; returns when no worker is left."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for worker in self._workers.values():
            await worker.close()

    async def run(
        self,
        target: str,
        arguments: Mapping[str, Any],
        *,
        worker: str = "media",
        timeout_s: float = 600.0,
        on_progress: Callable[[float], None] | None = None,
    ) -> Any:
        """See `plugins.Jobs.run`. The time-out counts from when the job's turn comes."""
        if self._closed:
            raise PartAway("The job runner", "The server is being stopped.")
        if worker not in self._workers:
            self._workers[worker] = WorkerProcess(worker, self._idle_s)
        return await self._workers[worker].call(target, arguments, timeout_s, on_progress)

    def start(
        self,
        label: str,
        target: str,
        arguments: Mapping[str, Any],
        *,
        client_id: UUID | None = None,
        worker: str = "media",
        then: Callable[[Any], Any] | None = None,
    ) -> UUID:
        """See `plugins.Jobs.start`."""
        view = JobView(
            id=uuid4(),
            label=label,
            client_id=client_id,
            state=JobState.RUNNING,
            progress=0.0,
            started_at=datetime.now(UTC),
        )
        self._remember(view)
        self._tell(view)

        async def work() -> Any:
            result = await self.run(
                target,
                arguments,
                worker=worker,
                on_progress=lambda share: self._change(view.id, progress=share),
            )
            if then is not None:
                outcome = then(result)
                if inspect.isawaitable(outcome):
                    await outcome

        task = asyncio.create_task(self._follow(view.id, work), name=f"job {label}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return view.id

    def views(self, client_id: UUID | None = None) -> list[JobView]:
        """The background jobs, newest first: those that run and the last that did.

        With `client_id`, that client's alone.
        """
        found = (self._views[job_id] for job_id in reversed(self._order))
        return [view for view in found if client_id in (None, view.client_id)]

    async def _follow(self, job_id: UUID, work: Callable[[], Any]) -> None:
        try:
            await work()
        except asyncio.CancelledError:
            self._finish(job_id, JobState.FAILED, "The server was stopped.")
            raise
        except AntiphonError as error:
            self._finish(job_id, JobState.FAILED, str(error))
        except Exception as error:
            _log.exception("The job %s failed", self._views[job_id].label)
            self._finish(job_id, JobState.FAILED, f"{type(error).__name__}: {error}")
        else:
            self._finish(job_id, JobState.DONE, None)

    def _finish(self, job_id: UUID, state: JobState, message: str | None) -> None:
        progress = {"progress": 1.0} if state is JobState.DONE else {}
        self._change(
            job_id, state=state, message=message, finished_at=datetime.now(UTC), **progress
        )

    def _change(self, job_id: UUID, **changes: object) -> None:
        view = self._views[job_id] = self._views[job_id].model_copy(update=changes)
        self._tell(view)

    def _tell(self, view: JobView) -> None:
        self._bus.publish(
            JobProgressed(
                client_id=view.client_id,
                job_id=view.id,
                label=view.label,
                progress=view.progress,
                state=view.state,
                message=view.message,
            )
        )

    def _remember(self, view: JobView) -> None:
        self._views[view.id] = view
        self._order.append(view.id)
        finished = (i for i in self._order if self._views[i].state is not JobState.RUNNING)
        if len(self._order) > _KEPT and (oldest := next(finished, None)) is not None:
            self._order.remove(oldest)
            with contextlib.suppress(KeyError):
                del self._views[oldest]
