"""What the tests let workers do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from antiphon.errors import FieldError, Invalid, NotFound, PartAway, UnsupportedMedia

_calls = 0


class Unreadable(UnsupportedMedia):
    """A kind of its own, as a plugin may define it."""


def echo(**arguments: object) -> dict[str, object]:
    return arguments


def about_me() -> dict[str, int]:
    """Who I am, how often this was called, and how nice I am."""
    global _calls
    _calls += 1
    return {"pid": os.getpid(), "calls": _calls, "nice": os.nice(0)}


def modules() -> list[str]:
    return sorted(sys.modules)


def chatter() -> str:
    sys.stdout.write("to standard output\n")
    subprocess.run(["echo", "from a child"], check=True)
    os.write(2, b"x" * 100_000 + b"\n")
    return "done"


def refuse(kind: str) -> None:
    match kind:
        case "invalid":
            raise Invalid([FieldError("text", "too long"), FieldError("voice", "unknown")])
        case "not found":
            raise NotFound("voice", "bob")
        case "away":
            raise PartAway("The voice", "Install it.")
        case "own":
            raise Unreadable("x.mp3", "it is empty")
        case "bug":
            raise KeyError("surprise")


def unserialisable() -> object:
    return object()


def die(by: int) -> None:
    sys.stdout.write("I feel unwell\n")
    sys.stdout.flush()
    os.kill(os.getpid(), by)
    threading.Event().wait(30)


def leave() -> None:
    sys.exit(3)


def hang(mark: str, progress: Callable[[float], None]) -> None:
    """Start a child that would outlive us, say that we are there, and never return."""
    child = subprocess.Popen(["sleep", "300"])
    Path(mark).write_text(str(child.pid))
    progress(0.5)
    threading.Event().wait(300)


def step(progress: Callable[[float], None]) -> str:
    for share in (-1.0, 0.5, 7.0):
        progress(share)
        time.sleep(0.11)
    return "stepped"


TERM = int(signal.SIGTERM)
KILL = int(signal.SIGKILL)
