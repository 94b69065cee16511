from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from tests.core.api.conftest import Stage, open_stage
from tests.fakes.database import Tenant, fresh_database
from tests.fakes.queries import counted

from antiphon.building.models import Device
from antiphon.playback.models import PlaybackState, PlayEvent
from antiphon.plugins import Media, MediaRef, MediaRegistry, MediaSource, MediaTotals
from antiphon.types import Playback


class Shelf(MediaSource):
    """Every client has two tracks."""

    def __init__(self) -> None:
        self.clients: list[UUID] = []

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset({"music", "folder"})

    async def resolve(self, client_id: UUID, ref: MediaRef) -> Media:
        raise NotImplementedError

    async def totals(self, client_id: UUID | None) -> Mapping[str, Mapping[UUID, MediaTotals]]:
        two = MediaTotals(count=2, seconds=300.0, bytes=10_000)
        return {"music": {key: two for key in self.clients if client_id in (None, key)}}


async def events(tenant: Tenant, *outcomes: str, at: datetime | None = None) -> None:
    for outcome in outcomes:
        row = await PlayEvent.create(
            client=tenant.client, zone=tenant.shop, call_id=uuid4(), outcome=outcome
        )
        if at is not None:
            await PlayEvent.filter(id=row.id).update(created_at=at)


async def test_figures_of_ones_own(stage: Stage) -> None:
    await Device.filter(id=stage.ours.speaker.id).update(is_online=True)
    await Device.create(client=stage.ours.client, name="Off", device_id="off")
    stage.ours.client.max_storage_gb = 2.5
    await stage.ours.client.save()
    await PlaybackState.create(zone=stage.ours.shop, playback=Playback.PLAYING)
    await PlaybackState.create(zone=stage.ours.bar, playback=Playback.PAUSED)
    await events(stage.ours, "completed", "completed", "cut", "")
    await events(stage.ours, "completed", at=datetime.now(UTC) - timedelta(days=2))
    await PlayEvent.create(
        client=stage.ours.client,
        zone=stage.ours.shop,
        device=stage.ours.speaker,
        call_id=uuid4(),
        outcome="completed",
    )
    await PlayEvent.create(  # no call was made, so it is none of today's
        client=stage.ours.client, zone=stage.ours.shop, status="unheard", outcome="suppressed"
    )
    await events(stage.theirs, "failed")
    shelf = Shelf()
    shelf.clients += [stage.ours.client.id, stage.theirs.client.id]
    stage.parts.media.add(shelf)

    with counted() as queries:
        ours = (await stage.owner.get("stats")).json
    assert 3 <= len(queries) <= 6, queries
    assert (ours["zones"], ours["zones_playing"]) == (2, 1)
    assert (ours["devices"], ours["devices_online"]) == (2, 1)
    assert ours["calls_today"] == {"completed": 2, "cut": 1, "open": 1}
    assert ours["media"] == {"music": {"count": 2, "seconds": 300.0, "bytes": 10_000}}
    assert (ours["storage_bytes"], ours["storage_limit_bytes"]) == (10_000, 2_500_000_000)

    everything = (await stage.admin.get("stats")).json
    assert everything["zones"] == 4
    assert everything["calls_today"]["failed"] == 1
    assert everything["storage_bytes"] == 20_000
    by_admin = (await stage.admin.get("stats", client_id=str(stage.ours.client.id))).json
    assert by_admin == ours
    assert (await stage.owner.get("stats", client_id=str(stage.theirs.client.id))).status == 404
    on_floor = (await stage.cellar_user.get("stats")).json
    assert on_floor["devices"] == 0
    assert on_floor["calls_today"] == {}


async def test_figures_of_each_client_are_for_operators(stage: Stage) -> None:
    shelf = Shelf()
    shelf.clients.append(stage.ours.client.id)
    stage.parts.media.add(shelf)
    assert (await stage.owner.get("stats/clients")).status == 403
    with counted() as queries:
        page = (await stage.staff.get("stats/clients")).json
    assert 4 <= len(queries) <= 7, queries
    ours, theirs = page["items"]
    assert (ours["name"], ours["zones"], ours["devices"]) == ("Ours", 2, 1)
    assert (ours["storage_bytes"], theirs["storage_bytes"]) == (10_000, 0)
    assert page["total"] == 2


@pytest.mark.parametrize("timezone", ["Pacific/Auckland", "America/Los_Angeles"])
async def test_the_day_begins_at_the_clients_midnight(timezone: str) -> None:
    async with fresh_database(), open_stage(media=MediaRegistry()) as stage:
        stage.ours.client.timezone = timezone
        await stage.ours.client.save()
        began = datetime.fromisoformat((await stage.owner.get("stats")).json["day_began_at"])
        await events(stage.ours, "completed", at=began + timedelta(seconds=1))
        await events(stage.ours, "cut", at=began - timedelta(seconds=1))
        assert (await stage.owner.get("stats")).json["calls_today"] == {"completed": 1}
