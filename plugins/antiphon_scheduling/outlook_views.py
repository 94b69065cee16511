"""What preview, explain and next take and give."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Self
from uuid import UUID

from pydantic import AwareDatetime, Field, model_validator

from antiphon.plugins import ApiModel
from antiphon.types import Frozen
from antiphon_scheduling.models import Outcome, ScheduleRecord
from antiphon_scheduling.outcomes import Firing, Miss, Why
from antiphon_scheduling.plan import Place, Plan
from antiphon_scheduling.rules import Layer

LONGEST_DAYS = 31


class Result(StrEnum):
    """What becomes, or became, of a schedule's time in a zone.

    `unknown` is said of what is counted in tracks: it plays, nobody can tell when.
    """

    PLAYS = "plays"
    SUPPRESSED = "suppressed"
    MISSED = "missed"
    UNKNOWN = "unknown"


class OutlookItem(Frozen):
    """One time of one schedule, or of one channel playlist, in one zone.

    `does` is announcement, play or stop. `rule` is what names the time; `why` and `reason` say
    what kept it from the zone. `over` tells what did happen from what will.
    """

    at: datetime
    schedule_id: UUID | None = None
    playlist_id: UUID | None = None
    name: str
    does: str
    announcement_id: UUID | None = None
    result: Result
    why: Why | None = None
    reason: str | None = None
    by_schedule_id: UUID | None = None
    deferred_from: datetime | None = None
    rule: str
    layer: Layer | None = None
    priority: int | None = None
    over: bool = False

    @classmethod
    def coming(cls, outcome: Firing | Miss, plan: Plan, zone_id: UUID) -> Self | None:
        """What a decision means for a zone; None where it is not for that zone."""
        common = _of_plan(plan)
        if isinstance(outcome, Miss):
            reason = outcome.reason
            return cls(
                at=outcome.instant, does="none", result=Result.MISSED, reason=reason, **common
            )
        block = next((one for one in outcome.blocks if one.zone_id == zone_id), None)
        if block is None and zone_id not in outcome.zones:
            return None
        return cls(
            at=outcome.instant,
            does=outcome.music.do if outcome.music else "announcement",
            announcement_id=outcome.announcement_id,
            result=Result.SUPPRESSED if block else Result.PLAYS,
            why=block.why if block else None,
            reason=block.detail if block else None,
            by_schedule_id=block.by if block else None,
            deferred_from=outcome.deferred_from,
            **common,
        )

    @classmethod
    def past(cls, record: ScheduleRecord, plan: Plan, place: Place) -> Self | None:
        """What a record means for a zone; None where it is not for that zone."""
        wanted = str(place.zone_id)
        block = next((one for one in record.blocks if one["zone_id"] == wanted), None)
        for_none = not record.zones and not record.blocks and plan.covers(place)
        if block is None and wanted not in record.zones and not for_none:
            return None
        result = Result.SUPPRESSED if block else Result.PLAYS
        if block is None and record.outcome is Outcome.MISSED:
            result = Result.MISSED
        does = "announcement" if record.announcement_id else record.music or "none"
        return cls(
            at=record.instant,
            does=does,
            announcement_id=record.announcement_id,
            result=result,
            why=Why(block["why"]) if block else None,
            reason=block["detail"] if block else record.reason,
            by_schedule_id=block["by"] if block else None,
            deferred_from=record.deferred_from,
            over=True,
            **_of_plan(plan) | ({"rule": "run by hand"} if record.by_hand else {}),
        )


def _of_plan(plan: Plan) -> dict[str, object]:
    return {
        "schedule_id": plan.schedule_id,
        "name": plan.name,
        "rule": plan.recurrence.rule(),
        "layer": plan.limits.layer,
        "priority": plan.limits.priority[0],
    }


class Outlook(Frozen):
    """A period in a zone, in order. Times are in UTC; `timezone` is what its schedules go by.

    `exact` is false for periods that begin in more than two weeks: then whose turn it is among the
    announcements of one schedule may still differ.
    """

    zone_id: UUID
    timezone: str
    exact: bool = True
    items: tuple[OutlookItem, ...]


class Verdict(StrEnum):
    """What a schedule means for a zone at a moment."""

    PLAYS = "plays"
    SUPPRESSED = "suppressed"
    MISSED = "missed"
    NOT_NOW = "not_now"
    NOT_HERE = "not_here"
    OFF = "off"


class Explained(Frozen):
    """One schedule, or channel playlist, at one moment in one zone, and when its next time is."""

    schedule_id: UUID | None = None
    playlist_id: UUID | None = None
    name: str
    verdict: Verdict
    reason: str
    why: Why | None = None
    by_schedule_id: UUID | None = None
    rule: str
    layer: Layer | None = None
    next_at: datetime | None


class Explanation(Frozen):
    """Every schedule of the client and every playlist of the zone, those that play first."""

    zone_id: UUID
    at: datetime
    local_time: str
    timezone: str
    schedules: tuple[Explained, ...]


class PeriodQuery(ApiModel):
    """A period in a zone; RFC 3339 times with an offset. A day, if `to` is left out."""

    zone: UUID
    begin: AwareDatetime = Field(alias="from")
    to: AwareDatetime | None = None

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        if self.to is not None and not 0 < (self.to - self.begin).total_seconds() <= (
            LONGEST_DAYS * 86_400
        ):
            raise ValueError(f"`to` must lie after `from`, by at most {LONGEST_DAYS} days")
        return self


class MomentQuery(ApiModel):
    """A moment in a zone, to the minute."""

    zone: UUID
    at: AwareDatetime


class NextQuery(ApiModel):
    """How many of the next things in a zone to tell."""

    zone: UUID
    limit: int = Field(default=10, ge=1, le=100)
