"""A mosquitto of our own: configured, started, kept alive and ended with the server."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import getpass
import hashlib
import logging
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from antiphon.processes import ChildProcess, Program, port_or_free
from antiphon_devices.settings import BrokerAddress, MqttSettings

SERVER_ACCOUNT = "antiphon"
INTEGRATOR_ACCOUNT = "integrator"
INTEGRATOR_FILE = "integrator.url"
SPEAKER_ACCOUNT = "speaker"
SPEAKER_FILE = "speaker.url"
_HASH_ROUNDS = 101
_SALT_BYTES = 12
_START_TIMEOUT_S = 5.0


@asynccontextmanager
async def own_broker(
    settings: MqttSettings, data_dir: Path, log: logging.Logger
) -> AsyncIterator[BrokerAddress]:
    """Run mosquitto while the context is entered; yields how the server logs in.

    Three accounts exist: one for the server, with a new password at every start, one for
    integrators, whose URL (password included) stays the same in `data_dir/integrator.url`, and
    one for loudspeakers, likewise in `speaker.url`, which reaches nothing but the topics of the
    device that its MQTT client id names.
    Raises ProgramMissing where mosquitto is not installed.
    """
    program = Program(
        command=[settings.program, "-c", str(data_dir / "mosquitto.conf")],
        package="mosquitto",
        level_of=_level_of,
    )
    program.path()
    port, was_taken = port_or_free(settings.bind, settings.port)
    if was_taken:
        log.warning("Port %d is taken, so our MQTT broker listens on %d", settings.port, port)
    address = BrokerAddress(
        host=_reachable(settings.bind),
        port=port,
        username=SERVER_ACCOUNT,
        password=SecretStr(secrets.token_urlsafe(24)),
    )
    _write_files(settings, address, data_dir)
    async with ChildProcess("mosquitto", program):
        await _listening(address)
        log.info(
            "MQTT: our broker listens on %s:%d; log in with the URL in %s",
            settings.bind,
            port,
            data_dir / INTEGRATOR_FILE,
        )
        yield address


async def _listening(address: BrokerAddress) -> None:
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


def _write_files(settings: MqttSettings, address: BrokerAddress, data_dir: Path) -> None:
    if address.password is None:
        raise AssertionError("our own broker always has a password")
    data_dir.mkdir(parents=True, exist_ok=True)
    data_dir.chmod(0o700)
    hashed = [f"{SERVER_ACCOUNT}:{_hashed(address.password.get_secret_value())}\n"]
    kept = ((INTEGRATOR_ACCOUNT, INTEGRATOR_FILE), (SPEAKER_ACCOUNT, SPEAKER_FILE))
    for account, file in kept:
        password = _kept_password(data_dir / file)
        hashed.append(f"{account}:{_hashed(password)}\n")
        url = f"mqtt://{account}:{password}@{address.host}:{address.port}\n"
        _write_secret(data_dir / file, url)
    _write_secret(data_dir / "passwords", "".join(hashed))
    _write_secret(data_dir / "access", _access(settings.root))
    _write_secret(data_dir / "mosquitto.conf", _configuration(settings, address.port, data_dir))


def _configuration(settings: MqttSettings, port: int, data_dir: Path) -> str:
    # Started as root, mosquitto would become the user `mosquitto`, who may read neither these
    # files nor the folders above them; and the kernel would forget to end it when we die.
    return "\n".join(
        [
            "# Written by Antiphon at every start; changes are lost.",
            f"listener {port} {settings.bind}",
            f"user {getpass.getuser()}",
            "allow_anonymous false",
            "set_tcp_nodelay true",
            # The default, 1000, silently drops the rest of what a newcomer finds retained.
            "max_queued_messages 200000",
            f"password_file {data_dir / 'passwords'}",
            f"acl_file {data_dir / 'access'}",
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


def _access(root: str) -> str:
    """Who reaches what. `%c` is the client id, in which mosquitto takes no wildcards."""
    lines = []
    for account in (SERVER_ACCOUNT, INTEGRATOR_ACCOUNT):
        lines += [f"user {account}", "topic readwrite #", "topic read $SYS/#"]
    device = f"{root}/device/%c"
    lines += [f"pattern write {device}/up/#", f"pattern read {device}/up/status"]
    return "\n".join([*lines, f"pattern read {device}/down/#", ""])


def _kept_password(file: Path) -> str:
    try:
        known = urlsplit(file.read_text().strip()).password
    except (OSError, ValueError):
        known = None
    return known or secrets.token_urlsafe(18)


def _hashed(password: str) -> str:
    """The form that mosquitto 2 reads: PBKDF2 with SHA-512."""
    salt = secrets.token_bytes(_SALT_BYTES)
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _HASH_ROUNDS)
    return f"$7${_HASH_ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"


def _write_secret(file: Path, text: str) -> None:
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
    new.replace(file)


def _reachable(bind: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind, bind)  # noqa: S104  compared, not bound


def _level_of(line: str) -> int:
    if "Error" in line:
        return logging.ERROR
    if "should not be run as root" in line:
        return logging.DEBUG  # whoever runs the server as root knows
    return logging.WARNING if "Warning" in line else logging.DEBUG
