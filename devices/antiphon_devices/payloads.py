"""The payloads of the contract.

What the server writes carries every key, null where it is not known. What the server reads may
carry keys that it does not know; they are ignored. `status` topics hold plain words instead.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer, model_validator

from antiphon.types import Band, CallState, CallStyle, DeadAirStep, Playback, Repeat

MAX_PAYLOAD_BYTES = 16 * 1024
PROTOCOL = "1.0"
ONLINE = b"online"
OFFLINE = b"offline"


def now() -> datetime:
    """The present, as all payloads tell it: UTC, to the millisecond."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _rfc3339(moment: datetime) -> str:
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


Timestamp = Annotated[AwareDatetime, PlainSerializer(_rfc3339, when_used="json")]
Percent = Annotated[int, Field(ge=0, le=100)]


class Written(BaseModel):
    """Base of what the server writes: closed, and complete down to the nulls."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    def encode(self) -> bytes:
        """The payload as bytes of UTF-8 JSON."""
        return self.model_dump_json().encode()


class Read(BaseModel):
    """Base of what others write: open to keys that a later version of them sends."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


# --- Control plane: written by the server -------------------------------------------------------


class ServerInfo(Written):
    """`server/info`."""

    name: str = "antiphon"
    version: str
    protocol: str = PROTOCOL
    started_at: Timestamp


class ClientInfo(Written):
    """`client/<client>/info`."""

    client_id: UUID
    name: str | None
    timezone: str | None
    protocol: str = PROTOCOL


class ZoneCounts(Written):
    """How many zones there are, and in how many music is asked for."""

    total: int
    playing: int


class DeviceCounts(Written):
    """How many loudspeakers there are, and how many of them are connected."""

    total: int
    online: int
    offline: int


class ClientState(Written):
    """`client/<client>/state`."""

    rev: int
    ts: Timestamp
    zones: ZoneCounts
    devices: DeviceCounts
    alerts: int


class Alert(Written):
    """`client/<client>/alert/<id>`: something that a person should look at; retained while open."""

    id: str
    ts: Timestamp
    code: str
    message: str
    topic: str | None


class SourceState(Written):
    """Where music comes from: a folder, a channel playlist. Names are unique within a client."""

    id: str
    name: str
    type: str


class ClientSources(Written):
    """`client/<client>/sources`: what the zones can be set to play."""

    rev: int
    ts: Timestamp
    sources: list[SourceState]


class FloorInfo(Written):
    """`…/floor/<floor>/info`."""

    floor_id: UUID
    client_id: UUID
    name: str
    protocol: str = PROTOCOL


class FloorState(Written):
    """`…/floor/<floor>/state`."""

    rev: int
    ts: Timestamp
    zones: ZoneCounts
    devices: DeviceCounts


class ZoneInfo(Written):
    """`…/zone/<zone>/info`."""

    zone_id: UUID
    client_id: UUID
    floor_id: UUID
    name: str
    protocol: str = PROTOCOL


class Activity(StrEnum):
    """What is heard in a zone, as opposed to what was asked for."""

    PLAYING = "playing"
    PAUSED = "paused"
    STOPPED = "stopped"
    ANNOUNCING = "announcing"
    FAULT = "fault"


class ScheduleState(Written):
    """What schedules will do to a zone."""

    enabled: bool | None = None
    next_change_at: Timestamp | None = None


class AnnouncementState(Written):
    """The call that is heard now."""

    id: UUID
    title: str
    band: Band
    started_at: Timestamp
    ends_at: Timestamp


class OnlineCounts(Written):
    """The loudspeakers of a zone."""

    online: int
    total: int


class ZoneState(Written):
    """`…/zone/<zone>/state`."""

    rev: int
    ts: Timestamp
    volume: Percent
    muted: bool
    playback: Playback
    activity: Activity
    source: SourceState | None = None
    schedule: ScheduleState = ScheduleState()
    announcement: AnnouncementState | None
    devices: OnlineCounts
    problems: list[str]


class Track(Written):
    """`…/zone/<zone>/track`. `position_s` was true at `position_at`; all null without a track."""

    title: str | None = None
    artist: str | None = None
    album: str | None = None
    duration_s: float | None = None
    position_s: float | None = None
    position_at: Timestamp | None = None
    art_url: str | None = None


class AnnouncementEvent(Written):
    """`…/zone/<zone>/event/announcement`: a call went on in the zone; `event_type` is its state."""

    event_type: CallState
    ts: Timestamp
    call_id: UUID
    announcement_id: UUID | None
    title: str
    reason: str | None


class TrackEventType(StrEnum):
    """What happened to a track."""

    STARTED = "started"
    FINISHED = "finished"
    SKIPPED = "skipped"


class TrackEvent(Written):
    """`…/zone/<zone>/event/track`. What is not told of an `event_type` is null."""

    event_type: TrackEventType
    ts: Timestamp
    music_id: UUID | None
    title: str
    artist: str | None = None
    duration_s: float | None = None
    played_s: float | None = None
    reason: str | None = None


class FaultEventType(StrEnum):
    """What went wrong."""

    STARVED = "starved"
    SILENT = "silent"
    HEARD = "heard"
    DEVICE_SILENT = "device_silent"
    DEVICE_HEARD = "device_heard"


class FaultEvent(Written):
    """`…/zone/<zone>/event/fault`: something is wrong with what is heard, or is well again.

    `starved`: `lost_s` of the zone's sound were lost, with a `reason`. `silent`: the zone should
    play and has not been heard for `silent_s`; `step` is what was done about it. The others are
    about one loudspeaker, `device_id`.
    """

    event_type: FaultEventType
    ts: Timestamp
    lost_s: float | None = None
    silent_s: float | None = None
    step: DeadAirStep | None = None
    device_id: UUID | None = None
    reason: str | None = None


class ScheduleEventType(StrEnum):
    """What became of a time of a schedule."""

    FIRED = "fired"
    SUPPRESSED = "suppressed"
    MISSED = "missed"


class ScheduleEvent(Written):
    """`client/<client>/event/schedule`: what became of a schedule's `instant`, and why."""

    event_type: ScheduleEventType
    ts: Timestamp
    schedule_id: UUID
    name: str
    instant: Timestamp | None
    zones: tuple[UUID, ...]
    call_id: UUID | None
    reason: str | None


class DeviceInfo(Written):
    """`client/<client>/device/<device>/info`."""

    id: UUID
    device_id: str
    client_id: UUID
    name: str
    device_type: str
    model: str | None
    firmware_version: str | None
    ip: str | None
    booted_at: Timestamp | None
    protocol: str = PROTOCOL


class DeviceState(Written):
    """`client/<client>/device/<device>/state`."""

    rev: int
    ts: Timestamp
    zone_id: UUID | None
    volume: Percent
    muted: bool
    latency_ms: int
    last_seen: Timestamp | None
    problems: list[str]


class DeviceTelemetry(Written):
    """`client/<client>/device/<device>/telemetry`: what the loudspeaker measured last."""

    ts: Timestamp
    uptime_s: float | None = None
    cpu_pct: float | None = None
    cpu_temp_c: float | None = None
    mem_used_pct: float | None = None
    disk_used_pct: float | None = None
    wifi_rssi_dbm: float | None = None
    clock_offset_ms: float | None = None
    output_level_db: float | None = None


class AckStatus(StrEnum):
    """What became of a command. `accepted` is followed by one of the others."""

    ACCEPTED = "accepted"
    COMPLETED = "completed"
    CLAMPED = "clamped"
    REJECTED = "rejected"
    FAILED = "failed"
    EXPIRED = "expired"


class Ack(Written):
    """The answer to a command. `id` is the command's own, `op` what was asked for.

    `result` holds what the caller may want to keep, such as `call_id` of an announcement.
    """

    id: str | None
    op: str
    status: AckStatus
    code: str | None = None
    message: str | None = None
    result: dict[str, Any] | None = None
    ts: Timestamp = Field(default_factory=now)


# --- Control plane: read by the server ----------------------------------------------------------


class Command(Read):
    """What every command may carry. A command older than `ttl_s` at its arrival is not executed."""

    id: str | None = Field(default=None, min_length=1, max_length=64)
    ts: AwareDatetime | None = None
    ttl_s: float = Field(default=30.0, gt=0, le=86_400)


class PlayCommand(Command):
    """`cmd/play`. Without ids the zone's own queue goes on."""

    music_ids: list[UUID] | None = Field(default=None, min_length=1)
    folder_ids: list[UUID] | None = Field(default=None, min_length=1)
    shuffle: bool = False
    repeat: Repeat = Repeat.ALL


class AnnounceCommand(Command):
    """`cmd/announce`: exactly one of `text`, `announcement_id` and `url`."""

    text: str | None = Field(default=None, min_length=1, max_length=5_000)
    announcement_id: UUID | None = None
    url: str | None = Field(default=None, min_length=1, max_length=2_000)
    voice: str | None = Field(default=None, max_length=100)
    band: Band | None = None
    style: CallStyle | None = None
    chime: bool | None = None
    expires_in_s: float | None = Field(default=None, gt=0, le=86_400)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(x is not None for x in (self.text, self.announcement_id, self.url)) != 1:
            raise ValueError("give exactly one of text, announcement_id and url")
        return self


class StopAnnouncementCommand(Command):
    """`cmd/stop_announcement`: the call with that id, or the one that is heard now."""

    call_id: UUID | None = None


class OrderCommand(Command):
    """`…/device/<device>/cmd/<op>`: what a loudspeaker is to do once."""

    args: dict[str, Any] = Field(default_factory=dict)


class SetDocument(Command):
    """`…/set` with a JSON object: several properties at once, all of them or none."""

    volume: Any = None
    playback: Any = None
    muted: Any = None
    source: Any = None
    schedule_enabled: Any = None
    latency_ms: Any = None

    @property
    def wishes(self) -> dict[str, Any]:
        """The properties that are wished for; null stands for no wish."""
        wishes = {name: getattr(self, name) for name in type(self).model_fields}
        return {n: v for n, v in wishes.items() if v is not None and n not in _ENVELOPE}


_ENVELOPE = frozenset(Command.model_fields)


# --- Device plane --------------------------------------------------------------------------------


class AgentState(Read):
    """`device/<device>/up/state`, as far as the server reads it."""

    rev: int | None = None
    ts: AwareDatetime | None = None
    volume: Percent | None = None
    muted: bool | None = None
    latency_ms: int | None = None
    snapclient: Literal["connected", "disconnected", "missing"] | None = None
    source: Literal["desired", "local"] = "desired"
    problems: list[str] = []


class SnapserverAddress(Written):
    """Where a loudspeaker finds its sound; the host is null for the host of the broker."""

    host: str | None
    port: int | None


class Desired(Written):
    """`device/<device>/down/desired`: what the loudspeaker should be."""

    rev: int
    ts: Timestamp
    name: str
    zone_id: UUID | None
    snapserver: SnapserverAddress | None = None
    volume: Percent
    muted: bool = False
    volume_max: Percent = 100
    latency_ms: int
    telemetry_interval_s: int = 60
