"""The worker process: takes jobs from a socket, one line each, and runs them one after the other.

Started as `python -m antiphon.jobs.worker <file descriptor>`. It imports nothing but what it needs
to talk, and what the targets need. It ends when the socket does, in the middle of a job too.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from queue import SimpleQueue
from typing import Any

_NICENESS = 10
_PROGRESS_EVERY_S = 0.1


class _Channel:
    """The main process's end of the line. `send` may be called from any thread."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.set_inheritable(False)
        self._lock = threading.Lock()
        self.jobs: SimpleQueue[bytes] = SimpleQueue()
        threading.Thread(target=self._read, daemon=True, name="channel").start()

    def _read(self) -> None:
        with contextlib.suppress(OSError), self._socket.makefile("rb") as lines:
            for line in lines:
                self.jobs.put(line)
        # Nobody waits for an answer any more; whatever runs is in vain.
        os._exit(0)

    def send(self, **message: object) -> None:
        line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            self._socket.sendall(line)


class _Progress:
    """The keyword `progress` of a job: passes a share from 0 to 1 on, not too often."""

    def __init__(self, channel: _Channel) -> None:
        self._channel = channel
        self._last = 0.0

    def __call__(self, share: float) -> None:
        now = time.monotonic()
        if now - self._last >= _PROGRESS_EVERY_S:
            self._last = now
            self._channel.send(progress=min(max(float(share), 0.0), 1.0))


def _call(target: str, arguments: dict[str, Any], progress: _Progress) -> object:
    module_name, _, name = target.partition(":")
    function = getattr(importlib.import_module(module_name), name)
    code = function.__code__
    if "progress" in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
        arguments = {**arguments, "progress": progress}
    return function(**arguments)


def _run(channel: _Channel, job: dict[str, Any]) -> None:
    try:
        channel.send(result=_call(job["target"], job["arguments"], _Progress(channel)))
    except Exception as error:
        from antiphon.errors import AntiphonError
        from antiphon.jobs.crossing import pack

        if isinstance(error, AntiphonError):
            channel.send(refused=pack(error))
        else:
            import traceback

            traceback.print_exc()
            channel.send(failed=f"{type(error).__name__}: {error}".rstrip(": "))


def main() -> None:
    """Take jobs until the socket ends."""
    niceness = os.nice(_NICENESS)
    with contextlib.suppress(OSError):  # among the sessions, too: see antiphon.processes
        Path("/proc/self/autogroup").write_text(str(niceness))
    # It gave us the server's module path; programs that jobs start have their own.
    os.environ.pop("PYTHONPATH", None)
    # What a job prints belongs in the log, with the complaints of the libraries.
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    # A Ctrl-C in the terminal is for the server, which tells us by closing the socket.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = _Channel(int(sys.argv[1]))
    while True:
        job = json.loads(channel.jobs.get())
        channel.send(taken=True)
        _run(channel, job)


if __name__ == "__main__":
    main()
