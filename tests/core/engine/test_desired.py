"""What a fresh renderer is told: everything that holds, nothing that is over."""

from __future__ import annotations

import pytest

from antiphon.engine.desired import DesiredState
from antiphon.engine.protocol import (
    AddZone,
    Attach,
    CallFinished,
    Clip,
    CloseTap,
    Command,
    Configure,
    DropProgramme,
    LoadProgramme,
    OpenTap,
    Pause,
    Position,
    RemoveZone,
    Resume,
    SetUpcoming,
    SetVolume,
    StartCall,
    Track,
    TrackFailed,
    TrackStarted,
    decode,
    encode,
)

A, B, C = (Track(name, f"/music/{name}.mp3") for name in "abc")
CALL = StartCall("call", ("lobby", "bar"), Clip("/clip.wav", -3.0), Clip("/chime.wav"))


def replayed(*given: Command, now: float = 100.0) -> list[Command]:
    state = DesiredState(Configure())
    for command in given:
        state.sent(command, 0.0)
    return [c for c in state.commands(now) if not isinstance(c, Configure)]


def playing() -> DesiredState:
    state = DesiredState(Configure())
    state.sent(AddZone("lobby", "null:"), 0.0)
    state.sent(LoadProgramme("p", (A, B, C)), 0.0)
    state.sent(Attach("lobby", "p"), 0.0)
    return state


def load(state: DesiredState, now: float) -> LoadProgramme:
    (found,) = (c for c in state.commands(now) if isinstance(c, LoadProgramme))
    return found


def test_zones_come_back_with_their_volume() -> None:
    zone = AddZone("lobby", "fifo:/x", 70)
    assert replayed(zone, SetVolume("lobby", 30)) == [AddZone("lobby", "fifo:/x", 30)]
    assert replayed(zone, OpenTap("lobby", "/tap"), RemoveZone("lobby")) == []


def test_music_goes_on_where_it_was() -> None:
    state = playing()
    state.reported(TrackStarted("p", "a", 0.0, 60.0), 10.0)
    state.reported(Position("p", "a", 20.0, playing=True), 30.0)
    found = load(state, 30.7)
    assert found.tracks == (A, B, C)
    assert found.position_s == pytest.approx(20.7)
    assert found.playing


def test_tracks_that_are_over_or_broken_are_not_played_again() -> None:
    state = playing()
    state.reported(TrackFailed("p", "b", "broken"), 5.0)
    state.reported(TrackStarted("p", "c", 0.0, 60.0), 60.0)
    assert load(state, 61.0).tracks == (C,)


def test_a_paused_programme_stays_paused_at_its_position() -> None:
    state = playing()
    state.reported(Position("p", "a", 20.0, playing=True), 30.0)
    state.sent(Pause("p"), 31.0)
    found = load(state, 500.0)
    assert not found.playing
    assert found.position_s == pytest.approx(21.0)
    state.sent(Resume("p"), 500.0)
    assert load(state, 502.0).position_s == pytest.approx(23.0)


def test_the_window_that_was_sent_last_counts() -> None:
    state = playing()
    state.sent(SetUpcoming("p", (C,)), 1.0)
    assert load(state, 2.0).tracks == (A, C)
    state.sent(DropProgramme("p"), 3.0)
    assert not [c for c in state.commands(4.0) if isinstance(c, LoadProgramme)]


def test_an_open_call_starts_again_where_it_was_not_over() -> None:
    state = DesiredState(Configure())
    state.sent(CALL, 0.0)
    state.reported(CallFinished("call", "bar", "completed", 3.0), 4.0)
    (_, call) = state.commands(5.0)
    assert isinstance(call, StartCall)
    assert call.zones == ("lobby",)
    state.reported(CallFinished("call", "lobby", "completed", 3.0), 5.0)
    assert len(list(state.commands(6.0))) == 1


def test_a_tap_is_opened_again_until_it_is_closed() -> None:
    zone = AddZone("lobby", "null:")
    assert replayed(zone, OpenTap("lobby", "/t"))[-1] == OpenTap("lobby", "/t")
    assert replayed(zone, OpenTap("lobby", "/t"), CloseTap("lobby")) == [zone]


@pytest.mark.parametrize(
    "message",
    [
        CALL,
        LoadProgramme("p", (A, B), 1.5),
        Attach("lobby", None),
        CallFinished("c", "z", "cut", 1.0),
    ],
)
def test_messages_survive_the_wire(message: Command) -> None:
    line = encode(message)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line) == message
