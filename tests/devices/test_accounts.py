"""Accounts at a real mosquitto, by its files and by its dynamic security."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import shutil
import signal
import stat
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import aiomqtt
import pytest
from pydantic import SecretStr, ValidationError
from tests.devices.conftest import World, listens
from tests.devices.test_broker import _pid_of
from tests.fakes.speakers import speaker
from tests.fakes.waiting import eventually

from antiphon.errors import Conflict, NotFound, PartAway
from antiphon.events import PartChanged
from antiphon.processes import ChildProcess, Program, free_port
from antiphon.types import Principal
from antiphon_devices.accounts import dynsec
from antiphon_devices.accounts.files import Hint
from antiphon_devices.accounts.passwords import hashed, matches
from antiphon_devices.joining import Admission
from antiphon_devices.settings import MqttSettings

ROOT = "antiphon/v1"
WAYS = ("files", "dynsec")
ADMIN = Principal.system()


@asynccontextmanager
async def logged_in(
    world: World, username: str, password: str, identifier: str | None = None
) -> AsyncIterator[aiomqtt.Client]:
    async with aiomqtt.Client(
        "127.0.0.1",
        urlsplit(world.url).port or 0,
        username=username,
        password=password,
        identifier=identifier,
        protocol=aiomqtt.ProtocolVersion.V5,
    ) as client:
        yield client


async def is_refused(world: World, username: str, password: str) -> bool:
    try:
        async with logged_in(world, username, password):
            return False
    except aiomqtt.MqttError:
        return True


async def gets(client: aiomqtt.Client) -> aiomqtt.Message:
    async with asyncio.timeout(5):
        return await anext(aiter(client.messages))


async def is_cut_off(client: aiomqtt.Client) -> None:
    """Return when the broker has ended the connection."""
    async with asyncio.timeout(5):
        try:
            async for _ in client.messages:
                pass
        except aiomqtt.MqttError:
            return


@pytest.fixture(params=WAYS)
async def keeping(world: World, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """A broker of our own that keeps accounts this way."""
    world.settings = MqttSettings(port=0, accounts=request.param)
    async with world.serving():
        await world.broker_is_there()
        async with world.integrator_without_judge() as integrator:
            await integrator.hears("server/status", lambda h: h.payload == b"online")
        yield world


async def test_a_device_neither_reads_nor_writes_what_is_anothers(keeping: World) -> None:
    accounts = keeping.joining.accounts
    for key in ("mine", "other"):
        await accounts.admit(key, f"secret-of-{key}-0123")
    async with (
        keeping.integrator_without_judge() as all_hear,
        logged_in(keeping, "mine", "secret-of-mine-0123") as device,
    ):
        for topics in ("#", f"{ROOT}/device/other/down/#", f"{ROOT}/client/#", "$SYS/#"):
            await device.subscribe(topics, qos=1)
        await device.subscribe(f"{ROOT}/device/mine/down/#", qos=1)
        for topic in ("device/other/up/state", "device/mine/down/desired", "server/status"):
            await device.publish(f"{ROOT}/{topic}", b"stranger", qos=1)
        await device.publish(f"{ROOT}/{keeping.here}/set/volume", b"stranger", qos=1)
        await device.publish("$CONTROL/dynamic-security/v1", b'{"commands": []}', qos=1)
        await all_hear.send("device/other/down/cmd/identify", {"id": "1"})
        await all_hear.send("device/mine/down/cmd/identify", {"id": "2"})
        assert (await gets(device)).topic.value == f"{ROOT}/device/mine/down/cmd/identify"
        await device.publish(f"{ROOT}/device/mine/up/ack", b"mine", qos=1)
        await all_hear.hears("device/mine/up/ack")
        assert not [heard for heard in all_hear.heard if heard.payload == b"stranger"]


async def test_an_integrator_sees_one_client_alone_and_writes_no_state(keeping: World) -> None:
    world = keeping
    accounts = world.joining.accounts
    account, password = await accounts.add_integrator(world.client, "Home Assistant")
    assert account.username.startswith("home-assistant-")
    place = f"client/{world.foreign.client_id}/zone/{world.foreign.zone_id}"
    async with (
        world.integrator_without_judge() as all_hear,
        logged_in(world, account.username, password) as client,
    ):
        for topics in ("#", f"{ROOT}/client/+/zone/+/state", f"{ROOT}/{place}/state"):
            await client.subscribe(topics, qos=1)
        await client.subscribe(f"{ROOT}/device/#", qos=1)
        await client.subscribe(f"{ROOT}/enroll/#", qos=1)
        await client.publish(f"{ROOT}/{place}/set/volume", b"99", qos=1)
        await client.publish(f"{ROOT}/{world.here}/state", b"99", qos=1)
        await client.publish(f"{ROOT}/{world.here}/cmd/pause", b'{"id": "p"}', qos=1)
        await all_hear.ack(world.here, id="p", status="completed")
        assert not [heard for heard in all_hear.heard if heard.payload == b"99"]
        assert world.zones.by_id[world.foreign.zone_id].volume == 30

        tree = f"{ROOT}/client/{world.client}/"
        await client.subscribe(f"{tree}#", qos=1)
        await client.subscribe("homeassistant/#", qos=1)
        config = f"homeassistant/number/antiphon_{world.client}/x/config"
        await all_hear.publish("homeassistant/number/antiphon_other/x/config", b"not for them")
        await all_hear.publish(config, b"for them")
        seen = set()
        while config not in seen:
            seen.add((await gets(client)).topic.value)
        known = (tree, f"{ROOT}/server/", "homeassistant/")
        assert all(topic.startswith(known) for topic in seen)
        assert not any("other" in topic or place in topic for topic in seen)


async def test_who_is_revoked_is_cut_off_at_once_and_nobody_else(keeping: World) -> None:
    world = keeping
    accounts = world.joining.accounts
    await accounts.admit("mine", "secret-of-mine-0123")
    await accounts.admit("other", "secret-of-other-0123")
    account, password = await accounts.add_integrator(world.client, "Node-RED")
    async with logged_in(world, "other", "secret-of-other-0123") as other:
        await other.subscribe(f"{ROOT}/device/other/down/#", qos=1)
        for name, secret in (("mine", "secret-of-mine-0123"), (account.username, password)):
            client = aiomqtt.Client(
                "127.0.0.1", urlsplit(world.url).port or 0, username=name, password=secret
            )
            await client.__aenter__()
            if name == "mine":
                assert await accounts.revoke("mine")
            else:
                with pytest.raises(NotFound):
                    await accounts.remove_integrator(Principal.system(uuid4()), account.id)
                await accounts.remove_integrator(ADMIN, account.id)
            await is_cut_off(client)
            assert await is_refused(world, name, secret)
        assert not await accounts.revoke("mine")
        async with world.integrator_without_judge() as all_hear:
            await all_hear.send("device/other/down/cmd/identify", b"still there")
        assert (await gets(other)).payload == b"still there"
    assert not await world.book.all() or {a.username for a in await world.book.all()} == {"other"}


async def test_accounts_outlive_the_broker_and_the_server(keeping: World) -> None:
    world = keeping
    accounts = world.joining.accounts
    await accounts.admit("mine", "secret-of-mine-0123")
    old = _pid_of(world.data_dir / "mosquitto.conf")
    os.kill(old, signal.SIGKILL)
    await eventually(lambda: _pid_of(world.data_dir / "mosquitto.conf") not in (0, old))
    await world.broker_is_there()
    async with logged_in(world, "mine", "secret-of-mine-0123"):
        pass
    assert await is_refused(world, "mine", "another-secret-012345")


@pytest.mark.parametrize("way", WAYS)
async def test_a_server_that_starts_again_has_its_accounts(world: World, way: str) -> None:
    world.settings = MqttSettings.model_validate({"port": 0, "accounts": way})
    async with world.serving():
        await eventually(lambda: world.mqtt.current)
        async with world.integrator_without_judge() as heard:
            await heard.hears("server/status", lambda h: h.payload == b"online")
        await world.joining.accounts.admit("mine", "secret-of-mine-0123")
    async with world.serving():
        await world.broker_is_there()
        async with logged_in(world, "mine", "secret-of-mine-0123"):
            pass


async def test_newcomers_may_ask_and_nothing_else(keeping: World) -> None:
    url = urlsplit(keeping.enrol_url)
    assert stat.S_IMODE((keeping.data_dir / "enroll.url").stat().st_mode) == 0o600
    async with (
        keeping.integrator_without_judge() as all_hear,
        logged_in(keeping, url.username or "", url.password or "") as newcomer,
    ):
        await newcomer.subscribe("#", qos=1)
        await newcomer.publish(f"{ROOT}/device/mine/up/status", b"stranger", qos=1)
        await newcomer.publish(f"{ROOT}/enroll/mine/other", b"stranger", qos=1)
        await newcomer.publish(f"{ROOT}/enroll/mine/request", b"hello", qos=1)
        await all_hear.hears("enroll/mine/request")
        assert not [heard for heard in all_hear.heard if heard.payload == b"stranger"]


# --- a broker that somebody else started ------------------------------------------------------


@asynccontextmanager
async def foreign_broker(folder: Path, *lines: str) -> AsyncIterator[tuple[int, ChildProcess]]:
    folder.mkdir(exist_ok=True)  # noqa: ASYNC240
    port, conf = free_port(), folder / "theirs.conf"
    common = [f"listener {port} 127.0.0.1", f"user {getpass.getuser()}", "allow_anonymous false"]
    conf.write_text("\n".join([*common, f"pid_file {folder}/pid", *lines, ""]))
    async with ChildProcess("theirs", Program(["mosquitto", "-c", str(conf)])) as broker:
        await eventually(lambda: listens(port))
        yield port, broker


def _ourselves(port: int) -> str:
    return f"mqtt://our-server:server-secret@127.0.0.1:{port}"


async def _joins(world: World, port: int) -> None:
    """Let one in and throw it out, at a broker elsewhere."""
    accounts = world.joining.accounts
    await accounts.admit("mine", "secret-of-mine-0123")
    client = aiomqtt.Client("127.0.0.1", port, username="mine", password="secret-of-mine-0123")
    async with asyncio.timeout(5):
        while True:
            try:
                await client.__aenter__()
                break
            except aiomqtt.MqttError:
                await asyncio.sleep(0.05)
    await accounts.revoke("mine")
    await is_cut_off(client)


async def test_files_for_a_broker_elsewhere_which_is_told_by_a_signal(
    world: World, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "passwords").write_text(f"our-server:{hashed('server-secret')}\n")
    (theirs / "access").write_text("user our-server\ntopic readwrite #\n")
    for name in ("passwords", "access"):
        (theirs / name).chmod(0o640)
    lines = (f"password_file {theirs}/passwords", f"acl_file {theirs}/access")
    async with foreign_broker(theirs, *lines) as (port, _):
        await eventually((theirs / "pid").exists)
        world.settings = MqttSettings(
            url=SecretStr(_ourselves(port)),
            accounts="files",
            accounts_dir=theirs,
            broker_pid_file=theirs / "pid",
        )
        async with world.serving():
            await _joins(world, port)
            assert stat.S_IMODE((theirs / "passwords").stat().st_mode) == 0o640
            assert "server-secret" not in (theirs / "passwords").read_text()


async def test_dynamic_security_of_a_broker_elsewhere(world: World, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    _dynsec_as_people_make_it(theirs / "dynsec.json")
    lines = (f"plugin {dynsec.plugin_file()}", f"plugin_opt_config_file {theirs}/dynsec.json")
    async with foreign_broker(theirs, *lines) as (port, broker):
        world.settings = MqttSettings(url=SecretStr(_ourselves(port)), accounts="dynsec")
        async with world.serving():
            accounts = world.joining.accounts
            await _until_ours(world)
            await _joins(world, port)
            # Revoked while the broker is away: it is, as soon as that is back.
            await accounts.admit("mine", "secret-of-mine-0123")
            await accounts.admit("other", "secret-of-other-0123")
            assert broker.pid is not None
            os.kill(broker.pid, signal.SIGKILL)
            await accounts.revoke("mine")
            await eventually(lambda: listens(port), timeout_s=10)
            await eventually_refused(port, "mine", "secret-of-mine-0123")
            async with aiomqtt.Client(
                "127.0.0.1", port, username="other", password="secret-of-other-0123"
            ) as other:
                await other.subscribe("#", qos=1)
                await other.subscribe(f"{ROOT}/device/other/up/status", qos=1)
                await other.publish(f"{ROOT}/device/other/up/status", b"online", qos=1)
                assert (await gets(other)).payload == b"online"


def _dynsec_as_people_make_it(file: Path) -> None:
    """By mosquitto's own tool, which makes an account for commands; everybody may read."""
    tool = ("mosquitto_ctrl", "dynsec", "init", str(file), "our-server", "server-secret")
    subprocess.run(tool, check=True, capture_output=True)
    made = json.loads(file.read_text())
    made["defaultACLAccess"] |= {"publishClientReceive": True, "subscribe": True}
    file.write_text(json.dumps(made))


async def _until_ours(world: World) -> None:
    async with asyncio.timeout(8):
        while True:
            try:
                await world.joining.accounts.admit("probe", "secret-of-probe-0123")
            except PartAway:
                await asyncio.sleep(0.05)
            else:
                return


async def eventually_refused(port: int, username: str, password: str) -> None:
    async with asyncio.timeout(8):
        while True:
            try:
                async with aiomqtt.Client("127.0.0.1", port, username=username, password=password):
                    await asyncio.sleep(0.05)
            except aiomqtt.MqttError:
                return


async def test_accounts_that_others_manage_are_not_made_here(world: World) -> None:
    async with foreign_broker(world.data_dir.parent / "theirs") as (port, _):
        world.settings = MqttSettings(url=SecretStr(_ourselves(port)))
        async with world.serving():
            with pytest.raises(Conflict, match="managed elsewhere"):
                await world.joining.accounts.add_integrator(world.client, "Node-RED")
            with pytest.raises(Conflict):
                await world.joining.accounts.admit("mine", "secret-of-mine-0123")
            assert not (world.data_dir / "enroll.url").exists()


# --- TLS -------------------------------------------------------------------------------------


async def _openssl(*arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        "openssl", *arguments, stderr=asyncio.subprocess.DEVNULL
    )
    assert await process.wait() == 0


async def _certificates(folder: Path) -> None:
    """An authority, a server and a client that it vouches for."""
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    ca = ("-CA", str(folder / "ca.pem"), "-CAkey", str(folder / "ca.key"))
    await _openssl(
        *("req", "-x509", *key, "-days", "2", "-subj", "/CN=Tests"),
        *("-keyout", str(folder / "ca.key"), "-out", str(folder / "ca.pem")),
    )
    for name, address in (("server", "IP:127.0.0.1"), ("client", "DNS:our-server")):
        request = str(folder / f"{name}.csr")
        (folder / "ext").write_text(f"subjectAltName={address}\n")
        await _openssl(
            *("req", *key, "-subj", f"/CN={name}"),
            *("-keyout", str(folder / f"{name}.key"), "-out", request),
        )
        await _openssl(
            *("x509", "-req", "-in", request, *ca, "-CAcreateserial", "-days", "2"),
            *("-extfile", str(folder / "ext"), "-out", str(folder / f"{name}.pem")),
        )


async def test_our_own_broker_speaks_tls_to_others_and_plainly_to_this_machine(
    world: World, tmp_path: Path
) -> None:
    await _certificates(tmp_path)
    world.settings = MqttSettings(
        port=0,
        tls_port=free_port(),
        broker_cert_file=tmp_path / "server.pem",
        broker_key_file=tmp_path / "server.key",
    )
    async with world.serving(), world.integrator() as heard:
        await heard.hears("server/status", lambda h: h.payload == b"online")
        assert urlsplit(world.url).scheme == "mqtt"
        url = urlsplit(world.enrol_url)
        assert (url.scheme, url.port) == ("mqtts", world.settings.tls_port)
        await world.joining.accounts.admit("mine", "secret-of-mine-0123")
        async with aiomqtt.Client(
            "127.0.0.1",
            url.port or 0,
            username="mine",
            password="secret-of-mine-0123",
            tls_params=aiomqtt.TLSParameters(ca_certs=str(tmp_path / "ca.pem")),
        ) as device:
            await device.publish(f"{ROOT}/device/mine/up/status", b"online", 1, retain=True)
        await heard.hears("device/mine/up/status")
        authority = str(tmp_path / "ca.pem")
        agent = speaker("roof", tmp_path, world.enrol_url, ca_file=authority, speak_code="false")
        async with agent:
            (pending,) = await eventually(world.joining.pending, 40)
            await world.joining.claim(ADMIN, Admission(pending.code))
            await heard.hears("device/roof/up/status", lambda h: h.payload == b"online")


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket")
async def test_a_broker_that_wants_a_certificate_of_ours_gets_it(
    world: World, tmp_path: Path
) -> None:
    await _certificates(tmp_path)
    lines = (
        *(f"cafile {tmp_path}/ca.pem", f"certfile {tmp_path}/server.pem"),
        *(f"keyfile {tmp_path}/server.key", "require_certificate true"),
        "use_subject_as_username true",
    )
    async with foreign_broker(tmp_path / "theirs", *lines) as (port, _):
        ours = {
            "client_cert_file": tmp_path / "client.pem",
            "client_key_file": tmp_path / "client.key",
        }
        url = f"mqtts://127.0.0.1:{port}"
        for extra, comes_up in (
            ({"ca_file": tmp_path / "ca.pem", **ours}, True),
            (ours, False),
            ({"insecure": True, **ours}, True),
        ):
            parts: list[PartChanged] = []
            undo = world.bus.subscribe(PartChanged, parts.append)
            world.settings = MqttSettings.model_validate({"url": url, **extra})
            async with world.serving():
                await eventually(parts.copy)
                assert parts[0].is_up is comes_up
            undo()


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"accounts": "managed"}, "are managed here"),
        ({"url": "mqtt://elsewhere", "accounts": "files"}, "accounts_dir"),
        ({"broker_cert_file": "x"}, "go together"),
        ({"client_key_file": "x"}, "go together"),
    ],
)
def test_settings_that_do_not_fit_together(wrong: dict[str, str], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        MqttSettings.model_validate(wrong)


def test_passwords_are_kept_as_mosquitto_keeps_them(tmp_path: Path) -> None:
    kept = hashed("a password")
    assert matches("a password", kept)
    assert not matches("another", kept)
    assert hashed("a password") != kept


def test_the_plugin_is_installed_where_these_tests_run() -> None:
    assert dynsec.plugin_file(), "apt-get install mosquitto"
    assert shutil.which("openssl")


async def test_a_broker_that_was_busy_hears_of_the_last_change_again() -> None:
    hints: list[float] = []
    hint = Hint(lambda: hints.append(asyncio.get_running_loop().time()), again_s=0.05)
    for _ in range(3):
        hint()
    assert len(hints) == 3
    await eventually(lambda: len(hints) == 4)
    assert hints[3] - hints[2] >= 0.05
