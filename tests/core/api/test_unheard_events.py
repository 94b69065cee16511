"""The play log also tells what was not heard, and can be asked for that alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from tests.core.api.conftest import Stage

from antiphon.playback.models import PlayEvent, PlayEventStatus


async def test_what_was_not_heard_is_listed_filtered_and_in_the_table(stage: Stage) -> None:
    ours: dict[str, Any] = {
        "client": stage.ours.client,
        "zone": stage.ours.shop,
        "schedule_id": UUID(int=5),
    }
    await PlayEvent.create(**ours, call_id=uuid4(), title="Heard", outcome="completed")
    await PlayEvent.create(
        **ours,
        title="Jingle",
        status=PlayEventStatus.UNHEARD,
        outcome="suppressed",
        due_at=datetime(2026, 5, 1, 12, tzinfo=UTC),
        times_due=7,
        error_message="Morning: quiet hours until 13:00",
    )
    for query in ({"status": "unheard"}, {"outcome": "suppressed"}):
        (one,) = (await stage.owner.get("play-events", **query)).json["items"]
        assert (one["title"], one["call_id"], one["times_due"]) == ("Jingle", None, 7)
        assert (one["schedule_id"], one["due_at"]) == (str(UUID(int=5)), "2026-05-01T12:00:00Z")
        assert one["error_message"] == "Morning: quiet hours until 13:00"
    both = (await stage.owner.get("play-events", schedule_id=str(UUID(int=5)))).json
    assert both["total"] == 2
    none = (await stage.owner.get("play-events", schedule_id=str(UUID(int=6)))).json
    assert none["total"] == 0
    table = await stage.owner.get("play-events/csv", outcome="suppressed")
    head, line = table.body.decode("utf-8-sig").strip().splitlines()
    row = dict(zip(head.split(","), line.split(","), strict=True))
    assert (row["outcome"], row["call_id"], row["times_due"]) == ("suppressed", "", "7")
