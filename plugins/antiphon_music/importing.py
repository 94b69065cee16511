"""Imports a directory from the command line: first all files, then their loudness."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple, TypeVar
from uuid import UUID

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from antiphon.errors import Invalid, Misconfigured, Refused
from antiphon.events import EventBus
from antiphon.jobs import JobRunner
from antiphon.settings import Settings, check_section, load
from antiphon.store import Tables, open_database
from antiphon.tenancy.models import Client
from antiphon.text import one_line
from antiphon_music.folders import find_folder, make_folder
from antiphon_music.library import Duplicate, Library
from antiphon_music.measuring import Measurer
from antiphon_music.models import MusicFile
from antiphon_music.settings import MusicSettings

_log = logging.getLogger(__name__)
_TABLES = Tables(("antiphon_music.models",), "antiphon_music.migrations")
_LISTED = 100

ItemT = TypeVar("ItemT")


@dataclass
class Import:
    """What became of a directory. `speed` is × real time, over all workers together."""

    added: list[MusicFile] = field(default_factory=list)
    known: int = 0
    skipped: list[tuple[Path, str]] = field(default_factory=list)
    unmeasured: list[MusicFile] = field(default_factory=list)
    measured_s: float = 0.0
    took_s: float = 0.0
    workers: int = 1

    @property
    def speed(self) -> float:
        """Seconds of music that were measured in a second."""
        return self.measured_s / self.took_s if self.took_s else 0.0

    @property
    def exit_code(self) -> int:
        """0 where the library now holds some of the directory's music, else 1."""
        return 0 if self.added or self.known else 1


def import_directory(
    directory: Path, folder: str | None, client: str | None, console: Console | None = None
) -> int:
    """Import, tell what became of it, and return the exit code."""
    console = console or Console(highlight=False)
    loaded = load()
    section, mistakes = check_section(
        MusicSettings, loaded.sections["music"], loaded.origins, "music"
    )
    if mistakes or not isinstance(section, MusicSettings):
        raise Misconfigured(mistakes)
    result = asyncio.run(_run(loaded.settings, section, directory, folder, client, console))
    _tell(result, directory, console)
    return result.exit_code


async def _run(
    settings: Settings,
    section: MusicSettings,
    directory: Path,
    folder: str | None,
    client: str | None,
    console: Console,
) -> Import:
    url = settings.database.url.get_secret_value()
    async with open_database(url, settings.data_dir, {"music": _TABLES}):
        client_id = await _client(client)
        bus = EventBus()
        async with JobRunner(bus) as jobs:
            library = Library(settings.data_dir / "media", jobs, section, bus)
            importer = Importer(library, Measurer(library, jobs, bus, _log), client_id)
            with _progress(console) as progress:
                return await importer.run(directory, folder, progress)


async def _client(wanted: str | None) -> UUID:
    clients = await Client.filter(deleted_at=None).order_by("name", "id")
    found = [c for c in clients if wanted is None or wanted in (c.name, str(c.id))]
    if len(found) == 1:
        return found[0].id
    if not clients:
        raise Invalid.field("client", "there is none yet; make one with: antiphon init")
    known = "; ".join(f"{c.id} is {c.name}" for c in clients)
    raise Invalid.field("client", f"say which one with --client: {known}")


class Importer:
    """Adds a directory's music to one client's library, one job worker for each core."""

    def __init__(self, library: Library, measurer: Measurer, client_id: UUID) -> None:
        self._library = library
        self._measurer = measurer
        self._client_id = client_id
        self._workers = [f"import-{core}" for core in range(len(os.sched_getaffinity(0)))]

    async def run(self, directory: Path, folder: str | None, progress: Progress) -> Import:
        """Everything below `directory`. Raises Unavailable where going on is no use."""
        result = Import()
        files = await asyncio.to_thread(_found, directory, folder)
        bar = progress.add_task("Adding files", total=len(files))

        async def add(file: _Found, worker: str) -> None:
            await self._add(file, worker, result)
            progress.advance(bar)

        await _share(files, self._workers, add)
        if result.unmeasured and self._library.settings.measure:
            await self._measure(result, progress)
        return result

    async def _add(self, file: _Found, worker: str, result: Import) -> None:
        try:
            music = await self._known(file)
            if music is None:
                music = await self._new(file, worker)
                result.added.append(music)
            else:
                result.known += 1
        except Duplicate as error:
            result.known += 1
            music = error.existing
        except Refused as error:
            result.skipped.append((file.path, getattr(error, "reason", str(error))))
            return
        except OSError as error:
            result.skipped.append((file.path, f"it can not be read: {error.strerror}"))
            return
        if music.measured_at is None:
            result.unmeasured.append(music)

    async def _known(self, file: _Found) -> MusicFile | None:
        """The track that this file is already: found without copying it."""
        holder = await find_folder(self._client_id, file.folder)
        if file.folder and holder is None:
            return None
        content = await asyncio.to_thread(_hash, file.path)
        return await self._library.find(self._client_id, holder.id if holder else None, content)

    async def _new(self, file: _Found, worker: str) -> MusicFile:
        async with self._library.receive_file(file.path) as incoming:
            found = await self._library.inspect(incoming, worker)
            async with self._library.changing:
                holder = await make_folder(self._client_id, file.folder)
            folder_id = holder.id if holder else None
            return await self._library.keep(
                incoming, found, self._client_id, folder_id, order=file.order
            )

    async def _measure(self, result: Import, progress: Progress) -> None:
        bar = progress.add_task(
            "Measuring loudness", total=sum(music.duration_s for music in result.unmeasured)
        )

        async def measure(music: MusicFile, worker: str) -> None:
            stated_s = music.duration_s
            while not await self._measurer.measure(music, worker):
                continue
            if music.measure_error is None:
                result.measured_s += music.duration_s
            else:
                result.skipped.append((Path(music.filename), music.measure_error))
            progress.advance(bar, stated_s)

        result.workers = min(len(self._workers), len(result.unmeasured))
        began = time.monotonic()
        await _share(result.unmeasured, self._workers, measure)
        result.took_s = time.monotonic() - began


class _Found(NamedTuple):
    """A file of the directory, the names of the folders that it goes to, its place in there."""

    path: Path
    folder: list[str]
    order: int | None


async def _share(
    items: Iterable[ItemT], workers: Iterable[str], work: Callable[[ItemT, str], Awaitable[None]]
) -> None:
    """Let each worker take the next item; the first error ends them all."""
    waiting = iter(items)

    async def one(worker: str) -> None:
        for item in waiting:
            await work(item, worker)

    tasks = [asyncio.create_task(one(worker)) for worker in workers]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def _found(directory: Path, into: str | None) -> list[_Found]:
    """All files below, in the order that people see them; hidden ones are nobody's music."""
    root = directory if directory.is_dir() else directory.parent
    path = (root.resolve().name or "Music") if into is None else into
    top = [one_line(name, 200) for name in path.split("/") if name.strip()]
    if not directory.is_dir():
        return [_Found(directory, top, None)]
    files = []
    for folder, below, names in os.walk(directory):
        below[:] = sorted(name for name in below if not name.startswith("."))
        inside = [*top, *(one_line(name, 200) for name in Path(folder).relative_to(root).parts)]
        shown = sorted(name for name in names if not name.startswith("."))
        files += [_Found(Path(folder, name), inside, order) for order, name in enumerate(shown)]
    return files


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _progress(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def _tell(result: Import, directory: Path, console: Console) -> None:
    def say(line: str) -> None:
        console.print(line, markup=False, soft_wrap=True)

    say(f"{_tracks(len(result.added))} added, {result.known} already there.")
    if result.measured_s:
        length = timedelta(seconds=round(result.measured_s))
        say(
            f"Measured {length} of music in {result.took_s:.1f} s: {result.speed:.0f} × real time "
            f"({result.speed / result.workers:.0f} × on each of {result.workers} cores)."
        )
    if result.skipped:
        say(f"Passed over: {len(result.skipped)}")
    for path, reason in result.skipped[:_LISTED]:
        shown = path.relative_to(directory) if path.is_relative_to(directory) else path
        say(f"  {shown}: {reason}")
    if len(result.skipped) > _LISTED:
        say(f"  … and {len(result.skipped) - _LISTED} more")
    if result.exit_code:
        say(f"There is no music in {directory}.")


def _tracks(count: int) -> str:
    return "1 track" if count == 1 else f"{count} tracks"
