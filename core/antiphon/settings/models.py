"""Every setting of the server, with its default; docs/reference/settings.md is held to it."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr


def _network(value: str) -> str:
    try:
        return str(ip_network(value.strip()))
    except ValueError:
        raise ValueError(
            "should be addresses or networks, such as 127.0.0.1 or 10.0.0.0/8"
        ) from None


class Section(BaseModel):
    """Base of all sections: a key that is not known is a mistake, never silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Network = Annotated[str, AfterValidator(_network)]


class HttpSettings(Section):
    """The API and the page. Port 0 takes any free one.

    A proxy of `trusted_proxies` says who really asks; with `metrics_token`, whoever sends it sees
    `metrics`; without, this machine alone.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8490, ge=0, le=65535)
    max_upload_mb: int = Field(default=500, ge=1)
    access_token_minutes: int = Field(default=60, ge=1)
    public_url: str = Field(default="", pattern=r"^(https?://[^\s?#]+)?$")
    trusted_proxies: list[Network] = []
    metrics_token: SecretStr = SecretStr("")


class DatabaseSettings(Section):
    """`url` empty: SQLite in the data directory. Else `postgres://user:password@host:port/name`."""

    url: SecretStr = SecretStr("")


class AudioSettings(Section):
    """Levels and ramps of everything that is heard.

    `cache_gb`: how much decoded sound is kept on disk, 0.7 GB an hour; 0 keeps none. Where music
    should play and none is heard for `dead_air_s`, the track is skipped, then the music started
    anew, then `fallback_folder` is played.
    `output_latency_ms` comes on top of Snapcast's buffer: what is to be heard at a time leaves
    earlier by both.
    """

    music_lufs: float = Field(default=-18.0, ge=-40, le=-6)
    voice_lufs: float = Field(default=-16.0, ge=-40, le=-6)
    true_peak_db: float = Field(default=-1.5, ge=-12, le=0)
    duck_gap_lu: float = Field(default=12.0, ge=0, le=60)
    duck_down_s: float = Field(default=0.5, ge=0.02, le=5)
    duck_up_s: float = Field(default=1.0, ge=0.02, le=10)
    cache_gb: float = Field(default=4.0, ge=0)
    dead_air_s: float = Field(default=10.0, ge=2, le=600)
    fallback_folder: Path | None = None
    max_renderers: int = Field(default=0, ge=0, le=64)
    output_latency_ms: int = Field(default=0, ge=-1_000, le=10_000)


class SnapcastSettings(Section):
    """The Snapcast server. A port that is taken is replaced by a free one, and the log says which.

    `mode`: `child` starts and supervises one, `external` talks to one that runs at `host`, `off`
    does without. An external server reads its zones over TCP from `source_host`.
    """

    mode: Literal["child", "external", "off"] = "child"
    host: str = "127.0.0.1"
    bind: str = "0.0.0.0"  # noqa: S104  loudspeakers connect to this port from the network
    stream_port: int = Field(default=1704, ge=0, le=65535)
    control_port: int = Field(default=1705, ge=0, le=65535)
    http_port: int = Field(default=1780, ge=0, le=65535)
    buffer_ms: int = Field(default=1000, ge=100, le=10_000)
    chunk_ms: int = Field(default=20, ge=10, le=60)
    codec: Literal["pcm", "flac", "opus"] = "flac"
    unassigned: Literal["silent", "first_zone"] = "silent"
    source_host: str = "127.0.0.1"
    program: str = "snapserver"


class AdminSettings(Section):
    """The first admin, made by `antiphon init`. An empty password is generated and printed once."""

    email: str = "admin@antiphon.local"
    password: SecretStr = SecretStr("")


class AccountSettings(Section):
    """People and clients. `signup` lets anybody make a client of their own, on trial."""

    signup: bool = False
    trial_days: int = Field(default=14, ge=1, le=3650)
    refresh_token_days: int = Field(default=7, ge=1, le=365)
    password_link_hours: int = Field(default=24, ge=1, le=720)


class MailSettings(Section):
    """The server that mail is sent through. An empty `host` means that none is sent."""

    host: str = ""
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: SecretStr = SecretStr("")
    sender: str = "antiphon@localhost"
    timeout_s: float = Field(default=20.0, gt=0, le=300)


class TrashSettings(Section):
    """What was deleted can be restored for `keep_days`; then it goes for good, with its files."""

    keep_days: int = Field(default=30, ge=0, le=36_500)


class LogSettings(Section):
    """`format`: `console` for people, `json` for machines."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "console"


class Settings(Section):
    """The sections of the core. Every plugin has a section of its own name beside them."""

    environment: str = "development"
    data_dir: Path = Path("data")
    http: HttpSettings = HttpSettings()
    database: DatabaseSettings = DatabaseSettings()
    audio: AudioSettings = AudioSettings()
    snapcast: SnapcastSettings = SnapcastSettings()
    admin: AdminSettings = AdminSettings()
    accounts: AccountSettings = AccountSettings()
    mail: MailSettings = MailSettings()
    trash: TrashSettings = TrashSettings()
    log: LogSettings = LogSettings()
    disabled_plugins: list[str] = []
