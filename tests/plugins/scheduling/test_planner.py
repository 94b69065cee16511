"""What is due: each instant once, in order, none that is too old, and nothing lost."""

from __future__ import annotations

import heapq
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from antiphon_scheduling.outcomes import Firing, Miss
from antiphon_scheduling.plan import Limits, Place, Plan
from antiphon_scheduling.planner import Planner
from antiphon_scheduling.recurrence import Cron, Interval, Music

MIDNIGHT = datetime(2026, 5, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CLIENT = uuid4()
HALL = Place(uuid4())


def _plan(every_min: int, announcements: int = 1, **more: Any) -> Plan:
    names = [UUID(int=number) for number in range(announcements)]
    return Plan(
        schedule_id=uuid4(),
        recurrence=Interval(every_min=every_min, announcements=names),
        client_id=CLIENT,
        name="A",
        zone=ZoneInfo("UTC"),
        anchor=MIDNIGHT,
        since=MIDNIGHT,
        settled_until=MIDNIGHT,
        **more,
    )


def _places(client_id: UUID) -> list[Place]:
    return [HALL] if client_id == CLIENT else []


def _planner(*plans: Plan, grace: timedelta = MINUTE) -> Planner:
    planner = Planner(grace, _places)
    for plan in plans:
        planner.put(plan)
    return planner


def _run(planner: Planner, until: datetime) -> list[Firing | Miss]:
    """All that comes out when the clock goes by seconds of 20."""
    found: list[Firing | Miss] = []
    now = MIDNIGHT
    while now <= until:
        found += planner.due(now)
        now += timedelta(seconds=20)
    return found


def test_each_instant_comes_once_and_announcements_take_turns() -> None:
    found = _run(_planner(_plan(5, announcements=3)), MIDNIGHT + 20 * MINUTE)
    assert all(isinstance(item, Firing) for item in found)
    assert [(item.instant - MIDNIGHT) // MINUTE for item in found] == [5, 10, 15, 20]
    assert [item.announcement_id for item in found if isinstance(item, Firing)] == [
        UUID(int=number) for number in (0, 1, 2, 0)
    ]


def test_nothing_that_is_settled_is_due_again() -> None:
    plan = _plan(5)
    planner = _planner(replace(plan, settled_until=MIDNIGHT + 10 * MINUTE))
    assert planner.next_instant == MIDNIGHT + 15 * MINUTE


def test_of_what_falls_together_the_important_comes_first() -> None:
    low, high = (_plan(5, limits=Limits(priority=(one, 0))) for one in (10, 90))
    found = list(_planner(low, high).due(MIDNIGHT + 5 * MINUTE))
    assert [item.schedule_id for item in found] == [high.schedule_id, low.schedule_id]


def test_after_a_long_sleep_the_old_is_missed_once_and_the_pace_is_kept() -> None:
    planner = _planner(_plan(10))
    now = MIDNIGHT + timedelta(hours=8, minutes=3)
    (miss,) = planner.due(now)
    assert isinstance(miss, Miss)
    assert (miss.instant, miss.until) == (MIDNIGHT + 10 * MINUTE, now - MINUTE)
    assert planner.next_instant == MIDNIGHT + timedelta(hours=8, minutes=10)


@pytest.mark.parametrize(("late_s", "fires"), [(0, True), (59, True), (60, True), (61, False)])
def test_what_is_a_little_late_is_fired_and_what_is_later_is_not(late_s: int, fires: bool) -> None:
    (item,) = _planner(_plan(10)).due(MIDNIGHT + 10 * MINUTE + timedelta(seconds=late_s))
    assert isinstance(item, Firing if fires else Miss)


def test_of_several_due_at_once_the_latest_is_fired() -> None:
    planner = _planner(_plan(1), grace=timedelta(hours=1))
    miss, firing = planner.due(MIDNIGHT + 5 * MINUTE)
    assert isinstance(miss, Miss)
    assert isinstance(firing, Firing)
    assert firing.instant == MIDNIGHT + 5 * MINUTE
    assert miss.until < firing.instant


def test_a_plan_that_is_replaced_or_removed_leaves_nothing_behind() -> None:
    plan, other = _plan(5), _plan(7)
    planner = _planner(plan, other)
    planner.put(replace(plan, settled_until=MIDNIGHT + 60 * MINUTE))
    planner.remove(other.schedule_id)
    assert planner.next_instant == MIDNIGHT + 65 * MINUTE
    planner.remove(plan.schedule_id)
    assert planner.next_instant is None
    assert list(planner.due(MIDNIGHT + 600 * MINUTE)) == []


def test_replacing_a_plan_again_and_again_does_not_fill_the_memory() -> None:
    planner = _planner(plan := _plan(5))
    for _ in range(1_000):
        planner.put(plan)
    assert len(planner._heap) < 200


def test_a_firing_looks_at_no_other_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    planner = _planner(*(_plan(1440 + number) for number in range(500)), _plan(1))
    asked: list[UUID] = []
    following = Plan.following

    def counting(plan: Plan, after: datetime, *quiets: Any) -> datetime | None:
        asked.append(plan.schedule_id)
        return following(plan, after, *quiets)

    monkeypatch.setattr(Plan, "following", counting)
    assert len(list(planner.due(MIDNIGHT + MINUTE))) == 1
    assert len(asked) == 1
    assert heapq.nsmallest(1, planner._heap)[0].instant == MIDNIGHT + 2 * MINUTE


def _daypart(*, hour: int, **more: Any) -> Plan:
    music = Music(do="stop")
    daily = Cron(expression=f"0 {hour} * * *", music=music)
    return replace(_plan(5), recurrence=daily, name=str(hour), **more)


def test_the_last_change_of_music_that_was_missed_may_be_made_up_for() -> None:
    planner = _planner(_daypart(hour=9))
    (miss,) = planner.due(MIDNIGHT + timedelta(days=40, hours=12))
    assert isinstance(miss, Miss)
    assert miss.zones == (HALL.zone_id,)
    assert miss.instant == MIDNIGHT + timedelta(hours=9)
    assert miss.late is not None
    assert miss.late.instant == MIDNIGHT + timedelta(days=40, hours=9)
    assert miss.late.zones == (HALL.zone_id,)
    assert planner.next_instant == MIDNIGHT + timedelta(days=41, hours=9)


def test_an_announcement_that_was_missed_is_never_made_up_for() -> None:
    (miss,) = _planner(_plan(10)).due(MIDNIGHT + timedelta(hours=8, minutes=3))
    assert isinstance(miss, Miss)
    assert miss.late is None
    assert miss.announcement_id == UUID(int=0)
