from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from pydantic import BaseModel, SecretStr
from tests.core.playback.conftest import FakeStreams
from tests.fakes.database import Tenant, fresh_database, make_tenant
from tests.fakes.media import FakeMedia
from tests.fakes.renderer import FakeRenderer
from tests.fakes.waiting import eventually
from tortoise.context import get_current_context

from antiphon.audit import AuditTrail, Entry
from antiphon.audit.changes import HIDDEN, differences, told
from antiphon.audit.models import AuditLog
from antiphon.audit.trail import MOST_WAITING
from antiphon.events import EventBus
from antiphon.playback import ZoneController
from antiphon.settings.models import AudioSettings
from antiphon.types import Principal, Via


@pytest.fixture
async def hotel() -> AsyncIterator[Tenant]:
    async with fresh_database():
        yield await make_tenant("Hotel")


def entry(**changes: Any) -> Entry:
    values: dict[str, Any] = {"action": "update", "resource_type": "zones", "via": Via.REST}
    return Entry(**(values | changes))


class Provider(BaseModel):
    name: str = "Voices"
    api_key: str = "sk-1"
    password: SecretStr = SecretStr("one")
    url: str = "mqtt://me:hunter2@broker:1883"
    limits: dict[str, Any] = {"daily": 5, "access_token": "abc"}
    updated_at: str = "now"


def test_changes_tell_fields_and_never_secrets() -> None:
    before = Provider()
    after = Provider(
        name="Speech", api_key="sk-2", limits={"daily": 6, "access_token": "x"}, updated_at="then"
    )
    changed = differences(before, after)
    assert changed["name"] == {"from": "Voices", "to": "Speech"}
    assert changed["api_key"] == {"from": HIDDEN, "to": HIDDEN}
    assert changed["limits"]["to"] == {"daily": 6, "access_token": HIDDEN}
    assert changed.keys() == {"name", "api_key", "limits"}
    given = told(
        Provider(api_key="sk-3", url=before.url, password=SecretStr("two"), name="a" * 900)
    )
    assert given == {
        "name": "a" * 499 + "…",
        "api_key": HIDDEN,
        "password": HIDDEN,
        "url": f"mqtt://me:{HIDDEN}@broker:1883",
    }


async def test_rows_are_only_ever_added(hotel: Tenant) -> None:
    async with AuditTrail(EventBus()) as trail:
        trail.note(entry(user_agent="odd \udcff\0 sign", resource_id="x" * 99))
        await trail.settled()
    row = await AuditLog.get()
    assert (row.user_agent, len(row.resource_id or "")) == ("odd ? sign", 64)
    with pytest.raises(TypeError):
        await row.save()
    with pytest.raises(TypeError):
        await row.delete()


async def test_entries_wait_for_a_database_that_is_away(
    hotel: Tenant, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("antiphon.audit.trail._RETRY_S", 0.01)
    connection = get_current_context().connections.get("default")  # type: ignore[union-attr]
    await connection.execute_script("ALTER TABLE audit_log RENAME TO away")
    async with AuditTrail(EventBus()) as trail:
        trail.note(entry(resource_name="first"))
        trail.note(entry(resource_name="second"))
        await eventually(lambda: "has to wait" in caplog.text)
        for _ in range(MOST_WAITING + 5):
            trail.note(entry(action="flood"))
        assert trail.lost >= 5
        await connection.execute_script("ALTER TABLE away RENAME TO audit_log")
        await trail.settled()
    rows = await AuditLog.exclude(action="flood").order_by("created_at")
    assert [row.resource_name for row in rows] == ["first", "second"]
    assert any(record.levelno == logging.ERROR for record in caplog.records)


async def test_commands_by_other_doors_than_rest_are_noted(hotel: Tenant) -> None:
    bus, media = EventBus(), FakeMedia()
    async with (
        AuditTrail(bus) as trail,
        ZoneController(bus, FakeRenderer(), FakeStreams(), media, AudioSettings()) as zones,
    ):
        mqtt = Principal.system(hotel.client.id, Via.MQTT)
        await zones.set_volume(mqtt, hotel.shop.id, 33)
        await zones.pause(mqtt.model_copy(update={"via": Via.SCHEDULE}), hotel.bar.id)
        await zones.set_volume(hotel.owner, hotel.shop.id, 44)
        with pytest.raises(Exception, match="zone"):
            await zones.pause(mqtt, uuid4())
        await trail.settled()
    first, second = await AuditLog.all().order_by("created_at")
    assert (first.action, first.resource_type) == ("playback.volume", "zones")
    assert (first.resource_id, first.resource_name) == (str(hotel.shop.id), "Shop")
    assert (first.client_id, first.via, first.details) == (
        hotel.client.id,
        Via.MQTT,
        {"volume": 33},
    )
    assert (second.action, second.via) == ("playback.pause", Via.SCHEDULE)
