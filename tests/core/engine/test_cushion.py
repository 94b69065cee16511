"""Queues are brought to one depth and left alone there; what is spliced makes no click."""

from __future__ import annotations

import random

import numpy as np
import pytest

from antiphon.engine.cushion import DEPTH_S, Cushion
from antiphon.engine.protocol import SAMPLE_RATE
from antiphon.engine.sink import NullSink, Sink

BLOCK = 960
BLOCK_S = BLOCK / SAMPLE_RATE


class Pipe(Sink):
    """A queue between a writer and a reader who take turns; `after_s`: how much later it reads."""

    def __init__(self, depth_s: float, after_s: float = 0.0) -> None:
        self._after_s = after_s
        self.depth_s = depth_s
        self._random = random.Random(1)

    def waiting_s(self) -> float:
        at_s = self._random.uniform(0.0, BLOCK_S)
        has_read = at_s >= self._after_s
        return self.depth_s - self._after_s + BLOCK_S - (BLOCK_S if has_read else 0.0)

    def write(self, block: memoryview) -> None:
        """Only how much there is counts here."""

    def close(self) -> None:
        """Nothing is held."""


def looked(cushion: Cushion, pipe: Pipe, times: int) -> None:
    """Look that often; carry out what is due, as a lane does."""
    for _ in range(times):
        cushion.look(pipe)
        while cushion.due:
            spliced = cushion.splice(np.ones((BLOCK, 2), np.int16))
            pipe.depth_s += (len(spliced) - BLOCK) / SAMPLE_RATE


@pytest.mark.parametrize("after_s", [0.0, 0.001, 0.009, 0.0199])
@pytest.mark.parametrize("depth_s", [0.07, 0.1, 0.135, 0.14, 0.18, 0.32])
def test_any_depth_is_brought_to_the_wanted_one(depth_s: float, after_s: float) -> None:
    pipe, cushion = Pipe(depth_s, after_s), Cushion()
    looked(cushion, pipe, 400)
    assert pipe.depth_s == pytest.approx(DEPTH_S, abs=0.004)
    assert cushion.mean_s == pytest.approx(DEPTH_S, abs=0.004)
    levelled_s = pipe.depth_s
    looked(cushion, pipe, 2_000)
    assert pipe.depth_s == pytest.approx(levelled_s, abs=0.004)  # not moved about for nothing


def test_what_happens_to_a_queue_is_put_right() -> None:
    pipe, cushion = Pipe(DEPTH_S), Cushion()
    looked(cushion, pipe, 400)
    pipe.depth_s += 0.16
    looked(cushion, pipe, 60)
    assert pipe.depth_s == pytest.approx(DEPTH_S, abs=0.012)


def test_a_reader_that_takes_all_at_once_is_left_alone() -> None:
    pipe, cushion = Pipe(0.0), Cushion()
    looked(cushion, pipe, 400)
    assert pipe.depth_s == 0.0


def test_while_nobody_reads_nothing_is_put_right() -> None:
    pipe, cushion = Pipe(0.3), Cushion()
    for _ in range(400):
        pipe.lost_bytes = 3840
        looked(cushion, pipe, 1)
    assert pipe.depth_s == 0.3


def test_what_can_not_be_seen_is_left_alone() -> None:
    cushion = Cushion()
    for _ in range(400):
        cushion.look(NullSink())
    assert cushion.due == 0
    assert cushion.mean_s == 0.0


@pytest.mark.parametrize("frames", [-5000, -700, -3, 3, 700, 5000])
def test_a_splice_is_as_long_as_asked_and_has_no_edge(frames: int) -> None:
    cushion = Cushion()
    cushion.due = frames
    time = np.arange(20 * BLOCK) / SAMPLE_RATE
    sound = np.rint(12_000 * np.sin(2 * np.pi * 300 * time)).astype(np.int16)
    blocks = np.stack((sound, sound), axis=1).reshape(-1, BLOCK, 2)
    out = np.concatenate([cushion.splice(block) if cushion.due else block for block in blocks])
    assert cushion.due == 0
    assert len(out) - len(sound) == frames
    steps = np.abs(np.diff(out[:, 0].astype(np.int32)))
    assert steps.max() <= 2 * np.abs(np.diff(sound.astype(np.int32))).max()
