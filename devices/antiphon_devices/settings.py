"""The section `[mqtt]`."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

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

    @property
    def shown(self) -> str:
        """The address without the secret, for people."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


class MqttSettings(BaseModel):
    """MQTT. `url` empty: a mosquitto of our own, where it is installed; `off`: no MQTT at all.

    Else the URL of a broker that runs elsewhere. `port` and `bind` are for our own broker alone;
    a port that is taken is replaced by a free one, and the log says which. `ca_file` holds the
    certificates to trust for `mqtts://`, where the system's are not enough. Loudspeakers report
    their figures every `telemetry_interval_s`; one that misses two and a half times is offline.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: SecretStr = SecretStr("")
    port: int = Field(default=1883, ge=0, le=65535)
    bind: str = "127.0.0.1"
    root: str = "antiphon/v1"
    program: str = "mosquitto"
    ca_file: Path | None = None
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
        )
