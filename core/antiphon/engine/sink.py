"""Where a zone's sound goes: a FIFO or a TCP connection. A sink never makes the mix wait."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import struct
import termios
from abc import ABC, abstractmethod
from contextlib import suppress

from antiphon.engine.protocol import CHANNELS, SAMPLE_RATE

_PIPE_BYTES = 65_536  # 341 ms; how much of it is used is levelled by `engine.cushion`
_KEPT_BLOCKS = 7
_TCP_BACKLOG_BYTES = 38_400  # 200 ms
_RETRY_BLOCKS = 25
_BYTES_PER_S = SAMPLE_RATE * CHANNELS * 2


class Sink(ABC):
    """Takes whole blocks. `lost_bytes` counts what nobody took."""

    lost_bytes = 0

    def take_lost_bytes(self) -> int:
        """The bytes that were lost since the last call of this."""
        lost, self.lost_bytes = self.lost_bytes, 0
        return lost

    def waiting_s(self) -> float | None:
        """How much sound waits to be taken; None where that can not be seen from here."""
        return None

    @abstractmethod
    def write(self, block: memoryview) -> None:
        """Send a block or drop it, at once."""

    @abstractmethod
    def close(self) -> None:
        """Release what is held."""


class NullSink(Sink):
    """Nowhere."""

    def write(self, block: memoryview) -> None:
        """Forget it."""

    def close(self) -> None:
        """Nothing is held."""


class FifoSink(Sink):
    """A named pipe, held open for reading too: it survives readers that come and go.

    When it is full because nobody reads, the older half of it is thrown away, so that the next
    reader gets fresh sound and one that was late keeps its cushion. Blocks of at most 4096 bytes
    are written whole or not at all.
    """

    def __init__(self, path: str) -> None:
        """Open the pipe and make it first where it is missing. Raises OSError."""
        with suppress(FileExistsError):
            os.mkfifo(path, 0o600)
        if not stat.S_ISFIFO(os.stat(path).st_mode):  # noqa: PTH116  pathlib is not needed here
            raise FileExistsError(errno.EEXIST, "it exists and is not a FIFO", path)
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        with suppress(OSError):
            fcntl.fcntl(self._fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def write(self, block: memoryview) -> None:
        """Write; where the pipe is full, make room and write."""
        try:
            os.write(self._fd, block)
        except BlockingIOError:
            with suppress(BlockingIOError):
                surplus = self._waiting_bytes() - (_KEPT_BLOCKS - 1) * len(block)
                self.lost_bytes += len(os.read(self._fd, max(len(block), surplus)))
            with suppress(BlockingIOError):
                os.write(self._fd, block)

    def waiting_s(self) -> float:
        """What the reader has not read yet."""
        return self._waiting_bytes() / _BYTES_PER_S

    def _waiting_bytes(self) -> int:
        return int(struct.unpack("i", fcntl.ioctl(self._fd, termios.FIONREAD, bytes(4)))[0])

    def close(self) -> None:
        """Close the pipe; its file stays."""
        os.close(self._fd)


class _Connection:
    """One reader over TCP. What does not fit is kept, so that frames stay whole."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(0)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = sock
        self._backlog = b""

    def send(self, block: memoryview) -> int:
        """Send what fits; returns how many bytes were dropped. Raises OSError at the end."""
        dropped = 0
        if len(self._backlog) > _TCP_BACKLOG_BYTES:
            dropped = len(block)
            block = memoryview(b"")
        data = self._backlog + bytes(block)
        with suppress(BlockingIOError):
            data = data[self._socket.send(data) :]
        self._backlog = data
        return dropped

    def close(self) -> None:
        self._socket.close()


class TcpSink(Sink):
    """A connection that is made by us and made again after a loss, without ever waiting."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._connection: _Connection | None = None
        self._blocks_to_wait = 0

    def write(self, block: memoryview) -> None:
        """Send what fits; without a connection, drop the block and try to connect now and then."""
        if self._connection is None:
            self.lost_bytes += len(block)
            self._connect()
            return
        try:
            self.lost_bytes += self._connection.send(block)
        except OSError:
            self.close()

    def _connect(self) -> None:
        if self._blocks_to_wait:
            self._blocks_to_wait -= 1
            return
        self._blocks_to_wait = _RETRY_BLOCKS
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.settimeout(0)
        if sock.connect_ex(self._address) in (0, errno.EINPROGRESS):
            self._connection = _Connection(sock)
        else:
            sock.close()

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._blocks_to_wait = _RETRY_BLOCKS


class ListenSink(Sink):
    """A port that anybody may read the zone from; each reader gets whole blocks."""

    def __init__(self, host: str, port: int) -> None:
        """Listen. Raises OSError where the port is taken."""
        self._server = socket.create_server((host, port), backlog=4)
        self._server.settimeout(0)
        self._readers: list[_Connection] = []

    def write(self, block: memoryview) -> None:
        """Send to all readers; count a block as lost where there is none."""
        with suppress(BlockingIOError):
            self._readers.append(_Connection(self._server.accept()[0]))
        if not self._readers:
            self.lost_bytes += len(block)
        for reader in tuple(self._readers):
            try:
                self.lost_bytes += reader.send(block)
            except OSError:
                reader.close()
                self._readers.remove(reader)

    def close(self) -> None:
        """Hang up on everybody."""
        self._server.close()
        for reader in self._readers:
            reader.close()


class TapSink(Sink):
    """A FIFO that somebody else made and reads; it is over as soon as nobody does."""

    def __init__(self, path: str) -> None:
        """Open for writing. Raises OSError where nobody reads."""
        self._fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def write(self, block: memoryview) -> None:
        """Write, or drop the block where the reader is slow or gone."""
        with suppress(OSError):
            os.write(self._fd, block)

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._fd)


def open_sink(address: str) -> Sink:
    """A sink by its address: `fifo:/path`, `tcp:host:port`, `listen:host:port` or `null:`.

    Raises OSError where it can not be opened, ValueError where the address is not one.
    """
    kind, _, rest = address.partition(":")
    if kind == "null":
        return NullSink()
    if kind == "fifo":
        return FifoSink(rest)
    host, _, port = rest.rpartition(":")
    if kind == "tcp":
        return TcpSink(host, int(port))
    if kind == "listen":
        return ListenSink(host, int(port))
    raise ValueError(f"{address!r} is not a sink: use fifo:, tcp:, listen: or null:")
