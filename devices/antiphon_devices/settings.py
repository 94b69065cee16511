"""The section `[mqtt]`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from antiphon_devices.topics import is_root

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_FORM = (
    "mqtt://user:password@host:port (mqtts:// for TLS), or off, or nothing for a broker of our own"
)


class BrokerAddress(BaseModel):
    """Where a broker listens and how to log in there."""

    model_config = ConfigDict(frozen=True)

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: SecretStr | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    insecure: bool = False

    @property
    def shown(self) -> str:
        """The address without the secret, for people."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


class MqttSettings(BaseModel):
    """MQTT. `url` empty: a mosquitto of our own, where it is installed; `off`: no MQTT at all.

    Else the URL of a broker that runs elsewhere. `port` and `bind` are for our own broker alone;
    a port that is taken is replaced by a free one, and the log says which. With a certificate
    (`broker_cert_file`, `broker_key_file`) it speaks TLS on `tls_port` of `bind`, and without it
    on this machine alone. Loudspeakers report their figures every `telemetry_interval_s`; one that
    misses two and a half times is offline.

    For `mqtts://`, `ca_file` holds the certificates to trust, where the system's are not enough,
    `client_cert_file` and `client_key_file` are our own, and `insecure` believes any broker.

    `accounts` says who makes accounts for loudspeakers and integrators: `files` writes mosquitto's
    files, `dynsec` commands its dynamic security, `managed` leaves it to others; `auto` is `files`
    for our own broker and `managed` for others. For another's broker, `files` are written in
    `accounts_dir`, and the process in `broker_pid_file` is told. With `enrolment` off, no new
    loudspeaker can ask to join.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: SecretStr = SecretStr("")
    port: int = Field(default=1883, ge=0, le=65535)
    bind: str = "127.0.0.1"
    root: str = "antiphon/v1"
    program: str = "mosquitto"
    tls_port: int = Field(default=8883, ge=0, le=65535)
    broker_cert_file: Path | None = None
    broker_key_file: Path | None = None
    ca_file: Path | None = None
    client_cert_file: Path | None = None
    client_key_file: Path | None = None
    insecure: bool = False
    accounts: Literal["auto", "files", "dynsec", "managed"] = "auto"
    accounts_dir: Path | None = None
    broker_pid_file: Path | None = None
    enrolment: bool = True
    telemetry_interval_s: int = Field(default=60, ge=10, le=3600)

    @field_validator("url")
    @classmethod
    def _known_form(cls, url: SecretStr) -> SecretStr:
        text = url.get_secret_value()
        if text in ("", "off"):
            return url
        try:
            parts = urlsplit(text)
            good = parts.scheme in _PORTS and parts.hostname and parts.port != 0
        except ValueError:
            good = False
        if not good or parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError(f"write it as {_FORM}")
        return url

    @field_validator("root")
    @classmethod
    def _usable_root(cls, root: str) -> str:
        if not is_root(root):
            raise ValueError("levels without + # or blanks, such as antiphon/v1")
        return root

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        for pair in (
            ("broker_cert_file", "broker_key_file"),
            ("client_cert_file", "client_key_file"),
        ):
            if len({getattr(self, name) is None for name in pair}) > 1:
                raise ValueError(f"{pair[0]} and {pair[1]} go together")
        is_own = not self.url.get_secret_value()
        if is_own and self.accounts == "managed":
            raise ValueError("accounts: our own broker's are managed here: auto, files or dynsec")
        if not is_own and self.accounts == "files" and self.accounts_dir is None:
            raise ValueError("accounts_dir: say where the broker at [mqtt] url reads its files")
        return self

    @property
    def account_way(self) -> Literal["files", "dynsec", "managed"]:
        """Who makes accounts, where nothing else is wished."""
        if self.accounts == "auto":
            return "managed" if self.url.get_secret_value() else "files"
        return self.accounts

    @property
    def is_off(self) -> bool:
        """Whether MQTT is not wanted."""
        return self.url.get_secret_value() == "off"

    @property
    def external(self) -> BrokerAddress | None:
        """The broker that runs elsewhere; None where one of our own is wanted, or none at all."""
        text = self.url.get_secret_value()
        if text in ("", "off"):
            return None
        parts = urlsplit(text)
        return BrokerAddress(
            host=parts.hostname or "",
            port=parts.port or _PORTS[parts.scheme],
            tls=parts.scheme == "mqtts",
            username=unquote(parts.username) if parts.username is not None else None,
            password=SecretStr(unquote(parts.password)) if parts.password is not None else None,
            ca_file=self.ca_file,
            cert_file=self.client_cert_file,
            key_file=self.client_key_file,
            insecure=self.insecure,
        )
