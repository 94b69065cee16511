"""What leaves the zones, recorded from their pipes, and which tone is in it when."""

from __future__ import annotations

import os
import selectors
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID

import numpy as np
from tests.sounds import RATE, Sound

WINDOW = 1_920
PRESENT_DB = -48.0
_BRIDGED = 2  # windows: a fade, or the edge of a block
Piece = tuple[float, float]


class Recorder:
    """A pipe for each zone, read in a thread so that a busy test loses nothing of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tapes: dict[UUID, bytearray] = {}
        self._began: dict[UUID, float] = {}
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._read, name="recorder")

    async def provision(self, zones: Mapping[UUID, str]) -> Mapping[UUID, str]:
        return {zone_id: f"fifo:{self._open(zone_id)}" for zone_id in zones}

    async def remove(self, zone_id: UUID) -> None:
        pass

    def _open(self, zone_id: UUID) -> Path:
        path = self._folder / zone_id.hex
        os.mkfifo(path)
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with self._lock:
            self._tapes[zone_id] = bytearray()
            self._selector.register(fd, selectors.EVENT_READ, zone_id)
        return path

    def _read(self) -> None:
        while not self._is_over.is_set():
            with self._lock:
                ready = self._selector.select(0)
            for key, _ in ready:
                data = os.read(key.fd, 1 << 16)
                if data:
                    self._began.setdefault(key.data, time.monotonic())
                self._tapes[key.data] += data
            self._is_over.wait(0.01)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over.set()
        self._thread.join()
        for key in tuple(self._selector.get_map().values()):
            os.close(key.fd)
        self._selector.close()

    def heard(self, zone_id: UUID) -> Sound:
        """All that left the zone so far."""
        tape = bytes(self._tapes[zone_id])
        return np.frombuffer(tape[: len(tape) // 4 * 4], np.int16).reshape(-1, 2)

    def pieces(self, zone_id: UUID, hertz: Sequence[float]) -> list[list[Piece]]:
        """From when until when each tone was heard, on the clock of `time.monotonic`."""
        began = self._began[zone_id]
        sound = self.heard(zone_id)[:, 0].astype(np.float64) / 32768
        windows = sound[: len(sound) // WINDOW * WINDOW].reshape(-1, WINDOW)
        shape = np.hanning(WINDOW)
        t = np.arange(WINDOW) / RATE
        found = []
        for tone in hertz:
            wave = shape * np.exp(-2j * np.pi * tone * t)
            level = np.abs(windows @ wave) / shape.sum() * 2**0.5
            present = level > 10 ** (PRESENT_DB / 20)
            found.append([(began + a, began + b) for a, b in _runs(present)])
        return found


def _runs(present: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> list[Piece]:
    at = np.flatnonzero(present)
    if not len(at):
        return []
    breaks = np.flatnonzero(np.diff(at) > _BRIDGED + 1)
    starts = [at[0], *at[breaks + 1]]
    ends = [*at[breaks], at[-1]]
    second = WINDOW / RATE
    return [(float(a) * second, float(b + 1) * second) for a, b in zip(starts, ends, strict=True)]
