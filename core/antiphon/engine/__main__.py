"""The renderer process: `python -m antiphon.engine SOCKET` with the path of a Unix socket."""

from __future__ import annotations

import os
import random
import selectors
import signal
import socket
import sys
import time

from antiphon.engine.deck import ThreadFeeder
from antiphon.engine.protocol import SAMPLE_RATE, Command, Ready, Report, decode, encode
from antiphon.engine.renderer import Renderer

_LOST_AFTER_S = 0.12  # snapserver waits for 150 ms; later than this, somebody heard a gap
_SETTLED_S = 0.3
_LOOK_EVERY_S = (0.04, 0.08)
_GIVE_UP_AFTER_S = 1.0  # a machine that slept does not play what it missed


class _Link:
    """The socket to the main process. Reports are queued and sent whenever it takes them."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(0)
        self.socket = sock
        self.open = True
        self._incoming = b""
        self._outgoing = bytearray()

    def report(self, report: Report) -> None:
        self._outgoing += encode(report)

    def flush(self) -> None:
        if not self._outgoing:
            return
        try:
            sent = self.socket.send(self._outgoing)
        except BlockingIOError:
            return
        except OSError:
            self.open = False
            return
        del self._outgoing[:sent]

    def commands(self) -> list[Command]:
        try:
            data = self.socket.recv(1 << 20)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self.open = False
            return []
        *lines, self._incoming = (self._incoming + data).split(b"\n")
        messages = (decode(line) for line in lines)
        return [message for message in messages if isinstance(message, Command)]


def _run(link: _Link) -> None:
    renderer = Renderer(ThreadFeeder(), link.report)
    block_s = renderer.block_frames / SAMPLE_RATE
    with selectors.DefaultSelector() as selector:
        selector.register(link.socket, selectors.EVENT_READ)
        link.report(Ready(os.getpid()))
        link.flush()
        started = renderer.began_at = time.monotonic()
        blocks = 0
        worst_s = 0.0
        look_at = 0.0
        while link.open:
            now = time.monotonic()
            wait = started + blocks * block_s - now
            if wait > 0.0 and look_at <= now:
                renderer.look_at_queues()
                look_at = now + random.uniform(*_LOOK_EVERY_S)  # noqa: S311  keeps no secret
            if selector.select(max(0.0, min(wait, look_at - now))):
                for command in link.commands():
                    renderer.handle(command)
                link.flush()
            if wait > 0:
                continue
            if -wait > 2 * block_s:  # what is written in a burst tells nothing of the reader
                look_at = now + _SETTLED_S
            late_s = -wait if -wait > _LOST_AFTER_S else 0.0
            if late_s > worst_s:  # what has been counted of this delay is not counted again
                renderer.late(late_s - worst_s)
                if -wait > _GIVE_UP_AFTER_S:
                    started -= wait  # go on from now
                    renderer.began_at = started
            worst_s = late_s and max(worst_s, late_s)
            renderer.tick()
            blocks += 1
            link.flush()


def main() -> None:
    """Connect, and serve until the other end is gone: the main process ended, so do we."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the main process; it tells us
    # Commands and ticks come before decoding: hand the interpreter over quickly.
    sys.setswitchinterval(0.001)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(sys.argv[1])
    _run(_Link(sock))


if __name__ == "__main__":
    main()
