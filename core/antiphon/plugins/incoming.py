"""Files on their way in: written to disk as they come, and gone again unless they are kept."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import time
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from uuid import uuid4

from antiphon.errors import PartAway, TooLarge, UnsupportedMedia
from antiphon.text import one_line

_FOLDER = ".incoming"
_BLOCK_BYTES = 1 << 20
_FORGOTTEN_AFTER_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Incoming:
    """A whole file on disk that is nobody's yet. `name` is what its sender calls it.

    Whatever else is written beside it under the same name (with another ending) goes with it.
    """

    path: Path
    name: str
    size: int
    content_hash: str

    @property
    def title(self) -> str:
        """Its sender's name for it without the ending; maybe empty."""
        return PureWindowsPath(self.name).stem.strip()

    def require_content(self) -> None:
        """Raise UnsupportedMedia where it is empty."""
        if not self.size:
            raise UnsupportedMedia(self.name, "it is empty")

    def beside(self, ending: str) -> Path:
        """A path beside the file, for what belongs to it."""
        return self.path.with_suffix(ending)


@asynccontextmanager
async def receive_file(
    media_dir: Path, chunks: AsyncIterable[bytes], name: str, limit_bytes: int
) -> AsyncIterator[Incoming]:
    """Write `chunks` to a file in `media_dir`, which is removed at the end unless it was moved.

    Raises TooLarge, and PartAway where the disk does not take it.
    """
    name = one_line(os.path.basename(name.replace("\\", "/")), 255) or "unnamed"  # noqa: PTH119
    path = media_dir / _FOLDER / f"{uuid4().hex}.part"
    writer = _Writer(path)
    try:
        try:
            await asyncio.to_thread(writer.open)
            async for block in _blocks(chunks):
                if writer.size + len(block) > limit_bytes:
                    raise TooLarge(name, limit_bytes)
                await asyncio.to_thread(writer.write, block)
            await asyncio.to_thread(writer.finish)
        finally:
            writer.close()
        yield Incoming(path, name, writer.size, writer.content_hash)
    finally:
        for leftover in path.parent.glob(f"{path.stem}.*"):
            leftover.unlink(missing_ok=True)


async def file_chunks(path: Path, limit_bytes: int) -> AsyncIterator[bytes]:
    """The content of a file. Raises OSError, and TooLarge before anything is copied."""
    if (await asyncio.to_thread(path.stat)).st_size > limit_bytes:
        raise TooLarge(path.name, limit_bytes)
    with await asyncio.to_thread(path.open, "rb") as file:
        while block := await asyncio.to_thread(file.read, _BLOCK_BYTES):
            yield block


async def _blocks(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in fewer, larger pieces: each costs a turn of the thread pool."""
    held: list[bytes] = []
    size = 0
    async for chunk in chunks:
        held.append(chunk)
        size += len(chunk)
        if size >= _BLOCK_BYTES:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


class _Writer:
    """Writes and hashes in a thread; says in words when the disk refuses."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._hash = hashlib.sha256()
        self.size = 0

    @property
    def content_hash(self) -> str:
        return self._hash.hexdigest()

    def open(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o640)
        except OSError as error:
            raise _no_room(error) from error

    def write(self, block: bytes) -> None:
        assert self._descriptor is not None  # noqa: S101  opened by `open`
        self._hash.update(block)
        self.size += len(block)
        view = memoryview(block)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise _no_room(error) from error

    def finish(self) -> None:
        """What was taken is on the disk for good, not in its cache."""
        assert self._descriptor is not None  # noqa: S101  opened by `open`
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise _no_room(error) from error

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _no_room(error: OSError) -> PartAway:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return PartAway("The media folder", "The disk is full: make room on it, then try again.")
    return PartAway("The media folder", f"It can not be written: {error.strerror}.")


def sweep_incoming(media_dir: Path) -> None:
    """Remove what a crash left behind; a file that is still being written is younger. Blocks."""
    for path in (media_dir / _FOLDER).glob("*"):
        try:
            if time.time() - path.stat().st_mtime > _FORGOTTEN_AFTER_S:
                path.unlink(missing_ok=True)
        except FileNotFoundError:  # its own sender was quicker
            continue
