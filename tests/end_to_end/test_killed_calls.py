"""kill −9 of the whole server while calls are planned, queued and heard; then their receipts."""

from __future__ import annotations

import os
import signal
import threading
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.end_to_end.house import House, until
from tests.sounds import tone, write_wav

pytestmark = pytest.mark.alone
FINAL = {"completed", "cut", "expired", "revoked", "failed"}


class Shop:
    """A server without loudspeakers: what is heard is told by the renderer's samples."""

    def __init__(self, folder: Path, house: House) -> None:
        self.house = house
        names = ("Lobby", "Bar", "Gym")
        self.zones = {name: house.post("zones", {"name": name})["id"] for name in names}
        self.clips: dict[float, str] = {}
        for seconds in (0.2, 1.0, 3.0):
            file = write_wav(folder / f"{seconds}.wav", tone(seconds))
            clip = house.upload("announcements", file, title=f"{seconds} s")
            self.clips[seconds] = clip["id"]

    def call(self, seconds: float, *zones: str, **wishes: Any) -> str:
        body = {"announcement_id": self.clips[seconds], "zones": [self.zones[z] for z in zones]}
        call = self.house.post("calls", body | wishes)
        assert call["is_stored"]
        return str(call["id"])

    def kill(self) -> None:
        os.kill(self.house.process.pid, signal.SIGKILL)
        self.house.process.wait(20)
        self.house.start()

    def receipts(self, call: str, zone: str) -> list[dict[str, Any]]:
        query = f"play-events?call_id={call}&zone_id={self.zones[zone]}"
        found: list[dict[str, Any]] = self.house.get(query)["items"]
        return found

    def receipt(self, call: str, zone: str) -> dict[str, Any]:
        """The only one that there is, once it is closed. It is written behind the sound's back."""

        def look() -> dict[str, Any] | None:
            rows = self.receipts(call, zone)
            assert len(rows) <= 1, "a call has one receipt in a zone"
            return rows[0] if rows and rows[0]["outcome"] else None

        row = until(look, f"the end of {call} in {zone}", 60)
        assert row["outcome"] in FINAL
        return row

    def is_playing(self, call: str, zone: str) -> bool:
        states = {z["zone_id"]: z["state"] for z in self.house.get(f"calls/{call}")["zones"]}
        return bool(states[self.zones[zone]] == "playing")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with House(tmp_path, ANTIPHON_SNAPCAST__MODE="off") as house:
        yield Shop(tmp_path, house)


def test_open_calls_go_on_after_a_kill(shop: Shop) -> None:
    heard = shop.call(0.2, "Lobby")
    before = shop.receipt(heard, "Lobby")
    playing = shop.call(3.0, "Lobby")
    dropped = shop.call(3.0, "Bar", when_cut="drop")
    queued = [shop.call(0.2, "Lobby", expires_in_s=600) for _ in range(3)]
    expiring = shop.call(0.2, "Lobby", expires_in_s=1)
    planned = datetime.now(UTC) + timedelta(seconds=12)
    noon = shop.call(0.2, "Gym", at=planned.isoformat(), dedupe_key="noon")
    until(lambda: shop.is_playing(playing, "Lobby") and shop.is_playing(dropped, "Bar"), "sound")
    shop.kill()
    assert shop.call(0.2, "Gym", dedupe_key="noon") == noon, "the key is still known"
    assert shop.receipt(heard, "Lobby") == before
    again = shop.receipt(playing, "Lobby")
    assert (again["outcome"], again["times_heard"]) == ("completed", 1)
    assert "restarted" in again["error_message"]
    assert again["seconds_heard"] == pytest.approx(3.0, abs=0.05)
    assert shop.receipt(dropped, "Bar")["outcome"] == "cut"
    ends = [shop.receipt(call, "Lobby") for call in queued]
    assert [row["outcome"] for row in ends] == ["completed"] * 3
    times = [row["completed_at"] for row in (again, *ends)]
    assert times == sorted(times), "in the order in which they were asked for"
    assert shop.receipt(expiring, "Lobby")["outcome"] == "expired"
    row = shop.receipt(noon, "Gym")
    assert row["outcome"] == "completed"
    assert datetime.fromisoformat(row["completed_at"]) >= planned, "it is handed over ahead"


def test_nothing_that_was_acknowledged_is_lost(shop: Shop) -> None:
    """Somebody calls all the time; the server is killed in the middle, twice."""
    acknowledged: list[str] = []
    has_enough = threading.Event()

    def ask() -> None:
        try:
            while True:
                acknowledged.append(shop.call(0.2, "Gym", "Bar"))
                if len(acknowledged) % 8 == 0:
                    has_enough.set()
        except OSError:
            return

    for _ in range(2):
        has_enough.clear()
        asking = threading.Thread(target=ask)
        asking.start()
        assert has_enough.wait(30)
        os.kill(shop.house.process.pid, signal.SIGKILL)
        asking.join(30)
        shop.house.process.wait(20)
        shop.house.start()
    outcomes = defaultdict(list)
    for call in acknowledged:
        for zone in ("Gym", "Bar"):
            row = shop.receipt(call, zone)
            outcomes[row["outcome"]].append(row)
            assert row["times_heard"] == 1, row
            assert row["seconds_heard"] == pytest.approx(0.2, abs=0.05)
    assert set(outcomes) == {"completed"}
    repeated = [row for row in outcomes["completed"] if row["error_message"]]
    assert all("restarted" in row["error_message"] for row in repeated)
    assert len(repeated) <= 4, "one for each kill and zone, and no more"
