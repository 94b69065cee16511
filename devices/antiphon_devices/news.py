"""What happens, as passing messages: announcement, track and fault in a zone, and schedules."""

from __future__ import annotations

from antiphon.events import (
    CallChanged,
    DeviceEvent,
    DeviceFellSilent,
    DeviceHeard,
    Event,
    ScheduleFired,
    ScheduleMissed,
    ScheduleSuppressed,
    TrackFinished,
    TrackSkipped,
    TrackStarted,
    ZoneEvent,
    ZoneHeard,
    ZoneSilent,
    ZoneStarved,
)
from antiphon_devices.payloads import (
    AnnouncementEvent,
    FaultEvent,
    FaultEventType,
    ScheduleEvent,
    ScheduleEventType,
    TrackEvent,
    TrackEventType,
    Written,
)


def news(event: ZoneEvent) -> tuple[str, Written] | None:
    """The kind and the document of what integrators are told of `event`; None for the rest."""
    match event:
        case CallChanged():
            return "announcement", AnnouncementEvent(
                event_type=event.state,
                ts=event.at,
                call_id=event.call_id,
                announcement_id=event.announcement_id,
                title=event.title,
                reason=event.reason,
            )
        case TrackStarted() | TrackFinished() | TrackSkipped():
            return "track", _track(event)
        case ZoneStarved():
            return "fault", FaultEvent(
                event_type=FaultEventType.STARVED,
                ts=event.at,
                lost_s=round(event.seconds, 3),
                reason=event.reason,
            )
        case ZoneSilent():
            return "fault", FaultEvent(
                event_type=FaultEventType.SILENT,
                ts=event.at,
                silent_s=round(event.seconds, 3),
                step=event.step,
            )
        case ZoneHeard():
            return "fault", FaultEvent(event_type=FaultEventType.HEARD, ts=event.at)
        case _:
            return None


def device_news(event: DeviceEvent) -> FaultEvent | None:
    """What integrators of its zone are told of a loudspeaker; None for the rest."""
    match event:
        case DeviceFellSilent():
            kind = FaultEventType.DEVICE_SILENT
        case DeviceHeard():
            kind = FaultEventType.DEVICE_HEARD
        case _:
            return None
    return FaultEvent(event_type=kind, ts=event.at, device_id=event.device_id)


SCHEDULE_NEWS: tuple[type[Event], ...] = (ScheduleFired, ScheduleSuppressed, ScheduleMissed)


def _track(event: TrackStarted | TrackFinished | TrackSkipped) -> TrackEvent:
    more: dict[str, object]
    common = {"ts": event.at, "music_id": event.music_id, "title": event.title}
    match event:
        case TrackStarted():
            kind = TrackEventType.STARTED
            more = {"artist": event.artist, "duration_s": round(event.duration_s, 3)}
        case TrackFinished():
            kind, more = TrackEventType.FINISHED, {"played_s": round(event.played_s, 3)}
        case TrackSkipped():
            kind, more = TrackEventType.SKIPPED, {"reason": event.reason}
    return TrackEvent.model_validate({"event_type": kind, **common, **more})


def schedule_news(event: Event) -> ScheduleEvent | None:
    """What integrators are told of a schedule; None for what is about none."""
    match event:
        case ScheduleFired():
            kind, zones = ScheduleEventType.FIRED, event.zones
        case ScheduleSuppressed():
            kind, zones = ScheduleEventType.SUPPRESSED, event.zones
        case ScheduleMissed():
            kind, zones = ScheduleEventType.MISSED, event.zones
        case _:
            return None
    return ScheduleEvent(
        event_type=kind,
        ts=event.at,
        schedule_id=event.schedule_id,
        name=event.name,
        instant=event.instant,
        zones=zones,
        call_id=event.call_id if isinstance(event, ScheduleFired) else None,
        reason=None if isinstance(event, ScheduleFired) else event.reason,
    )
