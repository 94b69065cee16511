"""What Home Assistant is told: it can take it, it leads somewhere, and it is told in order."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.devices.conftest import World
from tests.devices.contract import channel_of, channels, document
from tests.devices.test_setting import JAZZ, MIX, Shelf
from tests.fakes.integrator import ROOT
from tests.plugins.homeassistant.conftest import (
    EVERYTHING,
    SOURCE,
    WITH_AGENT,
    Home,
    bridging,
    home_of,
    lasting_broker,
)

from antiphon.events import ChoicesChanged, ZoneChanged
from antiphon.types import Playback
from antiphon_homeassistant.house import Place, Rank
from antiphon_homeassistant.naming import FirstNames
from antiphon_homeassistant.settings import Style

_USE = Path(__file__).parents[3] / "docs" / "use"
_PATH = re.compile(r"value_json((?:\.\w+)+)")


def _texts(config: dict[str, Any], end: str) -> list[str]:
    found = [value for key, value in config.items() if key.endswith(end)]
    return found + [each["topic"] for each in config.get("availability", []) if end == "_topic"]


async def test_all_topics_are_of_the_contract_and_all_keys_are_there(home: Home) -> None:
    held = home.integrator.held
    receives = {
        operation["channel"]["$ref"].rsplit("/", 1)[1]
        for operation in document()["operations"].values()
        if operation["action"] == "receive"
    }
    assert {channel.name for channel in channels()} >= receives
    for entity in home.entities.values():
        for topic in _texts(entity, "_topic"):
            relative = topic.removeprefix(f"{ROOT}/")
            if topic == entity.get("command_topic"):
                assert channel_of(relative).name in receives
            elif entity["platform"] == "event" or relative.endswith("/telemetry"):
                assert channel_of(relative).retain is False or relative.endswith("/status")
            else:
                assert held[relative], "nothing is retained there"
        for state, template in (
            ("url_topic", "url_template"),
            ("state_topic", "value_template"),
            ("json_attributes_topic", "json_attributes_template"),
        ):
            for path in _PATH.findall(entity.get(template, "")):
                value = json.loads(held[entity[state].removeprefix(f"{ROOT}/")])
                for key in path.strip(".").split("."):
                    value = value[key]


async def test_what_every_entity_keeps_to(home: Home) -> None:
    for unique_id, entity in home.entities.items():
        assert "retain" not in entity
        assert entity.get("optimistic", False) is False
        assert entity["platform"] == entity["default_entity_id"].partition(".")[0]
        assert entity["object_id"] == entity["default_entity_id"].partition(".")[2]
        own = entity.get("state_topic")
        topics = [each["topic"] for each in entity.get("availability", [])]
        plain = [one["topic"] for one in entity.get("availability", []) if len(one) == 1]
        assert own not in plain, "what tells of a connection must not vanish with it"
        if entity.get("device_class") != "connectivity":
            assert topics[0] == f"{ROOT}/server/status"
            assert entity["availability_mode"] == "all"
        assert unique_id.startswith(entity["device"]["identifiers"][0])


async def test_the_entities_of_a_zone_a_player_and_the_building(home: Home, world: World) -> None:
    def kinds(identity: str) -> set[str]:
        start = f"antiphon_{identity}_"
        return {
            f"{entity['platform']} {unique_id.removeprefix(start)}"
            for unique_id, entity in home.entities.items()
            if unique_id.startswith(start)
        }

    assert kinds(str(world.zone.zone_id)) == {
        "number volume",
        "switch mute",
        "switch music",
        "switch schedule",
        "sensor next_change",
        "image artwork",
        "button next",
        "sensor status",
        "sensor track",
        "sensor players_online",
        "binary_sensor announcing",
        "binary_sensor problem",
        "event announcement",
        "notify announce",
        "text announce_text",
    }
    speaker = {"binary_sensor connection", "number volume", "switch mute", "number latency"}
    assert kinds("02-42-ac-11-00-02") == speaker
    world.devices.change(world.device.id, device_type="agent")
    await home.settled(EVERYTHING + WITH_AGENT)
    assert kinds("02-42-ac-11-00-02") == speaker | {
        "sensor temperature",
        "sensor wifi",
        "sensor last_boot",
        "button identify",
        "button restart",
    }
    assert kinds(str(world.client)) == {
        "binary_sensor server",
        "sensor zones_playing",
        "sensor players_offline",
        "binary_sensor problem",
        "notify announce",
        "text announce_text",
    }


@pytest.mark.parametrize("style", list(Style))
async def test_what_others_lean_on_is_told_first(world: World, style: Style) -> None:
    async with bridging(world, style):
        async with home_of(world) as home:
            await home.settled(EVERYTHING)
        async with home_of(world) as late:  # the order in which a broker kept it
            await late.settled(EVERYTHING)
        known: set[str] = set()
        for entity in home.entities.values():
            via = entity["device"].get("via_device")
            assert via is None or via in known
            known.update(entity["device"]["identifiers"])


async def test_a_notify_message_is_spoken_and_so_is_the_text(home: Home, world: World) -> None:
    zone = f"antiphon_{world.zone.zone_id}_announce"
    for unique_id, text in ((zone, 'Lunch is "ready"'), (f"{zone}_text", "Doors close")):
        entity = home.entities[unique_id]
        assert entity["command_template"] == "{{ {'text': value} | tojson }}"
        world.zones.called.clear()
        await home.integrator.publish(entity["command_topic"], json.dumps({"text": text}))
        await world.zones.called.wait()
        name, principal, request = world.zones.asked[-1]
        assert (name, request.text) == ("call", text)
        assert (request.zones, principal.client_id) == ([world.zone.zone_id], world.client)
    everywhere = home.entities[f"antiphon_{world.client}_announce"]
    world.zones.called.clear()
    await home.integrator.publish(everywhere["command_topic"], json.dumps({"text": "All"}))
    await world.zones.called.wait()
    assert world.zones.asked[-1][2].all


async def test_buttons_switches_and_numbers_are_obeyed(home: Home, world: World) -> None:
    entities, zone = home.entities, f"antiphon_{world.zone.zone_id}"
    music, skip = entities[f"{zone}_music"], entities[f"{zone}_next"]
    publish, hears = home.integrator.publish, home.integrator.hears
    await publish(skip["command_topic"], skip["payload_press"])
    await publish(music["command_topic"], music["payload_off"])
    await hears(f"{world.here}/state", lambda h: h.json["playback"] == "paused")
    assert [name for name, _, _ in world.zones.asked] == ["next", "pause"]
    await publish(music["command_topic"], music["payload_on"])
    await hears(f"{world.here}/state", lambda h: h.json["playback"] == "playing")
    await publish(entities[f"{zone}_volume"]["command_topic"], "44.0")
    await hears(f"{world.here}/state", lambda h: h.json["volume"] == 44)
    volume = entities["antiphon_02-42-ac-11-00-02_volume"]
    await publish(volume["command_topic"], "61")
    await hears(f"{world.speaker}/state", lambda h: h.json["volume"] == 61)
    world.zones.change(world.zone.zone_id, playback=Playback.STOPPED, track=None)
    await hears(f"{world.here}/track", lambda h: h.json["title"] is None)


async def test_mute_schedule_and_loudspeakers_are_obeyed(home: Home, world: World) -> None:
    entities, zone = home.entities, f"antiphon_{world.zone.zone_id}"
    publish, hears = home.integrator.publish, home.integrator.hears
    for entity, check in (
        (entities[f"{zone}_mute"], lambda h: h.json["muted"]),
        (entities["antiphon_02-42-ac-11-00-02_mute"], lambda h: h.json["muted"]),
    ):
        await publish(entity["command_topic"], entity["payload_on"])
        await hears(entity["state_topic"].removeprefix(f"{ROOT}/"), check)
    latency = entities["antiphon_02-42-ac-11-00-02_latency"]
    await publish(latency["command_topic"], "120")
    await hears(f"{world.speaker}/state", lambda h: h.json["latency_ms"] == 120)


async def test_sources_are_options_that_are_told_before_a_state_names_them(
    home: Home, world: World
) -> None:
    shelf = Shelf(MIX)
    world.media.add(shelf)
    world.bus.publish(ChoicesChanged(client_id=world.client))
    select = f"antiphon_{world.zone.zone_id}_source"
    await home.settled(EVERYTHING + SOURCE)
    assert home.entities[select]["options"] == ["Morning mix"]
    shelf.known.append(JAZZ)
    since = len(home.integrator.heard)
    world.bus.publish(ChoicesChanged(client_id=world.client))
    world.zones.change(world.zone.zone_id, source=JAZZ.ref)
    state = await home.integrator.hears(
        f"{world.here}/state", lambda h: (h.json["source"] or {}).get("name") == "Jazz", since=since
    )
    told = [h for h in home.integrator.heard[since:] if h.topic.endswith("/config")]
    offered = [h for h in told if b'"Jazz"' in h.payload]
    assert offered
    assert home.integrator.heard.index(offered[0]) < home.integrator.heard.index(state)
    await home.integrator.publish(home.entities[select]["command_topic"], "Morning mix")
    await home.integrator.hears(
        f"{world.here}/state", lambda h: h.json["source"]["name"] == "Morning mix", since=since
    )
    shelf.known.clear()
    world.bus.publish(ChoicesChanged(client_id=world.client))
    await home.settled(EVERYTHING)


async def test_without_an_address_there_is_no_artwork(world: World) -> None:
    world.public_url = ""
    async with bridging(world), home_of(world) as home:
        await home.settled(EVERYTHING - 2)
        assert not [one for one in home.entities.values() if one["platform"] == "image"]


async def test_the_page_for_users_lists_what_there_is(home: Home, world: World) -> None:
    world.devices.change(world.device.id, device_type="agent")
    world.media.add(Shelf(MIX))
    world.bus.publish(ChoicesChanged(client_id=world.client))
    await home.settled(EVERYTHING + WITH_AGENT + SOURCE)
    page = (_USE / "home-assistant.md").read_text()
    there = {(entity["platform"], entity["name"]) for entity in home.entities.values()}
    assert set(re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", page, re.MULTILINE)) == there
    pictures = (_USE / "home-assistant-zone.svg", _USE / "home-assistant-speaker.svg")
    drawn = "".join(picture.read_text() for picture in pictures)
    assert not [name for _, name in there if name not in drawn]
    for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL):
        assert yaml.safe_load(block.replace("!include_dir_named ", ""))


async def test_a_new_name_changes_no_id(home: Home, world: World) -> None:
    before, topics = home.entities, home.configs.keys()
    world.zones.change(world.zone.zone_id, name='Foyer "Ö"/+#\u2192 {{ 1 }}')
    world.bus.publish(ZoneChanged(client_id=world.client, zone_id=world.zone.zone_id))
    volume = f"antiphon_{world.zone.zone_id}_volume"
    await home.sees(lambda e: e[volume]["device"]["name"].startswith("Foyer"))
    await home.sees(lambda e: e.keys() == before.keys())
    assert home.configs.keys() == topics
    assert [e["object_id"] for e in home.entities.values()] == [
        e["object_id"] for e in before.values()
    ]
    assert home.entities[volume]["device"]["identifiers"] == before[volume]["device"]["identifiers"]


async def test_ids_outlast_a_rename_a_restart_and_another_style(world: World) -> None:
    def ids(home: Home) -> dict[str, str]:
        return {key: entity["default_entity_id"] for key, entity in home.entities.items()}

    world.devices.change(world.device.id, name=world.zone.name)  # one is called as the other
    async with lasting_broker(world), home_of(world) as home:
        async with bridging(world, Style.ENTITY):
            await home.settled(EVERYTHING)
            before, old = ids(home), set(home.configs)
        assert len(set(before.values())) == len(before)
        world.zones.change(world.zone.zone_id, name="Foyer")
        world.devices.change(world.device.id, name="Left")
        async with bridging(world, Style.DEVICE):
            await home.integrator.until(lambda: bool(home.configs) and not set(home.configs) & old)
            await home.settled(EVERYTHING)
            assert ids(home) == before
            assert {e["device"]["name"] for e in home.entities.values()} >= {"Foyer", "Left"}


def test_a_name_without_latin_letters_still_makes_an_id_and_none_is_made_twice(
    tmp_path: Path,
) -> None:
    file = tmp_path / "deep" / "names.json"
    names = FirstNames(file)
    player, zone = Place(Rank.PLAYER, "c", "02-42-ac"), Place(Rank.ZONE, "c", "z")
    assert names.of(player, "大堂") == "02_42_ac"
    assert names.of(zone, 'Foyer "Ö"/+#\u2192 {{ 1 }}') == "foyer_o_1"
    assert names.of(Place(Rank.ZONE, "c", "y"), "Foyer O 1") == "foyer_o_1_2"
    assert names.of(Place(Rank.ZONE, "d", "x"), "Foyer O 1") == "foyer_o_1_3"
    names.save()
    assert FirstNames(file).of(zone, "Lobby") == "foyer_o_1"
    for rubbish in ("[half", "[]"):
        file.write_text(rubbish)
        assert FirstNames(file).of(zone, "Lobby") == "lobby"


async def test_a_player_that_moves_hangs_on_its_new_zone(home: Home, world: World) -> None:
    volume = "antiphon_02-42-ac-11-00-02_volume"
    assert home.entities[volume]["device"]["via_device"] == f"antiphon_{world.zone.zone_id}"
    world.devices.change(world.device.id, zone_id=None)
    await home.sees(lambda e: e[volume]["device"]["via_device"] == f"antiphon_{world.client}")


async def test_a_zone_that_is_deleted_takes_its_entities_along(home: Home, world: World) -> None:
    world.zones.delete(world.zone.zone_id)
    zone, volume = f"antiphon_{world.zone.zone_id}_", "antiphon_02-42-ac-11-00-02_volume"
    await home.sees(lambda entities: not [known for known in entities if known.startswith(zone)])
    await home.sees(lambda e: e[volume]["device"]["via_device"] == f"antiphon_{world.client}")
