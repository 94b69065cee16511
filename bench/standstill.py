"""How long the machine itself stood still: a virtual one may get no processor at all for a while.

What is lost then is no fault of whoever is measured, and no program can prevent it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

_STEP_S = 0.01
_FROM_S = 0.025


@contextmanager
def watched(notes: Path) -> Iterator[None]:
    """Write each standstill of a processor from 25 ms on into a file, for as long as this lasts.

    By a process on each, which goes before all others where the system grants that (to root).
    """
    with notes.open("a") as file, ExitStack() as stack:
        for processor in os.sched_getaffinity(0):
            command = [sys.executable, __file__, str(processor)]
            watcher = stack.enter_context(subprocess.Popen(command, stdout=file))
            stack.callback(watcher.terminate)
        yield


def told(notes: Path) -> list[float]:
    """The seconds of each, in their order. Processors that stood still together did so once."""
    lines = (line.split() for line in notes.read_text().splitlines())
    joined: list[tuple[float, float]] = []
    for begin, end in sorted((float(begin), float(end)) for begin, end in lines):
        if joined and begin <= joined[-1][1]:
            begin, before = joined.pop()
            end = max(end, before)
        joined.append((begin, end))
    return [end - begin for begin, end in joined]


def _watch(processor: int) -> None:
    os.sched_setaffinity(0, {processor})
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
    last = time.monotonic()
    while True:
        time.sleep(_STEP_S)
        now = time.monotonic()
        if now - last - _STEP_S > _FROM_S:
            os.write(sys.stdout.fileno(), f"{last + _STEP_S} {now}\n".encode())  # whole lines
        last = now


if __name__ == "__main__":
    _watch(int(sys.argv[1]))
