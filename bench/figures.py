"""How figures are taken and printed."""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable
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
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sending.send((result, cpu_s, peak_mb))
