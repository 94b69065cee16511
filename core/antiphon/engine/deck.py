"""A file that is decoded ahead of what is heard, and the thread that does it.

The mixing thread must never wait for a disk, so it takes from decks and asks the feeder to fill
them. One deck is filled by one thread at a time; what passes between the threads is a deque and
two counters, each written by one side only.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from antiphon.engine.cache import PcmCache, Recording, Source
from antiphon.engine.codec import Reader, Samples, Unplayable
from antiphon.engine.limiter import peak
from antiphon.engine.protocol import SAMPLE_RATE

CHUNK_FRAMES = SAMPLE_RATE  # one refill: large, because decoders like warm caches
LOW_WATER_FRAMES = 2 * SAMPLE_RATE
_NEARLY_DRY_FRAMES = SAMPLE_RATE // 4
_STUCK_AFTER_S = 3.0
NOTHING: Samples = np.zeros((0, 2), np.int16)


class Deck:
    """One file from a position on, as 48 kHz stereo s16."""

    def __init__(
        self, path: str, gain_db: float = 0.0, position_s: float = 0.0, ahead_s: float = 0.0
    ) -> None:
        self.path = path
        self.position_s = position_s
        self.duration_s: float | None = None
        self.ended = False
        self.error: str | None = None
        self.filling = False
        self._gain_db = gain_db
        self._low_water = LOW_WATER_FRAMES + int(ahead_s * SAMPLE_RATE)
        self._reader: Source | None = None
        self._recording: Recording | None = None
        self._source: Iterator[Samples] | None = None
        self._chunks: deque[Samples] = deque()
        self._peaks: deque[float] = deque()  # one for each chunk
        self._left_peak = 0.0
        self._head = 0
        self._taken = 0  # by the last `take`, if it lies in the first chunk
        self._produced = 0
        self._consumed = 0
        self._closed = False

    @property
    def available(self) -> int:
        """Frames that can be taken now."""
        return self._produced - self._consumed

    @property
    def ready(self) -> bool:
        """Whether there is something to play, or the certainty that there is nothing."""
        return self._produced > 0 or self.ended

    @property
    def failed(self) -> bool:
        """Whether not a single frame could be had."""
        return self.ended and self._produced == 0

    @property
    def heard_s(self) -> float:
        """Seconds taken so far."""
        return self._consumed / SAMPLE_RATE

    @property
    def hungry(self) -> bool:
        """Whether a refill is due."""
        is_low = self._produced - self._consumed < self._low_water
        return is_low and not (self.ended or self.filling)

    @property
    def loudest(self) -> float:
        """No magnitude in what was taken last, or in what `peek` gives, is larger than this."""
        return max(self._left_peak, self._peaks[0]) if self._peaks else self._left_peak

    def skip(self, frames: int) -> bool:
        """Take the next samples without a look at them, if they all lie in one chunk.

        `at_hand` has them; False where nothing was taken.
        """
        chunks = self._chunks
        if not chunks or len(chunks[0]) - self._head <= frames:
            return False
        self._head += frames
        self._taken = frames
        self._consumed += frames
        return True

    def take(self, frames: int) -> Samples:
        """The next samples, shape (≤ frames, 2); shorter at the end or where the feeder is late.

        Often a view of what was decoded: never write into it.
        """
        if self.skip(frames):  # nearly always
            return self.at_hand(frames)
        chunks = self._chunks
        if not chunks:
            return NOTHING
        self._taken = 0
        pieces = []
        wanted = frames
        left_peak = 0.0
        while wanted and chunks:
            piece = chunks[0][self._head : self._head + wanted]
            self._head += len(piece)
            wanted -= len(piece)
            if self._head == len(chunks[0]):
                chunks.popleft()
                left_peak = max(left_peak, self._peaks.popleft())
                self._head = 0
            pieces.append(piece)
        self._left_peak = left_peak
        self._consumed += frames - wanted
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def peek(self, frames: int) -> Samples:
        """The next frames without taking them: as many as lie in one chunk."""
        if not self._chunks:
            return NOTHING
        return self._chunks[0][self._head : self._head + frames]

    def at_hand(self, frames: int) -> Samples:
        """What was taken last and what follows it, up to `frames` in all, as they lie in one chunk.

        Nothing, where what was taken last does not lie in one.
        """
        if not self._taken or not self._chunks:
            return NOTHING
        start = self._head - self._taken
        return self._chunks[0][start : start + frames]

    def fill(self, cache: PcmCache | None = None) -> None:
        """Decode one more chunk. Blocks; called on the feeder's thread. Never raises."""
        try:
            if self._source is None:
                self._source = self._open(cache)
            self._fill(self._source)
        except Unplayable as error:
            self._end(str(error))
        except Exception as error:  # a codec's surprise must cost this file, not the renderer
            self._end(f"{type(error).__name__}: {error}")

    def _open(self, cache: PcmCache | None) -> Iterator[Samples]:
        if cache is None:
            self._reader = Reader(self.path, self._gain_db)
        else:
            self._reader, self._recording = cache.open(self.path, self._gain_db)
        self.duration_s = self._reader.duration_s
        if self.position_s:
            self._recording = None  # of a whole file only
            self._reader.seek(self.position_s)
        return self._reader.blocks()

    def _fill(self, source: Iterator[Samples]) -> None:
        # The first refill is short, so that a call or a skip starts at once.
        wanted = CHUNK_FRAMES if self._produced else CHUNK_FRAMES // 8
        pieces: list[Samples] = []
        gathered = 0
        while gathered < wanted and not self._closed:
            piece = next(source, None)
            if piece is None:
                break
            pieces.append(piece)
            gathered += len(piece)
        if gathered:
            chunk = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
            self._peaks.append(peak(chunk))
            self._chunks.append(chunk)
            self._produced += gathered
            if self._recording is not None:
                self._recording.add(chunk)
        if gathered < wanted:
            self._end(None if self._produced else "it holds no samples")

    def _end(self, error: str | None) -> None:
        self.error = error
        self.ended = True
        self._release()

    def _release(self) -> None:
        self._source = None
        if self._recording is not None:
            self._recording.finish(whole=self.ended and not (self.error or self._closed))
            self._recording = None
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def give_up(self, error: str) -> None:
        """End a deck whose filling does not come back; its thread may still hold the file."""
        self.error = error
        self.ended = True

    def close(self) -> None:
        """Nobody takes any more. The file is released by the feeder, if it is at work."""
        self._closed = True
        self._chunks.clear()
        if not self.filling:
            self._release()


class Feeder(Protocol):
    """Fills decks, from `cache` where there is one."""

    cache: PcmCache | None

    def feed(self, deck: Deck) -> None:
        """Fill a hungry deck, now or soon."""

    def watch(self) -> None:
        """Called about once a second: give up on files that do not answer."""


class InlineFeeder:
    """Fills at once, on the caller's thread: for rendering faster than real time, and tests."""

    cache: PcmCache | None = None

    def feed(self, deck: Deck) -> None:
        """Fill it here and now."""
        while deck.hungry:
            deck.fill(self.cache)

    def watch(self) -> None:
        """Nothing can be stuck unseen."""


class ThreadFeeder:
    """Fills on one thread of its own, and on a new one where a file does not answer."""

    def __init__(self) -> None:
        self.cache: PcmCache | None = None
        self.work = _Work()
        self._worker = _Worker(self)

    def feed(self, deck: Deck) -> None:
        """Queue a deck for one refill: what is nearly used up first, then what has nothing yet."""
        deck.filling = True
        self.work.put(deck)

    def watch(self) -> None:
        """Replace the thread if one file has kept it for long; that file is given up."""
        busy = self._worker.busy
        if busy is not None and time.monotonic() - busy[1] > _STUCK_AFTER_S:
            self._worker.abandoned = True
            busy[0].give_up(f"the file did not answer for {_STUCK_AFTER_S:g} s")
            self._worker = _Worker(self)


class _Work:
    """Two queues, the urgent one first: a call does not wait for the refills of 32 zones.

    What is heard already and about to run out does not wait for others to begin either.
    """

    def __init__(self) -> None:
        self._waiting = threading.Semaphore(0)
        self._urgent: deque[Deck] = deque()
        self._normal: deque[Deck] = deque()

    def put(self, deck: Deck) -> None:
        if not deck.ready:
            self._urgent.append(deck)
        elif deck.available < _NEARLY_DRY_FRAMES:
            self._urgent.appendleft(deck)
        else:
            self._normal.append(deck)
        self._waiting.release()

    def get(self) -> Deck:
        self._waiting.acquire()
        return self._urgent.popleft() if self._urgent else self._normal.popleft()


class _Worker:
    def __init__(self, feeder: ThreadFeeder) -> None:
        self.busy: tuple[Deck, float] | None = None
        self.abandoned = False
        self._feeder = feeder
        threading.Thread(target=self._run, name="feeder", daemon=True).start()

    def _run(self) -> None:
        while not self.abandoned:
            deck = self._feeder.work.get()
            self.busy = (deck, time.monotonic())
            if not deck._closed:
                deck.fill(self._feeder.cache)
            self.busy = None
            deck.filling = False
            if deck._closed:
                deck._release()
