"""How figures are taken and printed."""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def show(
    name: str, value: float, unit: str, against: str = "", reference: float | None = None
) -> None:
    """Print one figure on one line that a script can read."""
    tail = ""
    if reference:
        tail = f" ({against}: {reference:.2f}, ratio {value / reference:.2f})"
    elif against:
        tail = f" ({against})"
    print(f"{name}: {value:.2f} {unit}{tail}", flush=True)


def median(values: list[float]) -> float:
    """The figure to quote of several runs."""
    return statistics.median(values)


def percentile(values: list[float], percent: float) -> float:
    """The value below which that share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def in_child(work: Callable[..., Any], *arguments: Any) -> tuple[Any, float, float]:
    """Run `work` in a fresh process: its result, its CPU seconds, its peak memory in MB.

    CPU time starts after the imports, so that short runs compare with long ones.
    """
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=_measured, args=(sending, work, arguments))
    child.start()
    outcome: tuple[Any, float, float] = receiving.recv()
    child.join()
    return outcome


def _measured(sending: Any, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    started = time.process_time()
    result = work(*arguments)
    cpu_s = time.process_time() - started
    sending.send((result, cpu_s, _peak_mb()))


def proportional_mb(pid: int | str) -> float:
    """The memory of a process now; what it shares with others counts in part."""
    return _told_mb(f"/proc/{pid}/smaps_rollup", "Pss:")


def _peak_mb() -> float:
    """The most memory of this process alone; `ru_maxrss` begins with what its parent had."""
    return _told_mb("/proc/self/status", "VmHWM:")


def _told_mb(file: str, label: str) -> float:
    lines = Path(file).read_text().splitlines()
    (told,) = [line for line in lines if line.startswith(label)]
    return int(told.split()[1]) / 1024
