"""From what the server knows to what the contract says: pure functions, one per document."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from antiphon.plugins import DeviceView, PlaybackView, StreamServer
from antiphon.types import Playback
from antiphon_devices.documents import UNSTAMPED
from antiphon_devices.payloads import (
    Activity,
    AgentState,
    AnnouncementState,
    ClientState,
    Desired,
    DeviceCounts,
    DeviceInfo,
    DeviceState,
    DeviceTelemetry,
    FloorState,
    OnlineCounts,
    ScheduleState,
    SnapserverAddress,
    SourceState,
    Track,
    ZoneCounts,
    ZoneInfo,
    ZoneState,
    now,
)
from antiphon_devices.reports import AgentInfo, AgentTelemetry

# In `problems` of a loudspeaker that plays nothing though its zone does, and so of the zone.
SILENT = "silent"


def zone_info(zone: PlaybackView) -> ZoneInfo:
    """What a zone is."""
    return ZoneInfo(
        zone_id=zone.zone_id, client_id=zone.client_id, floor_id=zone.floor_id, name=zone.name
    )


def zone_state(
    zone: PlaybackView,
    devices: OnlineCounts,
    source: SourceState | None,
    schedule: ScheduleState,
) -> ZoneState:
    """What a zone was asked to do, and what is heard there."""
    return ZoneState(
        rev=0,
        ts=UNSTAMPED,
        volume=zone.volume,
        muted=zone.muted,
        playback=zone.playback,
        activity=_activity(zone),
        source=source,
        schedule=schedule,
        announcement=_announcement(zone),
        devices=devices,
        problems=list(zone.problems),
    )


def _activity(zone: PlaybackView) -> Activity:
    if zone.announcement is not None:
        return Activity.ANNOUNCING
    if zone.playback is Playback.PLAYING and zone.problems:
        return Activity.FAULT
    return Activity(zone.playback.value)


def _announcement(zone: PlaybackView) -> AnnouncementState | None:
    if (heard := zone.announcement) is None:
        return None
    return AnnouncementState(
        id=heard.call_id,
        title=heard.title,
        band=heard.band,
        started_at=heard.started_at,
        ends_at=heard.started_at + timedelta(seconds=heard.duration_s),
    )


def track(zone: PlaybackView, public_url: str) -> Track:
    """What plays, and where in it. The picture needs an address that others reach."""
    if (playing := zone.track) is None:
        return Track()
    return Track(
        title=playing.title,
        artist=playing.artist,
        album=playing.album,
        duration_s=round(playing.duration_s, 3),
        position_s=round(zone.position_s, 3),
        position_at=zone.position_at,
        art_url=f"{public_url}/api/v1/{playing.art}" if public_url and playing.art else None,
    )


def goes_on(before: PlaybackView, after: PlaybackView, slack_s: float = 1.0) -> bool:
    """Whether `after` is what whoever read the track of `before` expects: nothing is news."""
    if (before.track, before.playback) != (after.track, after.playback):
        return False
    if after.track is None:
        return True
    expected = before.position_s
    if after.playback is Playback.PLAYING:
        expected += (after.position_at - before.position_at).total_seconds()
    return abs(after.position_s - expected) <= slack_s


def client_state(zones: Iterable[PlaybackView], online: Iterable[bool], alerts: int) -> ClientState:
    """A tenant in figures; `online` has one entry per loudspeaker."""
    counts, devices = _zone_counts(zones), _device_counts(online)
    return ClientState(rev=0, ts=UNSTAMPED, zones=counts, devices=devices, alerts=alerts)


def floor_state(zones: Iterable[PlaybackView], online: Iterable[bool]) -> FloorState:
    """A floor in figures; `online` has one entry per loudspeaker in a zone of it."""
    counts, devices = _zone_counts(zones), _device_counts(online)
    return FloorState(rev=0, ts=UNSTAMPED, zones=counts, devices=devices)


def _zone_counts(zones: Iterable[PlaybackView]) -> ZoneCounts:
    asked = [zone.playback for zone in zones]
    return ZoneCounts(total=len(asked), playing=asked.count(Playback.PLAYING))


def _device_counts(online: Iterable[bool]) -> DeviceCounts:
    reachable = list(online)
    return DeviceCounts(
        total=len(reachable), online=reachable.count(True), offline=reachable.count(False)
    )


def device_info(device: DeviceView, client_id: object, agent: AgentInfo | None) -> DeviceInfo:
    """What a loudspeaker is."""
    return DeviceInfo.model_validate(
        {
            "id": device.id,
            "device_id": device.device_id,
            "client_id": client_id,
            "name": device.name,
            "device_type": device.device_type,
            "model": device.model or None,
            "firmware_version": device.firmware_version or None,
            "ip": device.ip_address or None,
            "booted_at": agent.booted_at if agent else None,
        }
    )


def device_state(
    device: DeviceView,
    agent: AgentState | None,
    *,
    clock_differs: bool = False,
) -> DeviceState:
    """How a loudspeaker is, as far as the server and, where there is one, its agent know."""
    problems = list(agent.problems) if agent else []
    if agent and agent.snapclient in ("disconnected", "missing"):
        problems.append(f"snapclient_{agent.snapclient}")
    problems.extend(device.problems)
    if clock_differs:
        problems.append("clock_skew")
    return DeviceState(
        rev=0,
        ts=UNSTAMPED,
        zone_id=device.zone_id,
        volume=device.volume,
        muted=device.muted,
        latency_ms=device.latency_ms,
        last_seen=device.last_seen,
        problems=problems,
    )


def desired(device: DeviceView, server: StreamServer | None, telemetry_interval_s: int) -> Desired:
    """What a loudspeaker's agent is to bring about."""
    address = SnapserverAddress(host=server.host, port=server.port) if server else None
    return Desired(
        rev=0,
        ts=UNSTAMPED,
        name=device.name,
        zone_id=device.zone_id,
        snapserver=address,
        volume=device.volume,
        muted=device.muted,
        latency_ms=device.latency_ms,
        telemetry_interval_s=telemetry_interval_s,
    )


def online_counts(online: Iterable[bool]) -> OnlineCounts:
    """The loudspeakers of one zone."""
    reachable = list(online)
    return OnlineCounts(online=reachable.count(True), total=len(reachable))


def telemetry(told: AgentTelemetry) -> DeviceTelemetry:
    """What a loudspeaker's agent measured; it was checked when it was read."""
    return DeviceTelemetry.model_construct(ts=now(), **dict(told))
