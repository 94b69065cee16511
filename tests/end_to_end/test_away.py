"""A real server that is away at an opening time brings the zone into the state of the clock."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.conftest import Migrated
from tests.end_to_end.house import House, until
from tests.sounds import tone, write_wav

pytestmark = pytest.mark.alone
GRACE_S = 1.0
AHEAD_S = 6  # time enough to set a boundary, and to be gone two seconds before it
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class Shop:
    """A zone with music and opening hours."""

    def __init__(self, folder: Path, house: House) -> None:
        self.house = house
        self.zone = str(house.post("zones", {"name": "Lobby"})["id"])
        self.folder = house.post("folders", {"name": "Music", "type": "music"})["id"]
        file = write_wav(folder / "song.wav", tone(30.0))
        house.upload("music", file, folder_id=self.folder)

    def play(self) -> None:
        self.house.post(f"zones/{self.zone}/playback/play", {"folder_ids": [self.folder]})

    def stop(self) -> None:
        self.house.post(f"zones/{self.zone}/playback/stop")

    def is_open(self, opens: datetime, closes: datetime) -> None:
        """Set the opening hours, of every day; to the second."""
        hours = {"days": DAYS, "opens": f"{opens:%H:%M:%S}", "closes": f"{closes:%H:%M:%S}"}
        music = {"do": "play", "folder_ids": [self.folder]}
        body = {"hours": [hours], "music": music}
        self.house.put(f"zones/{self.zone}/opening-hours", body)

    def away_over(self, boundary: datetime) -> None:
        """Kill the server before a time, and start it when that is too old to be fired."""
        assert datetime.now(UTC) < boundary - timedelta(seconds=2), "the machine was too slow"
        os.kill(self.house.process.pid, signal.SIGKILL)
        self.house.process.wait(20)
        wait_for(boundary + timedelta(seconds=GRACE_S + 1))
        self.house.start()

    def restart(self) -> None:
        self.house.stop()
        self.house.start()

    def playback(self) -> str:
        return str(self.house.get(f"zones/{self.zone}/playback")["playback"])

    def becomes(self, playback: str) -> None:
        until(lambda: self.playback() == playback, playback, 30)

    def changes(self) -> list[tuple[str, str]]:
        """What schedules did to the music so far, and what kept them from it."""
        begin = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        path = f"schedules/preview?zone={self.zone}&from={begin}"
        items = self.house.get(path)["items"]
        return [(item["does"], item["result"]) for item in items if item["over"]]


def wait_for(at: datetime) -> None:
    """Let the wall clock reach a time: it is what this is about."""
    while (left_s := (at - datetime.now(UTC)).total_seconds()) > 0:
        time.sleep(left_s)


@pytest.fixture
def shop(tmp_path: Path, migrated: Migrated) -> Iterator[Shop]:
    migrated(tmp_path / "data")
    variables = {
        "ANTIPHON_SNAPCAST__MODE": "off",
        "ANTIPHON_SCHEDULING__MISFIRE_GRACE_S": str(GRACE_S),
    }
    with House(tmp_path, **variables) as house:
        yield Shop(tmp_path, house)


def test_opening_and_closing_while_the_server_was_away(shop: Shop) -> None:
    opens = (datetime.now(UTC) + timedelta(seconds=AHEAD_S)).replace(microsecond=0)
    shop.is_open(opens, opens + timedelta(hours=2))
    shop.away_over(opens)
    shop.becomes("playing")
    assert shop.changes() == [("play", "plays")]
    shop.stop()  # by hand, after the boundary
    shop.restart()
    until(lambda: shop.changes() == [("play", "plays")], "the log")
    assert shop.playback() == "stopped", "what a person did stands, over a restart too"
    shop.play()
    closes = (datetime.now(UTC) + timedelta(seconds=AHEAD_S)).replace(microsecond=0)
    shop.is_open(closes + timedelta(hours=12), closes)
    shop.away_over(closes)
    shop.becomes("stopped")
    shop.restart()
    assert shop.playback() == "stopped"


def test_what_a_person_did_while_no_schedules_were_there_is_not_undone(shop: Shop) -> None:
    opens = (datetime.now(UTC) + timedelta(seconds=AHEAD_S)).replace(microsecond=0)
    shop.is_open(opens, opens + timedelta(hours=2))
    shop.house._variables["ANTIPHON_DISABLED_PLUGINS"] = '["scheduling"]'
    shop.away_over(opens)
    shop.play()
    shop.stop()
    del shop.house._variables["ANTIPHON_DISABLED_PLUGINS"]
    shop.restart()
    until(lambda: shop.changes() == [("play", "suppressed")], "the log")
    assert shop.playback() == "stopped"
    (event,) = until(
        lambda: shop.house.get("play-events?status=unheard")["items"], "the play event"
    )
    assert event["outcome"] == "suppressed"
    assert "changed by hand" in event["error_message"]
