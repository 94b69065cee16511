"""Sinks never make the mix wait, and give a late reader fresh sound."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import free_port

from antiphon.engine.sink import FifoSink, ListenSink, TcpSink, open_sink

BLOCKS = [memoryview(bytes([number]) * 3840) for number in range(1, 200)]


def test_a_fifo_without_a_reader_keeps_only_the_newest(tmp_path: Path) -> None:
    sink = FifoSink(str(tmp_path / "zone"))
    for block in BLOCKS:
        sink.write(block)
    reader = os.open(tmp_path / "zone", os.O_RDONLY | os.O_NONBLOCK)
    data = os.read(reader, 1 << 20)
    assert 0 < len(data) <= 65_536
    assert len(data) % 3840 == 0
    assert data[-1] == len(BLOCKS)
    assert sink.take_lost_bytes() == 3840 * len(BLOCKS) - len(data)
    assert sink.take_lost_bytes() == 0
    sink.close()
    os.close(reader)


def test_a_fifo_is_private_and_never_replaces_a_file(tmp_path: Path) -> None:
    FifoSink(str(tmp_path / "zone")).close()
    assert (tmp_path / "zone").stat().st_mode & 0o777 == 0o600
    (tmp_path / "file").write_text("precious")
    with pytest.raises(FileExistsError):
        FifoSink(str(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "precious"


def until(condition: Callable[[], bool], step: Callable[[], None]) -> None:
    """Take steps until the condition holds; the kernel needs a moment to connect."""
    for _ in range(100_000):
        if condition():
            return
        step()
    raise AssertionError("it did not happen")


def test_tcp_connects_again_after_a_loss() -> None:
    port = free_port()
    sink = TcpSink("127.0.0.1", port)
    sink.write(BLOCKS[0])
    assert sink.lost_bytes == 3840
    for _ in range(2):
        with socket.create_server(("127.0.0.1", port)) as server:
            server.settimeout(0)
            reader = _accepted(server, sink)
            with reader:
                assert reader.recv(1) == b"\x02"
    sink.close()


def _accepted(server: socket.socket, sink: TcpSink) -> socket.socket:
    """Write until the sink has connected and something has come through."""
    accepted: list[socket.socket] = []

    def step() -> None:
        sink.write(BLOCKS[1])
        with contextlib.suppress(BlockingIOError):
            accepted.append(server.accept()[0])

    until(lambda: bool(accepted), step)
    sink.write(BLOCKS[1])
    accepted[0].settimeout(5)
    return accepted[0]


def test_everybody_who_listens_gets_whole_blocks() -> None:
    port = free_port()
    sink = ListenSink("127.0.0.1", port)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as one,
        socket.create_connection(("127.0.0.1", port), timeout=5) as two,
    ):
        sink.write(BLOCKS[0])
        sink.write(BLOCKS[0])
        for reader in (one, two):
            assert set(reader.recv(3840)) == {1}
    until(lambda: sink.take_lost_bytes() > 0, lambda: sink.write(BLOCKS[0]))
    sink.close()


@pytest.mark.parametrize("address", ["gopher:1", "", "tcp:nowhere", "fifo:/nowhere/zone"])
def test_a_wrong_address_is_an_error(address: str) -> None:
    with pytest.raises((ValueError, OSError)):
        open_sink(address)
