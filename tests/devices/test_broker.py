"""The broker comes and goes; the server stays, and says how it is."""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import signal
import socket
import stat
import sys
from pathlib import Path

import aiomqtt
import pytest
from pydantic import SecretStr
from tests.devices.conftest import World, listens
from tests.fakes.waiting import eventually

from antiphon.events import PartChanged
from antiphon.processes import ChildProcess, Program, free_port
from antiphon_devices.settings import MqttSettings


def _pid_of(conf: Path) -> int:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if command[0].endswith(b"mosquitto") and str(conf).encode() in command:
            return int(process.name)
    return 0


async def test_a_broker_that_is_killed_comes_back_with_the_present_state(world: World) -> None:
    changes: list[bool] = []
    world.bus.subscribe(PartChanged, lambda event: changes.append(event.is_up))
    conf = world.data_dir / "mosquitto.conf"
    async with world.serving():
        async with world.integrator_without_judge() as before:
            await before.hears(f"{world.here}/state")
        await eventually(lambda: changes == [True])
        os.kill(_pid_of(conf), signal.SIGKILL)
        await eventually(lambda: changes[-1] is False)
        world.zones.change(world.zone.zone_id, volume=71)
        await eventually(lambda: changes[-1] is True, timeout_s=15)
        async with world.integrator() as after:
            await after.hears(f"{world.here}/state", lambda h: h.json["volume"] == 71)
            await after.hears("server/status", lambda h: h.payload == b"online")
            await after.send(f"{world.here}/set/volume", "12")
            await after.hears(f"{world.here}/state", lambda h: h.json["volume"] == 12)
    assert changes == [True, False, True]


async def test_a_server_that_stops_says_so_and_another_is_put_right(world: World) -> None:
    async with world.serving(), world.integrator() as watcher:
        await watcher.hears("server/status", lambda h: h.payload == b"online")
        elsewhere = World(world.data_dir / "second", MqttSettings(url=SecretStr(world.url)))
        async with elsewhere.serving():
            await watcher.hears(f"{elsewhere.here}/state")
        left = await watcher.hears("server/status", lambda h: h.payload == b"offline")
        # The first server is still there: it takes the word of the one that left back.
        since = watcher.heard.index(left)
        await watcher.hears("server/status", lambda h: h.payload == b"online", since=since)
        # What the second one left behind is nobody's: it is swept.
        await watcher.hears(f"{elsewhere.here}/state", lambda h: h.payload == b"")


_SERVER_THAT_DIES = """
import asyncio, logging, sys
from antiphon_devices.connection import Connection, Session
from antiphon_devices.outbox import Outbox
from antiphon_devices.settings import MqttSettings

class Listener:
    def connected(self): print("up", flush=True)
    def received(self, message): pass
    def lost(self, reason): print(reason, flush=True)

async def main():
    address = MqttSettings(url=sys.argv[1]).external
    session = Session("elsewhere/server/status", (), ())
    async with Connection(address, session, Outbox(), Listener(), logging.getLogger()):
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_server_that_is_killed_is_offline_by_its_will(world: World) -> None:
    async with world.serving(), world.integrator_without_judge() as watcher:
        await watcher.subscribe("elsewhere/#")
        server = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _SERVER_THAT_DIES, world.url, stdout=asyncio.subprocess.PIPE
        )
        try:
            assert server.stdout is not None
            assert await asyncio.wait_for(server.stdout.readline(), 20) == b"up\n"
            await watcher.hears("elsewhere/server/status", lambda h: h.payload == b"online")
        finally:
            server.kill()
            await server.wait()
        await watcher.hears("elsewhere/server/status", lambda h: h.payload == b"offline")


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket")
async def test_a_broker_with_tls_is_trusted_by_its_certificate_alone(
    world: World, tmp_path: Path
) -> None:
    conf, key, cert = (tmp_path / name for name in ("tls.conf", "key.pem", "cert.pem"))
    make = await asyncio.create_subprocess_exec(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-nodes", "-days", "2", "-subj", "/CN=localhost"),
        *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)),
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await make.wait() == 0
    port = free_port()
    conf.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nuser {getpass.getuser()}\n"
        f"certfile {cert}\nkeyfile {key}\n"
    )
    parts: list[PartChanged] = []
    world.bus.subscribe(PartChanged, parts.append)
    url = SecretStr(f"mqtts://127.0.0.1:{port}")
    async with ChildProcess("tls", Program(["mosquitto", "-c", str(conf)])):
        await eventually(lambda: listens(port))
        world.settings = MqttSettings(url=url)
        async with world.serving():
            await eventually(lambda: parts)
        assert not parts[0].is_up
        assert "certificate" in (parts[0].message or "")
        world.settings = MqttSettings(url=url, ca_file=cert)
        async with world.serving():
            await eventually(lambda: parts[-1].is_up)


async def test_what_a_dead_server_left_behind_is_swept_at_the_next_start(world: World) -> None:
    gone = f"client/{world.client}/zone/00000000-0000-4000-8000-000000000000/state"
    keep = f"client/{world.client}/notes/mine"
    async with world.serving(), world.integrator() as one:
        await one.hears(f"{world.here}/state")
        port = int(world.url.rsplit(":", 1)[1])
    world.settings = MqttSettings(port=port)
    async with world.serving(), world.integrator_without_judge() as two:
        assert int(world.url.rsplit(":", 1)[1]) == port
        await two.hears(f"{world.here}/state")
        await two.send(gone, '{"volume": 1}', retain=True)
        await two.send(keep, "mine", retain=True)
        await two.hears(gone, lambda heard: heard.payload == b"")
        assert keep not in two.held


async def test_a_port_that_is_taken_is_replaced(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        world.settings = MqttSettings(port=port)
        async with world.serving(), world.integrator() as integrator:
            await integrator.hears("server/status")
            assert not world.url.endswith(f":{port}")
    assert f"Port {port} is taken" in caplog.text


async def test_the_broker_of_the_last_run_is_waited_for(world: World) -> None:
    """After a crash it may still hold the port, and there alone do loudspeakers look for us."""
    port = free_port()
    world.settings = MqttSettings(port=port)
    async with world.serving():
        assert world.url.endswith(f":{port}")
    with socket.socket() as predecessor:
        predecessor.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        predecessor.bind(("127.0.0.1", port))
        predecessor.listen()
        asyncio.get_running_loop().call_later(0.5, predecessor.close)
        async with world.serving():
            assert world.url.endswith(f":{port}")


async def test_secrets_are_for_the_owner_alone_and_the_integrators_stays_the_same(
    world: World,
) -> None:
    async with world.serving():
        first = world.url.rsplit(":", 1)[0]
        for name in ("passwords", "integrator.url", "mosquitto.conf"):
            assert stat.S_IMODE((world.data_dir / name).stat().st_mode) == 0o600
        assert first.split(":")[2] not in (world.data_dir / "passwords").read_text()
    async with world.serving(), world.integrator() as integrator:
        assert world.url.rsplit(":", 1)[0] == first
        port = int(world.url.rsplit(":", 1)[1])
        with pytest.raises(aiomqtt.MqttError):
            await aiomqtt.Client(
                "127.0.0.1", port, protocol=aiomqtt.ProtocolVersion.V5
            ).__aenter__()
        await integrator.hears("server/status")


async def test_without_mosquitto_mqtt_is_off_and_says_how_to_get_it(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    parts: list[PartChanged] = []
    world.bus.subscribe(PartChanged, parts.append)
    world.settings = MqttSettings(program="mosquitto-that-nobody-has")
    async with world.serving():
        world.zones.change(world.zone.zone_id, volume=1)
    assert [(part.part, part.is_up) for part in parts] == [("broker", False)]
    assert "apt-get install mosquitto" in caplog.text


async def test_off_is_off(world: World) -> None:
    world.settings = MqttSettings(url=SecretStr("off"))
    async with world.serving():
        assert not world.data_dir.exists()


async def test_a_broker_elsewhere_that_is_away_holds_nobody_up(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    parts: list[PartChanged] = []
    world.bus.subscribe(PartChanged, parts.append)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"mqtt://somebody:very-secret@127.0.0.1:{port}"
    world.settings = MqttSettings(url=SecretStr(url))
    async with asyncio.timeout(5), world.serving():
        for volume in range(200):
            world.zones.change(world.zone.zone_id, volume=volume % 100)
        await eventually(lambda: parts)
        assert not parts[0].is_up
    assert f"mqtt://127.0.0.1:{port}" in caplog.text
    assert "very-secret" not in caplog.text


def test_mosquitto_is_installed_where_these_tests_run() -> None:
    assert shutil.which("mosquitto"), "apt-get install mosquitto"
