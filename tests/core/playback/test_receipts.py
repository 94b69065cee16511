"""Every reason why something was heard or not, with the real renderer: by zone and loudspeaker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from tests.core.playback.conftest import Stage
from tests.core.playback.test_real_renderer import NullStreams, tone
from tests.fakes.waiting import eventually
from tests.real_time import in_real_time

from antiphon import events
from antiphon.building.models import Device, Zone
from antiphon.engine.host import RendererHost
from antiphon.playback import ZoneController
from antiphon.playback.models import PlayEvent, PlayEventStatus
from antiphon.playback.record import Record
from antiphon.plugins import CallRequest, Media, MediaRef, PlayRequest
from antiphon.settings.models import AudioSettings
from antiphon.types import CallState


@dataclass
class Shop:
    """A zone with three loudspeakers: one that is there, one muted, one away."""

    stage: Stage
    zones: ZoneController
    folder: Path
    devices: dict[str, Device]

    def clip(self, seconds: float, path: Path | None = None) -> UUID:
        key = uuid4()
        self.stage.media.speech.stored[key] = Media(
            ref=MediaRef(kind="announcement", value=str(key)),
            path=path or tone(self.folder / f"{key}.wav", seconds),
            title="clip",
            duration_s=seconds,
        )
        return key

    async def call(self, seconds: float, path: Path | None = None, **wishes: object) -> Record:
        request = {"announcement_id": self.clip(seconds, path), "zones": [self.stage.shop]}
        request |= wishes
        owner = self.stage.hotel.owner
        view = await self.zones.call(owner, CallRequest.model_validate(request))
        return self.zones._calls.get(view.id)

    async def sounds(self, record: Record) -> None:
        part = record.parts[self.stage.shop]
        await eventually(lambda: part.state is CallState.PLAYING, 5)

    def presence(self, name: str, *, volume: int = 50, is_online: bool = True) -> None:
        device = self.devices[name]
        self.stage.bus.publish(
            events.DeviceChanged(
                device_id=device.id, is_online=is_online, volume=volume, zone_id=device.zone_id
            )
        )

    async def receipts(self, record: Record) -> dict[str, PlayEvent]:
        """The zone's, and those of its loudspeakers by name; each there is exactly once."""
        async with asyncio.timeout(20):
            await record.over.wait()
            await self.zones._receipts.settled()
        rows = await PlayEvent.filter(call_id=record.id, zone_id=self.stage.shop)
        names = {device.id: name for name, device in self.devices.items()}
        found = {names[row.device_id] if row.device_id else "zone": row for row in rows}
        assert len(found) == len(rows) == 1 + len(names)
        return found


@pytest.fixture
async def shop(stage: Stage, tmp_path: Path) -> AsyncIterator[Shop]:
    hotel = stage.hotel
    await Device.all().delete()
    devices = {
        name: await Device.create(client=hotel.client, zone=hotel.shop, name=name, device_id=name)
        for name in ("there", "muted", "away")
    }
    async with (
        RendererHost(stage.bus) as renderer,
        ZoneController(stage.bus, renderer, NullStreams(), stage.media, AudioSettings()) as zones,
    ):
        shop = Shop(stage, zones, tmp_path, devices)
        shop.presence("there")
        shop.presence("muted", volume=0)
        shop.presence("away", is_online=False)
        yield shop


def outcomes(rows: dict[str, PlayEvent]) -> dict[str, str]:
    return {name: row.outcome for name, row in rows.items()}


async def test_completed_offline_and_muted(shop: Shop) -> None:
    rows = await shop.receipts(await shop.call(0.5))
    assert outcomes(rows) == {
        "zone": "completed",
        "there": "completed",
        "muted": "muted",
        "away": "offline",
    }
    heard = {name: row.seconds_heard for name, row in rows.items()}
    assert heard["zone"] == heard["there"] == 0.5, "the samples of the clip, no more and no less"
    assert heard["muted"] == heard["away"] == 0.0
    assert rows["muted"].error_message == "the loudspeaker was muted, or its volume was 0"
    assert rows["away"].error_message == "the loudspeaker was away"
    assert rows["zone"].error_message is None
    assert (rows["zone"].status, rows["away"].status) == (
        PlayEventStatus.COMPLETED,
        PlayEventStatus.FAILED,
    )


async def test_cut(shop: Shop) -> None:
    low = await shop.call(5.0, when_cut="drop")
    await shop.sounds(low)
    await asyncio.sleep(0.3)
    await shop.call(0.3, band="page")
    rows = await shop.receipts(low)
    assert set(outcomes(rows).values()) == {"cut"}
    assert 0.2 < rows["zone"].seconds_heard < 4.0
    assert rows["there"].seconds_heard == rows["zone"].seconds_heard
    assert rows["muted"].seconds_heard == 0
    assert rows["zone"].error_message == "a higher call cut it"


async def test_expired(shop: Shop) -> None:
    await shop.call(2.0)
    rows = await shop.receipts(await shop.call(0.5, expires_in_s=0.1))
    assert set(outcomes(rows).values()) == {"expired"}
    assert {row.seconds_heard for row in rows.values()} == {0.0}
    assert rows["there"].error_message == "it waited longer than it may"
    assert rows["zone"].delivered_at is None


async def test_quiet_hours(shop: Shop) -> None:
    now = datetime.now(UTC)
    around = (now - timedelta(hours=1)).time(), (now + timedelta(hours=1)).time()
    zone = Zone.filter(id=shop.stage.shop)
    await zone.update(quiet_from=around[0], quiet_until=around[1])
    rows = await shop.receipts(await shop.call(0.5))
    assert set(outcomes(rows).values()) == {"failed"}
    for row in rows.values():
        assert str(row.error_message).startswith("the zone has quiet hours until")
    passes = await shop.receipts(await shop.call(0.3, band="page"))
    assert passes["zone"].outcome == "completed"


async def test_revoked_while_it_waits_and_while_it_is_heard(shop: Shop) -> None:
    owner = shop.stage.hotel.owner
    heard, waits = await shop.call(5.0), await shop.call(0.5)
    await shop.sounds(heard)
    await asyncio.sleep(0.2)
    for record in (waits, heard):
        await shop.zones.revoke(owner, record.id)
    rows = await shop.receipts(heard)
    assert set(outcomes(rows).values()) == {"revoked"}
    assert 0.1 < rows["zone"].seconds_heard < 4.0
    assert rows["there"].seconds_heard == rows["zone"].seconds_heard
    rows = await shop.receipts(waits)
    assert set(outcomes(rows).values()) == {"revoked"}
    assert rows["zone"].seconds_heard == 0
    assert rows["zone"].error_message == "it was revoked"


async def test_failed(shop: Shop) -> None:
    text = shop.folder / "text.wav"
    text.write_text("no sound at all")
    for path in (text, shop.folder / "missing.wav"):
        rows = await shop.receipts(await shop.call(0.5, path))
        assert set(outcomes(rows).values()) == {"failed"}
        assert rows["zone"].error_message
        assert rows["there"].error_message == rows["zone"].error_message
        assert rows["zone"].seconds_heard == 0


async def test_failed_where_the_zone_goes_away(shop: Shop) -> None:
    record = await shop.call(5.0)
    await shop.sounds(record)
    await Zone.filter(id=shop.stage.shop).update(is_active=False)
    shop.stage.bus.publish(events.ZoneChanged(zone_id=shop.stage.shop))
    rows = await shop.receipts(record)
    assert outcomes(rows)["zone"] == "failed"
    assert rows["zone"].error_message == "the zone was removed"


async def test_a_loudspeaker_that_goes_and_one_that_comes(shop: Shop) -> None:
    record = await shop.call(1.5)
    await shop.sounds(record)
    await asyncio.sleep(0.4)
    shop.presence("there", is_online=False)
    shop.presence("away")
    rows = await shop.receipts(record)
    assert outcomes(rows) == {
        "zone": "completed",
        "there": "offline",
        "muted": "muted",
        "away": "completed",
    }
    assert rows["zone"].seconds_heard == 1.5
    assert 0.1 < rows["there"].seconds_heard < 1.4
    assert 0.1 < rows["away"].seconds_heard < 1.4


async def test_repeats_add_up(shop: Shop) -> None:
    rows = await shop.receipts(await shop.call(0.3, repeat=3))
    assert (rows["zone"].times_heard, rows["zone"].outcome) == (3, "completed")
    assert rows["zone"].seconds_heard == pytest.approx(0.9, abs=0.001)
    assert rows["there"].seconds_heard == pytest.approx(0.9, abs=0.02)


async def test_ended_after_its_longest_time(shop: Shop) -> None:
    rows = await shop.receipts(await shop.call(5.0, max_duration_s=0.4))
    assert rows["zone"].outcome == "completed"
    assert 0.3 < rows["zone"].seconds_heard < 3.0
    assert rows["zone"].error_message == "ended after 0.4 s, as asked"


async def test_chimes_count_as_heard(shop: Shop) -> None:
    bell = tone(shop.folder / "bell.wav", 0.3)
    chime = shop.stage.media._sources["chime"]
    ref = MediaRef(kind="chime", value="default")

    async def resolve(*_: object) -> Media:
        return Media(ref=ref, path=bell, title="Bell", duration_s=0.3)

    chime.resolve = resolve  # type: ignore[method-assign,assignment]
    rows = await shop.receipts(await shop.call(0.5, chime=True, chime_after=True))
    assert rows["zone"].seconds_heard == pytest.approx(1.1, abs=0.001)


# --- what goes wrong on the way ----------------------------------------------------------------


async def test_an_announcement_that_is_deleted_while_it_waits_is_heard(shop: Shop) -> None:
    """It was accepted; whoever does not want it takes the call back."""
    await shop.call(0.8)
    waits = await shop.call(0.3)
    shop.stage.media.speech.stored.clear()
    rows = await shop.receipts(waits)
    assert (rows["zone"].outcome, rows["zone"].seconds_heard) == ("completed", 0.3)


async def test_a_file_that_is_gone_before_its_turn_fails_and_the_next_is_heard(shop: Shop) -> None:
    first, path = await shop.call(0.8), tone(shop.folder / "gone.wav", 0.3)
    gone, after = await shop.call(0.3, path), await shop.call(0.3)
    path.unlink()
    rows = await shop.receipts(gone)
    assert rows["zone"].outcome == "failed"
    assert "gone.wav" in str(rows["zone"].error_message)
    for record in (first, after):
        assert (await shop.receipts(record))["zone"].outcome == "completed"


async def test_a_file_that_is_removed_while_it_is_heard_is_heard_to_its_end(shop: Shop) -> None:
    path = tone(shop.folder / "long.wav", 4.0)
    record = await shop.call(4.0, path)
    await shop.sounds(record)
    path.unlink()
    rows = await shop.receipts(record)
    assert (rows["zone"].outcome, rows["zone"].seconds_heard) == ("completed", 4.0)


@in_real_time
async def test_pause_and_between_with_real_music(shop: Shop) -> None:
    """The position in the view is right after each, as far as a second's report tells."""
    shop.stage.events.clear()  # this may be tried several times
    owner, zone = shop.stage.hotel.owner, shop.stage.shop
    music, client_id = shop.stage.media.music, shop.stage.hotel.client.id
    keys = [music.add(client_id, name, duration_s=length) for name, length in (("1", 3), ("2", 30))]
    for key, length in zip(keys, (3, 30), strict=True):
        path = tone(shop.folder / f"{key}.wav", length)
        media = music.tracks[key][1].model_copy(update={"path": path})
        music.tracks[key] = client_id, media
    await shop.zones.play(owner, zone, PlayRequest(music_ids=keys))
    between = await shop.call(1.0, style="between")
    rows = await shop.receipts(between)
    assert rows["zone"].outcome == "completed"
    ended = shop.stage.told(events.TrackFinished)[0]
    assert rows["zone"].delivered_at is not None
    assert rows["zone"].delivered_at >= ended.at, "not before the end of the track"
    await eventually(lambda: len(shop.stage.told(events.TrackStarted)) == 2, 5)
    second = shop.stage.told(events.TrackStarted)[1]
    assert rows["zone"].completed_at is not None
    assert (second.title, second.position_s) == ("2", 0.0)
    assert second.at >= rows["zone"].completed_at - timedelta(seconds=0.05)
    await asyncio.sleep(1.0)
    pauses = await shop.call(2.0, style="pause")
    await shop.receipts(pauses)
    await asyncio.sleep(1.2)  # a report has come since
    view = await shop.zones.view(owner, zone)
    sounded_s = (view.position_at - second.at).total_seconds() - 2.0
    assert view.position_s == pytest.approx(sounded_s, abs=0.35)
