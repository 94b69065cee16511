from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from tests.fakes.snapserver import FakeSnapserver

from antiphon.streams.config import stream_name
from antiphon.streams.state import ServerState, apply_notification, read_status

ZONE = uuid4()


def client(client_id: str = "left", **changes: Any) -> dict[str, Any]:
    return {
        "id": client_id,
        "connected": True,
        "config": {
            "name": "",
            "instance": 2,
            "latency": 15,
            "volume": {"percent": 40, "muted": False},
        },
        "host": {"name": "pi", "ip": "::ffff:10.0.0.7", "os": "Debian", "arch": "arm64"},
        "snapclient": {"version": "0.31.0"},
        "lastSeen": {"sec": 1795345664, "usec": 1},
        **changes,
    }


def group(*clients: dict[str, Any], stream: str = "unassigned") -> dict[str, Any]:
    return {"id": "g1", "stream_id": stream, "clients": list(clients)}


def status(*groups: dict[str, Any]) -> dict[str, Any]:
    return FakeSnapserver().status(*groups)


@pytest.fixture
def state() -> ServerState:
    return read_status(status(group(client())))


def test_a_status_is_read(state: ServerState) -> None:
    left = state.clients["left"]
    assert (left.volume, left.latency_ms, left.instance) == (40, 15, 2)
    assert left.ip_address == "10.0.0.7"
    assert left.system == "Debian arm64"
    assert left.last_seen is not None
    assert left.zone_id is None
    assert (state.version, state.streams) == ("0.31.0", frozenset({"default"}))


@pytest.mark.parametrize("broken", [{}, {"server": None}, {"server": {"groups": [{}]}}])
def test_a_status_without_sense_is_said_so(broken: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="can not be read"):
        read_status(broken)


def test_notifications_change_what_they_speak_of(state: ServerState) -> None:
    cases: list[tuple[str, dict[str, Any], str, object]] = [
        ("Client.OnVolumeChanged", {"volume": {"percent": 7, "muted": True}}, "volume", 7),
        ("Client.OnNameChanged", {"name": "Bar"}, "name", "Bar"),
        ("Client.OnLatencyChanged", {"latency": 3}, "latency_ms", 3),
        ("Client.OnDisconnect", {"client": client(connected=False)}, "is_connected", False),
    ]
    for method, params, attribute, value in cases:
        changed = apply_notification(state, method, {"id": "left", **params})
        assert changed is not None
        assert getattr(changed.clients["left"], attribute) == value
        assert changed.clients["left"].stream == "unassigned"
    moved = {"id": "g1", "stream_id": stream_name(ZONE)}
    changed = apply_notification(state, "Group.OnStreamChanged", moved)
    assert changed is not None
    assert changed.clients["left"].zone_id == ZONE


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("Client.OnVolumeChanged", {"id": "unknown", "volume": {"percent": 1}}),
        ("Client.OnVolumeChanged", {"id": "left", "volume": None}),
        ("Client.OnConnect", {"id": "new", "client": client("new")}),
        ("Group.OnStreamChanged", {"id": "unknown", "stream_id": "x"}),
        ("Group.OnStreamChanged", {}),
        ("Server.OnUpdate", {"server": {}}),
        ("Stream.OnUpdate", {"id": "x"}),
        ("Something.OnNew", {}),
    ],
)
def test_what_can_not_be_applied_asks_for_the_whole_status(
    state: ServerState, method: str, params: dict[str, Any]
) -> None:
    assert apply_notification(state, method, params) is None


def test_a_client_that_is_seen_again_is_not_news(state: ServerState) -> None:
    later = read_status(status(group(client(lastSeen={"sec": 1795345999, "usec": 0}))))
    assert later.clients == state.clients
