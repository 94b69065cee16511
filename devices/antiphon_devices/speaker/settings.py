"""The settings of a loudspeaker: a TOML file, and variables over it."""

from __future__ import annotations

import os
import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from antiphon_devices.accounts.rights import ENROL_ACCOUNT
from antiphon_devices.settings import BrokerAddress, MqttSettings
from antiphon_devices.speaker import facts
from antiphon_devices.topics import device_key, is_root

PREFIX = "ANTIPHON_SPEAKER_"
DEFAULT_FILE = Path("/etc/antiphon/speaker.toml")


class WrongSettings(Exception):
    """A person must correct the settings; the message says which and how."""


class SpeakerSettings(BaseModel):
    """What a person decides about one loudspeaker; docs/use/speaker.md explains each."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: SecretStr
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    insecure: bool = False
    state_dir: Path = Path("/var/lib/antiphon-speaker")
    speak_code: bool = True
    root: str = "antiphon/v1"
    device_id: str = Field(default="", max_length=128)
    name: str = Field(default="", max_length=200)
    snapserver_host: str = ""
    snapserver_port: int = Field(default=1704, ge=1, le=65535)
    snapclient: str = "snapclient"
    player: str = ""
    soundcard: str = ""
    mixer: Literal["snapclient", "alsa"] = "snapclient"
    alsa_card: str = ""
    alsa_control: str = "PCM"
    tone_command: str = "aplay -q -"
    meter_command: str = ""
    keepalive_s: int = Field(default=10, ge=2, le=300)

    @field_validator("url")
    @classmethod
    def _a_broker(cls, url: SecretStr) -> SecretStr:
        try:
            address = MqttSettings(url=url).external
        except ValidationError:
            address = None
        if address is None:
            raise ValueError("write it as mqtt://user:password@host:port (mqtts:// for TLS)")
        return url

    @field_validator("root")
    @classmethod
    def _usable_root(cls, root: str) -> str:
        if not is_root(root):
            raise ValueError("levels without + # or blanks, such as antiphon/v1")
        return root

    @field_validator("tone_command", "meter_command")
    @classmethod
    def _splits(cls, command: str) -> str:
        shlex.split(command)
        return command

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together")
        return self

    @property
    def broker(self) -> BrokerAddress:
        """Where to log in, as the url says."""
        address = MqttSettings(
            url=self.url,
            ca_file=self.ca_file,
            client_cert_file=self.cert_file,
            client_key_file=self.key_file,
            insecure=self.insecure,
        ).external
        if address is None:
            raise AssertionError("the url was checked")
        return address

    @property
    def enrols(self) -> bool:
        """Whether the url is good for nothing but to ask for an account of our own."""
        return self.broker.username == ENROL_ACCOUNT

    @property
    def hardware_id(self) -> str:
        """What this loudspeaker is known by for good: its MAC address, unless set otherwise."""
        return self.device_id or facts.mac() or facts.hostname()

    @property
    def key(self) -> str:
        """The id in topics."""
        return device_key(self.hardware_id)


def load(file: Path | None, environ: Mapping[str, str] = os.environ) -> SpeakerSettings:
    """Read the settings. Without a `file` the usual one is read, if it is there.

    Raises WrongSettings, with all mistakes in one message.
    """
    values: dict[str, Any] = {}
    source = file or DEFAULT_FILE
    if file is not None or source.exists():
        try:
            values = tomllib.loads(source.read_text())
        except (OSError, ValueError) as error:
            raise WrongSettings(f"{source} can not be read: {error}") from None
    for name, value in environ.items():
        if name.startswith(PREFIX):
            values[name.removeprefix(PREFIX).lower()] = value
    try:
        return SpeakerSettings.model_validate(values)
    except ValidationError as error:
        mistakes = [
            f"{'.'.join(map(str, mistake['loc']))}: {mistake['msg'].removeprefix('Value error, ')}"
            for mistake in error.errors(include_url=False, include_input=False)
        ]
        where = f"{source} or the variables {PREFIX}…"
        raise WrongSettings(f"Correct this in {where}:\n  " + "\n  ".join(mistakes)) from None
