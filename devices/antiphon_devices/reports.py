"""The payloads of the device plane: what agents write, and what both sides read of each other."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from antiphon_devices.payloads import PROTOCOL, Percent, Read, Timestamp, Written, now

# --- written by an agent --------------------------------------------------------------------------


class AgentVersion(Written):
    """The program that speaks for a loudspeaker."""

    name: str
    version: str


class SnapclientVersion(Written):
    """The snapclient that it runs. `host_id` is the hardware's id, as snapserver knows it."""

    version: str | None
    host_id: str


class UpInfo(Written):
    """`device/<device>/up/info`: what a loudspeaker is."""

    device_id: str
    protocol: str = PROTOCOL
    hostname: str | None
    model: str | None
    manufacturer: str | None
    serial: str | None
    mac: str | None
    agent: AgentVersion
    snapclient: SnapclientVersion
    ip: str | None
    booted_at: Timestamp | None
    capabilities: list[str]


class UpState(Written):
    """`device/<device>/up/state`: how it is. `rev` is the desired document in force."""

    rev: int | None
    ts: Timestamp = Field(default_factory=now)
    zone_id: str | None
    volume: Percent | None
    muted: bool | None
    latency_ms: int | None
    snapclient: Literal["connected", "disconnected", "missing"]
    source: Literal["desired", "local"]
    problems: list[str]


class UpTelemetry(Written):
    """`device/<device>/up/telemetry`: figures that the next ones replace."""

    ts: Timestamp = Field(default_factory=now)
    uptime_s: float | None = None
    cpu_pct: float | None = None
    cpu_temp_c: float | None = None
    mem_used_pct: float | None = None
    disk_used_pct: float | None = None
    wifi_rssi_dbm: float | None = None
    clock_offset_ms: float | None = None
    output_level_db: float | None = None


class EnrolRequest(Written):
    """`enroll/<device>/request`: a loudspeaker without an account asks for one.

    `secret` is what it will log in with. `host_id` is the hardware's id, as snapserver knows it.
    """

    device_id: str
    secret: str = Field(repr=False)
    protocol: str = PROTOCOL
    hostname: str | None
    model: str | None
    mac: str | None
    host_id: str | None
    agent: AgentVersion


# --- read by an agent -----------------------------------------------------------------------------


class WishedServer(Read):
    """Where the sound comes from; null stands for the host of the broker and the usual port."""

    host: str | None = Field(default=None, min_length=1, max_length=253)
    port: int | None = Field(default=None, ge=1, le=65535)


class Wish(Read):
    """`device/<device>/down/desired`, as an agent reads it."""

    rev: int
    name: str = ""
    zone_id: str | None = None
    snapserver: WishedServer | None = None
    volume: Percent
    muted: bool = False
    volume_max: Percent = 100
    latency_ms: int = 0
    telemetry_interval_s: float = Field(default=60.0, ge=1, le=86_400)


class Order(Read):
    """`device/<device>/down/cmd/<op>`, as an agent reads it."""

    id: str = Field(min_length=1, max_length=64)
    ts: AwareDatetime | None = None
    ttl_s: float = Field(default=30.0, gt=0, le=86_400)
    args: dict[str, Any] = Field(default_factory=dict)


class ToneArguments(Read):
    """`args` of the order `test_tone`."""

    duration_s: float = Field(default=2.0, ge=0.1, le=30)
    frequency_hz: float = Field(default=440.0, ge=50, le=10_000)


# --- written and read by the server ---------------------------------------------------------------


class DeviceOrder(Written):
    """`device/<device>/down/cmd/<op>`, as the server writes it."""

    id: str
    ts: Timestamp = Field(default_factory=now)
    ttl_s: float
    args: dict[str, Any] = Field(default_factory=dict)


class HeardSnapclient(Read):
    """What an agent says of its snapclient."""

    version: str | None = None
    host_id: str | None = Field(default=None, min_length=1, max_length=128)


class HeardAgent(Read):
    """What an agent says of itself."""

    name: str | None = None
    version: str | None = None


class AgentInfo(Read):
    """`device/<device>/up/info`, as far as the server reads it: everything may be missing."""

    hostname: str | None = None
    model: str | None = None
    ip: str | None = None
    mac: str | None = None
    serial: str | None = None
    booted_at: AwareDatetime | None = None
    agent: HeardAgent | None = None
    snapclient: HeardSnapclient | None = None
    capabilities: list[str] | None = None


class HeardEnrolRequest(Read):
    """`enroll/<device>/request`, as far as the server reads it: id and secret must be there."""

    device_id: str = Field(min_length=1, max_length=63)
    secret: str = Field(min_length=16, max_length=128, pattern=r"^[\x21-\x7e]+$", repr=False)
    hostname: str | None = Field(default=None, max_length=200)
    model: str | None = Field(default=None, max_length=200)
    mac: str | None = Field(default=None, max_length=64)
    host_id: str | None = Field(default=None, min_length=1, max_length=128)
    agent: HeardAgent | None = None


Figure = Annotated[float, Field(allow_inf_nan=False)] | None


class AgentTelemetry(Read):
    """`device/<device>/up/telemetry`, as far as the server reads it."""

    uptime_s: Figure = None
    cpu_pct: Figure = None
    cpu_temp_c: Figure = None
    mem_used_pct: Figure = None
    disk_used_pct: Figure = None
    wifi_rssi_dbm: Figure = None
    clock_offset_ms: Figure = None
    output_level_db: Figure = None


class AgentAck(Read):
    """`device/<device>/up/ack`, as the server reads it."""

    id: str = Field(min_length=1, max_length=64)
    status: Literal["accepted", "completed", "clamped", "rejected", "failed", "expired"]
    code: str | None = Field(default=None, max_length=100)
    message: str | None = Field(default=None, max_length=1000)
