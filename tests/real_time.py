"""Tests that hear in real time, on a machine that may stand still meanwhile."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pytest
from bench.standstill import told, watched

_log = logging.getLogger(__name__)
_FAIR_TRIES = 2
_PATIENCE_S = 60.0
_HEARD_S = 0.1
_SHARE = 0.1

Test = TypeVar("Test", bound=Callable[..., Any])


def in_real_time(test: Test) -> Test:
    """Repeat a test that fails because the machine had no processor for a moment.

    A virtual machine may stand still, for 0.1 to 1 s at a time and for minutes on end; whatever
    plays through it has gaps then. Processes that go before all others notice that. A failure
    beside a standstill that can be heard is no failure, and after a minute of such the test is
    skipped and says why. Shorter ones are no excuse: the queues bear them. A failure on a machine
    that ran counts; the second try is for snapclient, which leaves out a frame now and then to
    keep its time.
    """

    @wraps(test)
    def patient(*args: Any, **kwargs: Any) -> None:
        patience = _Patience()
        while not patience.is_over:
            with patience.trial():
                test(*args, **kwargs)

    @wraps(test)
    async def patient_async(*args: Any, **kwargs: Any) -> None:
        patience = _Patience()
        while not patience.is_over:
            with patience.trial():
                await test(*args, **kwargs)

    return patient_async if asyncio.iscoroutinefunction(test) else patient  # type: ignore[return-value]


class _Patience:
    """What the trials of one test say, until one of them ends it."""

    def __init__(self) -> None:
        self.is_over = False
        self._until = time.monotonic() + _PATIENCE_S
        self._fair = 0

    @contextmanager
    def trial(self) -> Iterator[None]:
        """Run the test in here. Raises its failure, or skips it, where that is its end."""
        with TemporaryDirectory() as folder:
            notes, began = Path(folder) / "standstills", time.monotonic()
            try:
                with watched(notes):
                    yield
                self.is_over = True
            except (AssertionError, ValueError, TimeoutError) as failure:
                stills, took_s = told(notes), time.monotonic() - began
                if max(stills, default=0.0) >= _HEARD_S or sum(stills) >= _SHARE * took_s:
                    self._excuse(failure, sum(stills))
                else:
                    self._count(failure)

    def _excuse(self, failure: Exception, stood_s: float) -> None:
        _log.warning("Not judged, the machine stood still for %.2f s: %s", stood_s, failure)
        if time.monotonic() > self._until:
            what = str(failure).partition("\n")[0]
            pytest.skip(f"this machine stands still, for {stood_s:.2f} s just now: {what}")

    def _count(self, failure: Exception) -> None:
        self._fair += 1
        _log.warning("Try %d failed: %s", self._fair, failure)
        if self._fair == _FAIR_TRIES:
            raise failure
