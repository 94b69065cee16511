"""What has to hold of the arbiter whatever comes in, in whatever order."""

from __future__ import annotations

from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from antiphon.playback.arbiter import Arbiter
from antiphon.playback.bids import Bid, Start, Stop
from antiphon.plugins import WhenCut
from antiphon.types import Band, CallState

ZONES = [UUID(int=n) for n in range(1, 5)]
BANDS = list(Band)


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
        for zone in ZONES:
            self.arbiter.add_zone(zone)

    def obey(self) -> None:
        for decision in self.arbiter.decide():
            for zone in decision.zones:
                if isinstance(decision, Start):
                    assert zone not in self.sounding, "two calls in one zone"
                    self.sounding[zone] = decision.call
                elif isinstance(decision, Stop):
                    assert self.sounding[zone] == decision.call
                    assert zone not in self.stopping, "stopped twice"
                    self.stopping.add(zone)
        for change in self.arbiter.drain():
            key = (change.call, change.zone)
            before = self.states.get(key)
            assert before is None or not before.final, "a second final state"
            self.states[key] = change.state
        assert not self.arbiter.decide(), "a decision that was not given at once"

    @rule(
        zones=st.lists(st.sampled_from(ZONES), min_size=1, max_size=4),
        band=st.sampled_from(BANDS),
        expires_in=st.none() | st.integers(1, 5),
        when_cut=st.sampled_from(list(WhenCut)),
        at_once=st.booleans(),
    )
    def submit(
        self,
        zones: list[UUID],
        band: Band,
        expires_in: int | None,
        when_cut: WhenCut,
        at_once: bool,
    ) -> None:
        call = UUID(int=1000 + len(self.bids))
        expires_at = None if expires_in is None else self.now + expires_in
        bid = Bid(call, tuple(zones), band.priority, len(self.bids), expires_at, when_cut)
        self.bids[call] = bid
        self.arbiter.submit(bid)
        if at_once:
            self.arbiter.ready(call)
            self.prepared.add(call)
        self.obey()

    def unprepared(self) -> list[UUID]:
        return [call for call in self.bids if call not in self.prepared]

    @precondition(lambda self: self.unprepared())
    @rule(data=st.data(), works=st.booleans())
    def prepare(self, data: st.DataObject, works: bool) -> None:
        call = data.draw(st.sampled_from(self.unprepared()))
        self.prepared.add(call)
        if works:
            self.arbiter.ready(call)
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
            state = CallState.QUEUED if end == "busy" else CallState(end)
            self.arbiter.finished(call, zone, state)
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
    def none_is_heard_to_its_end_twice(self) -> None:
        assert all(times == 1 for times in self.completions.values())

    @invariant()
    def what_sounds_is_open(self) -> None:
        for zone, call in self.sounding.items():
            assert not self.states[call, zone].final

    @invariant()
    def higher_never_waits_for_lower(self) -> None:
        """Nobody waits for a lower band, but for the blink in which the zones are emptied."""
        for (call, zone), state in self.states.items():
            if state is not CallState.QUEUED or self.sounding.get(zone) == call:
                continue
            holder = self.sounding.get(zone)
            if holder is not None and zone not in self.stopping:
                assert band_of(self.bids[holder]) >= band_of(self.bids[call])

    @invariant()
    def unrelated_zones_never_wait(self) -> None:
        """Where calls wait in a free zone, the best of them waits for a zone to be emptied."""
        for zone in ZONES:
            if zone in self.sounding or not (waiting := self.waiting_in(zone)):
                continue
            best = min(waiting, key=lambda call: rank(self.bids[call]))
            others = [z for z in self.bids[best].zones if z in self.stopping]
            assert any(self.states[best, other] is CallState.QUEUED for other in others)

    def waiting_in(self, zone: UUID) -> list[UUID]:
        return [
            call
            for (call, where), state in self.states.items()
            if where == zone and state is CallState.QUEUED and self.sounding.get(zone) != call
        ]

    def teardown(self) -> None:
        """Once nothing new comes, everything comes to its end."""
        for call in self.unprepared():
            self.arbiter.ready(call)
        self.obey()
        for _ in range(20 * len(self.bids) + 1):
            for zone, call in list(self.sounding.items()):
                del self.sounding[zone]
                end = CallState.CUT if zone in self.stopping else CallState.COMPLETED
                self.stopping.discard(zone)
                self.arbiter.finished(call, zone, end)
                self.obey()
        assert all(state.final for state in self.states.values())


def band_of(bid: Bid) -> int:
    return next(n for n, band in enumerate(BANDS) if bid.priority in band.priorities)


def rank(bid: Bid) -> tuple[int, int]:
    return (-bid.priority, bid.arrival)


TestBuilding = Building.TestCase
TestBuilding.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
