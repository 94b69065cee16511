"""The adapter, on a server that misbehaves."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from tests.fakes.snapserver import FakeSnapserver
from tests.fakes.waiting import eventually

from antiphon.errors import PartAway, PartTimedOut
from antiphon.streams.control import MethodMissing, RequestRefused, SnapcastControl


class Ear:
    def __init__(self) -> None:
        self.statuses: list[Mapping[str, Any]] = []
        self.notes: list[tuple[str, Mapping[str, Any]]] = []
        self.losses: list[str] = []

    def on_status(self, status: Mapping[str, Any]) -> None:
        self.statuses.append(status)

    def on_notification(self, method: str, params: Mapping[str, Any]) -> None:
        self.notes.append((method, params))

    def on_lost(self, reason: str) -> None:
        self.losses.append(reason)


def control(server: FakeSnapserver, ear: Ear, **options: float) -> SnapcastControl:
    return SnapcastControl(lambda: ("127.0.0.1", server.port), ear, **options)


async def test_errors_of_the_server_are_errors_of_ours() -> None:
    ear = Ear()
    async with FakeSnapserver().listening() as server, control(server, ear) as line:
        with pytest.raises(PartAway):
            await line.request("Server.GetStatus")
        await eventually(lambda: line.is_connected)
        with pytest.raises(RequestRefused, match=r"Client\.SetVolume: Client not found"):
            await line.request("Client.SetVolume", {"id": "x"})
        with pytest.raises(MethodMissing):
            await line.request("Server.Dance")


async def test_a_server_that_does_not_answer_is_left_after_a_while() -> None:
    ear = Ear()
    async with (
        FakeSnapserver().listening() as server,
        control(server, ear, timeout_s=0.2, check_every_s=0.2) as line,
    ):
        await eventually(lambda: line.is_connected)
        server.silent = True
        with pytest.raises(PartTimedOut, match=r"Client\.SetName within 0\.2 s"):
            await line.request("Client.SetName", {"id": "x", "name": "y"})
        await eventually(lambda: ear.losses)
        server.silent = False
        await eventually(lambda: line.is_connected)


async def test_requests_in_flight_fail_when_the_connection_is_lost() -> None:
    ear = Ear()
    async with FakeSnapserver().listening() as server, control(server, ear) as line:
        await eventually(lambda: line.is_connected)
        server.silent = True
        request = asyncio.create_task(line.request("Client.SetName", {"id": "x"}))
        await eventually(lambda: "Client.SetName" in server.requests)
        server.hang_up()
        server.silent = False
        with pytest.raises(RequestRefused, match="connection lost"):
            await request
        await eventually(lambda: len(ear.statuses) >= 2 and line.is_connected)
        assert len(ear.losses) == 1


async def test_no_input_breaks_the_reader() -> None:
    ear = Ear()
    async with FakeSnapserver().listening() as server, control(server, ear) as line:
        await eventually(lambda: line.is_connected)
        server.say(b"this is no JSON\r\n\xff\xfe\r\n[1, null]\r\n42\r\n\r\n")
        server.say('{"method": "Client.OnNameChanged", "params": {"name": "Kü'.encode()[:-1])
        await asyncio.sleep(0.05)  # a letter lies across two reads
        server.say("ü".encode()[1:] + b'che"}}\r\n')
        server.notify("Server.OnUpdate", server=1)
        await eventually(lambda: len(ear.notes) == 2)
        assert ear.notes[0] == ("Client.OnNameChanged", {"name": "Küche"})
        assert ear.losses == []


async def test_a_server_that_is_not_there_is_told_once_and_found_later() -> None:
    ear = Ear()
    server = FakeSnapserver()
    async with server.listening():
        pass  # now its port is closed again
    async with control(server, ear, patience_s=0.1) as line:
        await eventually(lambda: ear.losses)
        async with server.listening(server.port):
            await eventually(lambda: line.is_connected, timeout_s=12)
            assert len(ear.losses) == 1
