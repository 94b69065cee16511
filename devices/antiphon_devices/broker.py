"""A mosquitto of our own: configured, started, kept alive and ended with the server."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import logging
import os
import secrets
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from antiphon.errors import ProgramMissing
from antiphon.processes import ChildProcess, Program, given_back, port_or_free
from antiphon_devices.accounts import dynsec
from antiphon_devices.accounts.book import Book, MemoryBook
from antiphon_devices.accounts.files import ACCESS, PASSWORDS, FileKeeper, kept_url, write_secret
from antiphon_devices.accounts.keeper import Keeper
from antiphon_devices.accounts.passwords import hashed
from antiphon_devices.accounts.rights import (
    ENROL_ACCOUNT,
    EVERYTHING,
    INTEGRATOR_ACCOUNT,
    SERVER_ACCOUNT,
    Rights,
    of_newcomer,
)
from antiphon_devices.settings import BrokerAddress, MqttSettings

INTEGRATOR_FILE = "integrator.url"
ENROL_FILE = "enroll.url"
_DYNSEC_FILE = "dynamic-security.json"
_LOOPBACK = "127.0.0.1"
_CONFIGURATION = "mosquitto.conf"
_START_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Listening:
    """Where our broker listens: for us and this machine, and, with TLS, for others."""

    bind: str
    port: int
    tls_port: int | None

    @property
    def url_for_others(self) -> str:
        """Host and port with a scheme, as loudspeakers are told."""
        host = _reachable(self.bind)
        host = f"[{host}]" if ":" in host else host
        return f"mqtts://{host}:{self.tls_port}" if self.tls_port else f"mqtt://{host}:{self.port}"

    def lines(self, settings: MqttSettings) -> list[str]:
        """Of mosquitto's configuration."""
        if self.tls_port is None:
            return [f"listener {self.port} {self.bind}"]
        return [
            f"listener {self.port} {_LOOPBACK}",
            f"listener {self.tls_port} {self.bind}",
            f"certfile {settings.broker_cert_file}",
            f"keyfile {settings.broker_key_file}",
        ]


@asynccontextmanager
async def own_broker(
    settings: MqttSettings, data_dir: Path, log: logging.Logger
) -> AsyncIterator[BrokerAddress]:
    """See `keeping_broker`; here, there are no accounts but the three."""
    control = dynsec.Control(lambda _: None)
    async with keeping_broker(settings, data_dir, MemoryBook(), control, log) as (address, _):
        yield address


@asynccontextmanager
async def keeping_broker(
    settings: MqttSettings,
    data_dir: Path,
    book: Book,
    control: dynsec.Control,
    log: logging.Logger,
) -> AsyncIterator[tuple[BrokerAddress, Keeper]]:
    """Run mosquitto while the context is entered; yields how we log in, and who keeps accounts.

    Beside the accounts of the book there are three: the server's, with a new password at every
    start, one that reaches everything, whose URL (password included) stays the same in
    `data_dir/integrator.url`, and one for newcomers, likewise in `enroll.url`, with which a
    loudspeaker asks for an account. Raises ProgramMissing where mosquitto is not installed.
    """
    program = Program(
        command=[settings.program, "-c", str(data_dir / _CONFIGURATION)],
        package="mosquitto",
        level_of=_level_of,
    )
    program.path()
    last = _ports_of_last_run(settings, data_dir / _CONFIGURATION)
    await given_back((settings.bind, port) for port in last)
    listening = _ports(settings, log)
    address = BrokerAddress(
        host=_LOOPBACK if listening.tls_port else _reachable(settings.bind),
        port=listening.port,
        username=SERVER_ACCOUNT,
        password=SecretStr(secrets.token_urlsafe(24)),
    )
    fixed = _fixed_accounts(settings, address, listening, data_dir)
    child = ChildProcess("mosquitto", program)
    keeper: Keeper
    if settings.account_way == "dynsec":
        keeper = await _with_dynsec(settings, data_dir, book, control, fixed, log)
        accounts = _dynsec_lines(data_dir)
    else:
        keeper = FileKeeper(data_dir, settings.root, book, fixed, lambda: _hang_up(child))
        keeper.write(await book.all())
        accounts = [f"password_file {data_dir / PASSWORDS}", f"acl_file {data_dir / ACCESS}"]
    configuration = _configuration([*listening.lines(settings), *accounts], data_dir)
    write_secret(data_dir / _CONFIGURATION, configuration)
    async with child:
        await _is_listening(address)
        log.info(
            "MQTT: our broker listens on %s:%d; log in with the URL in %s",
            settings.bind,
            listening.tls_port or listening.port,
            data_dir / INTEGRATOR_FILE,
        )
        yield address, keeper


def _ports_of_last_run(settings: MqttSettings, configuration: Path) -> list[int]:
    last = configuration.read_text() if configuration.exists() else ""
    wanted = {settings.port, settings.tls_port if settings.broker_cert_file else 0} - {0}
    return [port for port in wanted if f"listener {port} " in last]


def _ports(settings: MqttSettings, log: logging.Logger) -> Listening:
    has_tls = settings.broker_cert_file is not None
    port = _port(_LOOPBACK if has_tls else settings.bind, settings.port, log)
    tls_port = _port(settings.bind, settings.tls_port, log) if has_tls else None
    return Listening(settings.bind, port, tls_port)


def _port(bind: str, wanted: int, log: logging.Logger) -> int:
    port, was_taken = port_or_free(bind, wanted)
    if was_taken:
        log.warning("Port %d is taken, so our MQTT broker listens on %d", wanted, port)
    return port


async def _is_listening(address: BrokerAddress) -> None:
    """Wait until the broker listens, or for as long as is reasonable: then others will say so."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_START_TIMEOUT_S):
            while True:
                try:
                    _, writer = await asyncio.open_connection(address.host, address.port)
                except OSError:
                    await asyncio.sleep(0.02)
                    continue
                writer.close()
                return


def _fixed_accounts(
    settings: MqttSettings, address: BrokerAddress, listening: Listening, data_dir: Path
) -> Mapping[str, tuple[str, Rights]]:
    if address.password is None:
        raise AssertionError("our own broker always has a password")
    data_dir.mkdir(parents=True, exist_ok=True)
    data_dir.chmod(0o700)
    fixed = {SERVER_ACCOUNT: (hashed(address.password.get_secret_value()), EVERYTHING)}
    here = f"mqtt://{address.host}:{address.port}"
    password = kept_url(data_dir / INTEGRATOR_FILE, INTEGRATOR_ACCOUNT, here)
    fixed[INTEGRATOR_ACCOUNT] = (hashed(password), EVERYTHING)
    if settings.enrolment:
        password = kept_url(data_dir / ENROL_FILE, ENROL_ACCOUNT, listening.url_for_others)
        fixed[ENROL_ACCOUNT] = (hashed(password), of_newcomer(settings.root))
    return fixed


async def _with_dynsec(
    settings: MqttSettings,
    data_dir: Path,
    book: Book,
    control: dynsec.Control,
    fixed: Mapping[str, tuple[str, Rights]],
    log: logging.Logger,
) -> Keeper:
    others = {name: account for name, account in fixed.items() if name != SERVER_ACCOUNT}
    accounts = await book.all()
    text = dynsec.first_file(fixed[SERVER_ACCOUNT][0], others, accounts, settings.root)
    write_secret(data_dir / _DYNSEC_FILE, text)
    return dynsec.DynsecKeeper(control, settings.root, book, fixed.keys(), log)


def _dynsec_lines(data_dir: Path) -> list[str]:
    plugin = dynsec.plugin_file()
    if plugin is None:
        raise ProgramMissing("mosquitto's plugin for dynamic security", "mosquitto")
    return [f"plugin {plugin}", f"plugin_opt_config_file {data_dir / _DYNSEC_FILE}"]


def _configuration(lines: list[str], data_dir: Path) -> str:
    # Started as root, mosquitto would become the user `mosquitto`, who may read neither these
    # files nor the folders above them; and the kernel would forget to end it when we die.
    return "\n".join(
        [
            "# Written by Antiphon at every start; changes are lost.",
            *lines,
            f"user {getpass.getuser()}",
            "allow_anonymous false",
            "set_tcp_nodelay true",
            # The default, 1000, silently drops the rest of what a newcomer finds retained.
            "max_queued_messages 200000",
            "persistence true",
            f"persistence_location {data_dir}/",
            "autosave_interval 60",
            "log_dest stderr",
            "log_type error",
            "log_type warning",
            "log_type notice",
            "connection_messages false",
            "",
        ]
    )


def _hang_up(child: ChildProcess) -> None:
    """Let the broker read its files again. One that is just starting does so by itself."""
    if (pid := child.pid) is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGHUP)


def _reachable(bind: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind, bind)  # noqa: S104  compared, not bound


def _level_of(line: str) -> int:
    if "Error" in line:
        return logging.ERROR
    if "should not be run as root" in line:
        return logging.DEBUG  # whoever runs the server as root knows
    return logging.WARNING if "Warning" in line else logging.DEBUG
