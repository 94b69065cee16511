"""A control port like snapserver 0.31's, which can add streams, for machines that have 0.26.

It can also behave badly: not answer, answer late, send what is no JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any


class FakeSnapserver:
    """Streams by name with their addresses; `requests` holds the methods asked for."""

    def __init__(self) -> None:
        self.streams: dict[str, str] = {}
        self.requests: list[str] = []
        self.silent = False
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()

    @contextlib.asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator[FakeSnapserver]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.hang_up()

    def hang_up(self) -> None:
        """Drop all connections, as a server does that is killed."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def say(self, raw: bytes) -> None:
        """Send these bytes to everybody."""
        for writer in self._writers:
            writer.write(raw)

    def notify(self, method: str, **params: Any) -> None:
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        self.say(json.dumps(message).encode() + b"\r\n")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                request = json.loads(line)
                self.requests.append(request["method"])
                if not self.silent:
                    answer = {"id": request["id"], "jsonrpc": "2.0", **self._answer(request)}
                    writer.write(json.dumps(answer, ensure_ascii=False).encode() + b"\r\n")
        self._writers.discard(writer)
        writer.close()

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        params = request["params"]
        match request["method"]:
            case "Server.GetStatus":
                return {"result": self.status()}
            case "Stream.AddStream":
                uri = params["streamUri"]
                name = uri.split("name=")[1].split("&")[0]
                if name in self.streams:
                    return _error(-32603, "Stream with id already exists")
                self.streams[name] = uri
                return {"result": {"id": name}}
            case "Stream.RemoveStream":
                self.streams.pop(params["id"], None)
                return {"result": {"id": params["id"]}}
            case "Client.SetVolume":
                return _error(-32603, "Client not found")
        return _error(-32601, "Method not found")

    def status(self, *groups: dict[str, Any]) -> dict[str, Any]:
        about = {"host": {"name": "fake"}, "snapserver": {"version": "0.31.0"}}
        streams = [{"id": name, "status": "idle"} for name in ("default", *self.streams)]
        return {"server": {"groups": list(groups), "server": about, "streams": streams}}


def _error(code: int, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": "Internal error", "data": message}}


def program(folder: Path) -> str:
    """This server as a program to start; returns its path."""
    script = folder / "fake-snapserver"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" "$@"\n')
    script.chmod(0o755)
    return str(script)


async def _run(config: str) -> None:
    server = FakeSnapserver()
    server.streams = dict.fromkeys(re.findall(r"^source = .*name=([^&]*)", config, re.M), "")
    found = re.search(r"\[tcp\][^\[]*^port = (\d+)", config, re.M)
    async with server.listening(int(found[1]) if found else 0):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_run(Path(sys.argv[1].removeprefix("--config=")).read_text()))
