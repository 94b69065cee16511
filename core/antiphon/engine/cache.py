"""Decoded sound kept on disk: what is played again is read, not decoded.

48 kHz stereo s16 with the gain already applied, 691 MB an hour. Reading it costs a small part of
decoding an MP3. A file is kept when it is played for the second time: in a library that is larger
than the cache most files would be gone again before anybody hears them twice, and a memory card
does not like to be written for nothing.
"""

from __future__ import annotations

import hashlib
import logging
import os
import queue
import struct
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np

from antiphon.engine.codec import Reader, Samples
from antiphon.engine.protocol import CHANNELS, SAMPLE_RATE

_log = logging.getLogger(__name__)

_HEAD = struct.Struct("<8sQ")  # what it is, and how many frames follow
_MAGIC = b"antipcm1"
_FRAME_BYTES = CHANNELS * 2
_READ_FRAMES = SAMPLE_RATE
_SEEN_AT_MOST = 20_000
_WAITING_AT_MOST = 64  # chunks of a second; a disk that is further behind loses the recording
_FILES_AT_LEAST = 4  # a file may take a quarter of the cache
_KEEP_FREE_BYTES = 1 << 30


class Source(Protocol):
    """A file as decks read it: `codec.Reader`, or what was kept of it."""

    @property
    def duration_s(self) -> float | None:
        """The length, where it is known."""

    def seek(self, position_s: float) -> None:
        """Let `blocks` start there."""

    def blocks(self) -> Iterator[Samples]:
        """The samples from here on, in blocks of shape (frames, 2). Raises Unplayable."""

    def close(self) -> None:
        """Release the file."""


class _Kept:
    """A file that was decoded before."""

    def __init__(self, file: BinaryIO, frames: int) -> None:
        self.duration_s = frames / SAMPLE_RATE
        self._file = file
        self._frames = frames

    def seek(self, position_s: float) -> None:
        frame = min(self._frames, round(position_s * SAMPLE_RATE))
        self._file.seek(_HEAD.size + frame * _FRAME_BYTES)

    def blocks(self) -> Iterator[Samples]:
        while data := self._file.read(_READ_FRAMES * _FRAME_BYTES):
            yield np.frombuffer(data, np.int16).reshape(-1, CHANNELS)

    def close(self) -> None:
        self._file.close()


class Recording:
    """One file on its way into the cache, from its first sample to its last."""

    def __init__(self, cache: PcmCache, target: Path) -> None:
        self.target = target
        self.part: Path | None = None
        self.file: BinaryIO | None = None
        self.frames = 0
        self.is_over = False
        self._cache = cache
        self._lost = False

    def add(self, chunk: Samples) -> None:
        """The next samples, which nobody changes any more. Never waits: it may rather be lost."""
        if not self._lost:
            self._lost = not self._cache.hand_over(self, chunk)

    def finish(self, *, whole: bool) -> None:
        """Nothing follows. What is not `whole` is thrown away."""
        self._cache.end(self, whole=whole and not self._lost)


@dataclass(frozen=True, slots=True)
class _Task:
    """More of a recording; without a chunk, its end."""

    recording: Recording
    chunk: Samples | None = None
    whole: bool = False


class PcmCache:
    """A folder of decoded files, bounded; the least recently used leave first.

    Several processes may share the folder. `open` blocks and belongs to the feeder's thread;
    writing is done by a thread of its own, so that a slow disk delays no refill. What the disk
    refuses is logged and costs the cache, never the sound.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        """Make the folder where it is missing. Raises OSError."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._limit = limit_bytes
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._work: queue.Queue[_Task] = queue.Queue()
        threading.Thread(target=self._write_all, name="pcm cache", daemon=True).start()

    def open(self, path: str, gain_db: float) -> tuple[Source, Recording | None]:
        """The file, kept or to be decoded; then perhaps with the wish to record it from its start.

        Raises Unplayable.
        """
        target = self._target(path, gain_db)
        if target is not None and (kept := _open_kept(target)) is not None:
            return kept, None
        reader = Reader(path, gain_db)
        size = round((reader.duration_s or 0.0) * SAMPLE_RATE) * _FRAME_BYTES
        if target is None or not self._was_seen(target.name) or not self._has_room(size):
            return reader, None
        return reader, Recording(self, target)

    def hand_over(self, recording: Recording, chunk: Samples) -> bool:
        """Queue samples for the writing thread; False where it is too far behind."""
        if self._work.qsize() >= _WAITING_AT_MOST:
            return False
        self._work.put(_Task(recording, chunk))
        return True

    def end(self, recording: Recording, *, whole: bool) -> None:
        """Let a recording be kept, or thrown away."""
        self._work.put(_Task(recording, whole=whole))

    def flush(self) -> None:
        """Wait until all that was handed over is written."""
        self._work.join()

    def _target(self, path: str, gain_db: float) -> Path | None:
        try:
            return self._folder / f"{_key(path, gain_db)}.pcm"
        except OSError:
            return None  # opening it will tell what is wrong

    def _was_seen(self, name: str) -> bool:
        again = name in self._seen
        self._seen[name] = None
        self._seen.move_to_end(name)
        if len(self._seen) > _SEEN_AT_MOST:
            self._seen.popitem(last=False)
        return again

    def _has_room(self, size: int) -> bool:
        if size * _FILES_AT_LEAST > self._limit:
            return False
        try:
            disk = os.statvfs(self._folder)
        except OSError:
            return False
        return disk.f_bavail * disk.f_frsize - size > _KEEP_FREE_BYTES

    # --- on the writing thread ------------------------------------------------------------------

    def _write_all(self) -> None:
        while True:
            task = self._work.get()
            try:
                if not task.recording.is_over:
                    self._write(task)
            except OSError as error:
                _log.warning("Decoded sound could not be kept in %s: %s", self._folder, error)
                _end(task.recording)
            finally:
                self._work.task_done()

    def _write(self, task: _Task) -> None:
        recording = task.recording
        if recording.file is None:
            handle, name = tempfile.mkstemp(".part", recording.target.stem, self._folder)
            recording.part, recording.file = Path(name), os.fdopen(handle, "wb")
            recording.file.write(bytes(_HEAD.size))
        if task.chunk is not None:
            recording.file.write(task.chunk.data)
            recording.frames += len(task.chunk)
            return
        recording.file.seek(0)
        recording.file.write(_HEAD.pack(_MAGIC, recording.frames))
        recording.file.close()
        if task.whole and recording.part is not None:
            recording.part.rename(recording.target)
        _end(recording)
        self._make_room()

    def _make_room(self) -> None:
        """Let the least recently used go until the rest is within the limit."""
        found = [(entry, entry.stat()) for entry in os.scandir(self._folder)]
        total = sum(status.st_size for _, status in found)
        for entry, status in sorted(found, key=lambda one: one[1].st_mtime):
            if total <= self._limit:
                return
            with suppress(FileNotFoundError):
                os.unlink(entry)  # noqa: PTH108
            total -= status.st_size


def _end(recording: Recording) -> None:
    """Release what a recording holds; of one that was not kept, nothing is left."""
    recording.is_over = True
    with suppress(OSError):
        if recording.file is not None:
            recording.file.close()
    with suppress(OSError):
        if recording.part is not None:
            recording.part.unlink()


def _key(path: str, gain_db: float) -> str:
    """Names a file as it is now, with a gain."""
    status = os.stat(path)  # noqa: PTH116
    text = f"{path}\0{status.st_mtime_ns}\0{status.st_size}\0{gain_db:.2f}"
    return hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=16).hexdigest()


def _open_kept(target: Path) -> _Kept | None:
    """What is kept there, if it is whole; it counts as used now."""
    try:
        file = target.open("rb")
    except OSError:
        return None
    try:
        magic, frames = _HEAD.unpack(file.read(_HEAD.size))
        size = os.fstat(file.fileno()).st_size
        if magic == _MAGIC and size == _HEAD.size + frames * _FRAME_BYTES:
            os.utime(file.fileno())
            return _Kept(file, frames)
    except (OSError, struct.error):
        pass
    file.close()
    return None
