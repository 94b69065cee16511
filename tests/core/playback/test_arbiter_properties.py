"""What has to hold of the arbiter whatever comes in, in whatever order."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.core.playback.arbitration import MIDNIGHT

from antiphon.playback.arbiter import Arbiter
from antiphon.playback.bids import Bid, Rest, Start, Stop
from antiphon.playback.record import Part, Record
from antiphon.playback.revival import bid_of, revive
from antiphon.plugins import CallRequest, CallStart, Routing, WhenCut
from antiphon.types import Band, CallState, Principal, Role

ZONES = [UUID(int=n) for n in range(1, 5)]
BANDS = list(Band)
PRIORITIES = sorted({n for band in BANDS for n in (band.priority, band.priorities[-1])} | {254})


class Building(RuleBasedStateMachine):
    """An arbiter and a renderer that obeys it, with the truth written down beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.arbiter = Arbiter()
        self.now = 0.0
        self.bids: dict[UUID, Bid] = {}
        self.prepared: set[UUID] = set()
        self.sounding: dict[UUID, UUID] = {}
        self.stopping: set[UUID] = set()
        self.states: dict[tuple[UUID, UUID], CallState] = {}
        self.completions: dict[tuple[UUID, UUID], int] = {}
        self.resting: set[tuple[UUID, UUID]] = set()
        self.begun: set[UUID] = set()
        self.records: dict[UUID, Record] = {}
        self.for_tracks: dict[UUID, list[UUID]] = {}
        for zone in ZONES:
            self.arbiter.add_zone(zone)

    def obey(self) -> None:
        for decision in self.arbiter.decide():
            for zone in decision.zones:
                if isinstance(decision, Start):
                    assert zone not in self.sounding, "two calls in one zone"
                    self.sounding[zone] = decision.call
                    self.begun.add(decision.call)
                    self.records[decision.call].parts[zone].delivered_at = MIDNIGHT
                elif isinstance(decision, Rest):
                    self.resting.add((decision.call, zone))
                elif isinstance(decision, Stop):
                    assert self.sounding[zone] == decision.call
                    assert zone not in self.stopping, "stopped twice"
                    self.stopping.add(zone)
        for change in self.arbiter.drain():
            key = (change.call, change.zone)
            before = self.states.get(key)
            assert before is None or not before.final, "a second final state"
            self.states[key] = change.state
            self.records[change.call].parts[change.zone].state = change.state
            if change.state.final:
                self.resting.discard(key)
        assert not self.arbiter.decide(), "a decision that was not given at once"

    @rule(
        zones=st.lists(st.sampled_from(ZONES), min_size=1, max_size=4),
        priority=st.sampled_from(PRIORITIES),
        start=st.sampled_from(list(CallStart)),
        routing=st.sampled_from(list(Routing)),
        times=st.integers(1, 3),
        gap=st.sampled_from([0.0, 1.0]),
        expires_in=st.none() | st.integers(1, 5),
        when_cut=st.sampled_from(list(WhenCut)),
        at_once=st.booleans(),
        for_tracks=st.lists(st.sampled_from(ZONES), max_size=4),
    )
    def submit(
        self,
        zones: list[UUID],
        priority: int,
        start: CallStart,
        routing: Routing,
        times: int,
        gap: float,
        expires_in: int | None,
        when_cut: WhenCut,
        at_once: bool,
        for_tracks: list[UUID],
    ) -> None:
        """`for_tracks`: zones in which it waits for the end of a track first."""
        call = UUID(int=1000 + len(self.bids))
        request = CallRequest(
            text="x",
            zones=zones,
            priority=priority,
            start=start,
            routing=routing,
            repeat=times,
            repeat_gap_s=gap,
            when_cut=when_cut,
        )
        expires_at = None if expires_in is None else self.now + expires_in
        record = self.records[call] = Record(
            id=call,
            client_id=UUID(int=0),
            request=request,
            principal=Principal(role=Role.CLIENT),
            parts={zone: Part() for zone in zones},
            title="x",
            band=Band.of(priority),
            created_at=MIDNIGHT,
            expires_at=MIDNIGHT + timedelta(seconds=expires_at) if expires_at else None,
            arrival=len(self.bids),
        )
        self.for_tracks[call] = for_tracks if routing is Routing.PARTIAL else []
        self.bids[call] = bid = bid_of(record, expires_at)
        self.arbiter.submit(bid)
        if at_once:
            self.make_ready(call)
        self.obey()

    def make_ready(self, call: UUID) -> None:
        self.prepared.add(call)
        is_open = self.records[call].open_zones
        zones = [zone for zone in self.for_tracks[call] if zone in is_open]
        self.resting |= {(call, zone) for zone in zones}
        self.arbiter.ready(call, None, dict.fromkeys(zones, "it waits for the end of the track"))

    @rule()
    def the_server_is_killed_and_comes_back(self) -> None:
        self.arbiter = Arbiter()
        for zone in ZONES:
            self.arbiter.add_zone(zone)
        self.sounding.clear()
        self.stopping.clear()
        self.resting.clear()
        for call, record in self.records.items():
            if record.is_over:
                continue
            endings = revive(record, MIDNIGHT + timedelta(seconds=self.now))
            self.bids[call] = bid = bid_of(record, self.bids[call].expires_at)
            self.arbiter.submit(bid)
            for zone, (state, reason) in endings.items():
                self.arbiter.leave(call, [zone], state, reason)
            self.arbiter.expire(self.now)
            self.obey()
            if call in self.prepared:
                self.make_ready(call)
            self.obey()

    def unprepared(self) -> list[UUID]:
        return [call for call in self.bids if call not in self.prepared]

    @precondition(lambda self: self.unprepared())
    @rule(data=st.data(), works=st.booleans())
    def prepare(self, data: st.DataObject, works: bool) -> None:
        call = data.draw(st.sampled_from(self.unprepared()))
        self.prepared.add(call)
        if works:
            self.make_ready(call)
        else:
            self.arbiter.failed(call, "no such file")
        self.obey()

    @precondition(lambda self: self.sounding)
    @rule(data=st.data(), end=st.sampled_from(["started", "completed", "failed", "busy"]))
    def report(self, data: st.DataObject, end: str) -> None:
        zone = data.draw(st.sampled_from(sorted(self.sounding, key=str)))
        call = self.sounding[zone]
        if end == "started":
            self.arbiter.started(call, zone)
        else:
            del self.sounding[zone]
            if zone in self.stopping and end != "completed":
                end = "cut"
            self.stopping.discard(zone)
            if end == "completed":
                key = (call, zone)
                self.completions[key] = self.completions.get(key, 0) + 1
                self.records[call].parts[zone].times_heard += 1
            state = CallState.QUEUED if end == "busy" else CallState(end)
            self.arbiter.finished(call, zone, state)
        self.obey()

    @precondition(lambda self: self.resting)
    @rule(data=st.data())
    def wake(self, data: st.DataObject) -> None:
        call, zone = data.draw(st.sampled_from(sorted(self.resting, key=str)))
        self.resting.discard((call, zone))
        self.arbiter.wake(call, [zone])
        self.obey()

    @precondition(lambda self: self.bids)
    @rule(data=st.data(), everywhere=st.booleans())
    def revoke(self, data: st.DataObject, everywhere: bool) -> None:
        call = data.draw(st.sampled_from(list(self.bids)))
        self.arbiter.revoke(call, None if everywhere else [ZONES[0]])
        self.obey()

    @rule(seconds=st.integers(1, 3))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds
        self.arbiter.expire(self.now)
        self.obey()

    @rule(zone=st.sampled_from(ZONES))
    def zone_goes_and_comes(self, zone: UUID) -> None:
        self.arbiter.remove_zone(zone)
        self.sounding.pop(zone, None)
        self.stopping.discard(zone)
        self.obey()
        self.arbiter.add_zone(zone)
        self.obey()

    @invariant()
    def no_call_is_lost(self) -> None:
        for call, bid in self.bids.items():
            for zone in bid.zones:
                assert (call, zone) in self.states

    @invariant()
    def none_is_heard_more_often_than_asked(self) -> None:
        for (call, _), times in self.completions.items():
            assert times <= self.bids[call].times

    @invariant()
    def what_sounds_is_open(self) -> None:
        for zone, call in self.sounding.items():
            assert not self.states[call, zone].final

    @invariant()
    def higher_never_waits_for_lower(self) -> None:
        """Who cuts in waits for no lower band, but for the blink in which zones are emptied.

        The exception: a zone is kept for a call before it that waits for all its zones.
        """
        for (call, zone), state in self.states.items():
            if state is not CallState.QUEUED or self.bids[call].start is not CallStart.CUT_IN:
                continue
            if call not in self.waiting_in(zone) or not self.is_apart(self.best_in(zone)):
                continue
            holder = self.sounding.get(zone)
            if holder is not None and zone not in self.stopping:
                assert band_of(self.bids[holder]) >= band_of(self.bids[call])

    @invariant()
    def unrelated_zones_never_wait(self) -> None:
        """Where calls wait in a free zone, the best of them waits for its own zones alone."""
        for zone in ZONES:
            if zone in self.sounding or not self.waiting_in(zone):
                continue
            best = self.best_in(zone)
            others = self.open_zones(best)
            if self.is_apart(best):
                mine = [z for z in others if best in self.waiting_in(z)]
                assert any(z in self.stopping for z in mine)
            else:
                assert not all(self.sounding.get(z) is None for z in others) or any(
                    (best, z) in self.resting or self.best_in(z) != best for z in others
                )

    @invariant()
    def together_waits_no_longer_than_it_has_to(self) -> None:
        for call, bid in self.bids.items():
            zones = self.open_zones(call)
            if self.is_apart(call) or not zones or call not in self.waiting_in(zones[0]):
                continue
            if not all(self.best_in(zone) == call for zone in zones):
                continue
            held = [self.sounding[z] for z in zones if z in self.sounding]
            is_held = any(z in self.sounding and z not in self.stopping for z in zones)
            assert held, "all its zones are free, and it does not start"
            if is_held and bid.start is CallStart.CUT_IN:
                assert any(band_of(self.bids[h]) >= band_of(bid) for h in held)

    @invariant()
    def all_or_nothing_does_not_wait(self) -> None:
        for call, bid in self.bids.items():
            zones = self.open_zones(call)
            if bid.routing is not Routing.ALL_OR_NOTHING or not zones or self.is_apart(call):
                continue
            if self.states[call, zones[0]] is CallState.QUEUED:
                assert any(zone in self.stopping for zone in zones)

    def open_zones(self, call: UUID) -> list[UUID]:
        zones = dict.fromkeys(self.bids[call].zones)
        return [zone for zone in zones if not self.states[call, zone].final]

    def is_apart(self, call: UUID) -> bool:
        return self.bids[call].routing is Routing.PARTIAL or call in self.begun

    def best_in(self, zone: UUID) -> UUID:
        return min(self.waiting_in(zone), key=lambda call: rank(self.bids[call]))

    def waiting_in(self, zone: UUID) -> list[UUID]:
        return [
            call
            for (call, where), state in self.states.items()
            if where == zone
            and state is CallState.QUEUED
            and self.sounding.get(zone) != call
            and (call, zone) not in self.resting
        ]

    def teardown(self) -> None:
        """Once nothing new comes, everything comes to its end."""
        for call in self.unprepared():
            self.make_ready(call)
        self.obey()
        for _ in range(60 * len(self.bids) + 1):
            for call, zone in list(self.resting):
                self.resting.discard((call, zone))
                self.arbiter.wake(call, [zone])
                self.obey()
            for zone, call in list(self.sounding.items()):
                del self.sounding[zone]
                end = CallState.CUT if zone in self.stopping else CallState.COMPLETED
                self.stopping.discard(zone)
                self.arbiter.finished(call, zone, end)
                self.obey()
        assert all(state.final for state in self.states.values())


def band_of(bid: Bid) -> int:
    return next(n for n, band in enumerate(BANDS) if bid.priority in band.priorities)


def rank(bid: Bid) -> tuple[int, bool, int, int]:
    is_latest = bid.priority == 255
    is_behind = not is_latest and bid.start is not CallStart.MAKE_NEXT
    arrival = -bid.arrival if is_latest else bid.arrival
    return (-band_of(bid), is_behind, -bid.priority, arrival)


TestBuilding = Building.TestCase
TestBuilding.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
