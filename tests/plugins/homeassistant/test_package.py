"""The package of media players: YAML that works by ids, for whoever may see the zones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest
import yaml
from tests.devices.contract import channel_of
from tests.fakes.integrator import ROOT
from tests.fakes.plugin_api import PluginApi, plugin_api
from tests.fakes.plugin_context import plugin_context
from tests.fakes.zones import FakeZones, zone_view

from antiphon.events import EventBus
from antiphon.jobs import JobRunner
from antiphon.plugins import Mqtt, PluginContext
from antiphon.store import open_database
from antiphon.tenancy.models import Client
from antiphon.types import Role
from antiphon_devices.guests import Guests
from antiphon_devices.outbox import Outbox
from antiphon_homeassistant.package import package
from antiphon_homeassistant.routes import package_routes
from antiphon_homeassistant.settings import HomeAssistantSettings

PATH = "integrations/homeassistant/package"
NASTY = 'Bar: "7" # {{ 1 }} \u2028 - ü \\ 🎷'


def test_a_player_per_zone_whose_every_topic_is_of_the_contract() -> None:
    client = uuid4()
    zones = [zone_view(client, "Lobby"), zone_view(client, NASTY.replace("\u2028", ""))]
    read: dict[str, Any] = yaml.safe_load(package(ROOT, zones))
    assert set(read) == {"mqtt", "media_player"}
    players = {player["name"]: player for player in read["media_player"]}
    assert set(players) == {zone.name for zone in zones}
    for zone in zones:
        player = players[zone.name]
        assert player["unique_id"] == f"antiphon_{zone.zone_id}_player"
        helper = f"antiphon_{zone.zone_id.hex}_player"
        assert player["attributes"]["state"] == f"sensor.{helper}"
        assert helper.replace("_", " ") in [each["name"] for each in read["mqtt"]["sensor"]]
        for command in player["commands"].values():
            topic = command["data"]["topic"].removeprefix(f"{ROOT}/")
            assert channel_of(topic).retain is False
            assert str(zone.zone_id) in topic
    for sensor in read["mqtt"]["sensor"]:
        assert channel_of(sensor["state_topic"].removeprefix(f"{ROOT}/")).retain


def test_new_names_change_nothing_but_the_name() -> None:
    zone = zone_view(uuid4(), "Lobby")
    before = package(ROOT, [zone])
    after = package(ROOT, [zone.model_copy(update={"name": "Foyer"})])
    assert after == before.replace('"Lobby"', '"Foyer"')


def test_without_zones_it_is_still_a_package() -> None:
    assert yaml.safe_load(package(ROOT, [])) == {}


@dataclass
class Desk:
    api: PluginApi
    context: PluginContext
    zones: FakeZones
    clients: list[Client]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    bus = EventBus()
    async with open_database("", tmp_path / "data", {}), JobRunner(bus) as jobs:
        clients = [await Client.create(name="Hotel"), await Client.create(name="Gym")]
        zones = FakeZones(bus, *(zone_view(client.id, client.name) for client in clients))
        settings = HomeAssistantSettings()
        context = plugin_context("homeassistant", settings, tmp_path, jobs, zones=zones, bus=bus)
        async with plugin_api(context, jobs, package_routes(context)) as api:
            yield Desk(api, context, zones, clients)


async def test_each_client_gets_its_own_and_an_admin_says_whose(desk: Desk) -> None:
    desk.context.mqtt.make(cast(Mqtt, Guests("house/v1", Outbox())))
    hotel, _ = desk.clients
    owner = await desk.api.caller(Role.CLIENT, hotel.id)
    mine = await owner("GET", PATH)
    assert (mine.status, mine.headers["Content-Type"].split(";")[0]) == (200, "application/yaml")
    assert "antiphon.yaml" in mine.headers["Content-Disposition"]
    (player,) = yaml.safe_load(mine.body)["media_player"]
    assert player["name"] == "Hotel"
    assert player["commands"]["media_play"]["data"]["topic"].startswith("house/v1/client/")
    admin = await desk.api.caller(Role.ADMIN, None)
    assert (await admin("GET", PATH)).wrong_fields == ["client_id"]
    assert (await admin("GET", f"{PATH}?client_id={hotel.id}")).body == mine.body
    assert (await admin("GET", f"{PATH}?client_id={uuid4()}")).status == 404
    assert (await owner("GET", f"{PATH}?client_id={desk.clients[1].id}")).status == 404
    assert (await owner("GET", f"{PATH}?client_id=x")).status == 422


async def test_without_mqtt_there_is_no_package(desk: Desk) -> None:
    owner = await desk.api.caller(Role.CLIENT, desk.clients[0].id)
    refused = await owner("GET", PATH)
    assert (refused.status, refused.json["code"]) == (503, "part_away")
