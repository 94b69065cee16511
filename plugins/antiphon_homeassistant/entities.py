"""The entities of each kind of thing, in the words of Home Assistant's MQTT integration.

Only what the server publishes and obeys is here. `optimistic` is off everywhere, since every
command is answered by a new state; nothing is ever sent retained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from antiphon.types import CallState
from antiphon_homeassistant.house import House, Place, Rank

Config = dict[str, Any]

_SAY = "{{ {'text': value} | tojson }}"


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity. `key` ends its ids; what `config` leaves out is the same for all."""

    component: str
    key: str
    name: str
    config: Config


def entities_of(house: House, place: Place) -> Sequence[Entity]:
    """What stands in Home Assistant for the thing at `place`."""
    base, server = place.base(house.root), {"topic": f"{house.root}/server/status"}
    match place.rank:
        case Rank.SYSTEM:
            return _system(base, server)
        case Rank.ZONE:
            topics = [server, {"topic": f"{base}/status"}]
            return [*_zone(base, topics), *_choices(house, place, base, topics)]
        case Rank.PLAYER:
            told = _measured(base, server) if house.has_agent(place) else ()
            return [*_player(base, server), *told]


def device_of(house: House, place: Place) -> dict[str, Any]:
    """The device that the entities of `place` belong to."""
    device: dict[str, Any] = {
        "identifiers": [identity(place)],
        "name": house.names[place],
        "manufacturer": "Antiphon",
        "model": _MODELS[place.rank],
    }
    if place.rank is Rank.PLAYER:
        device["model"] = house.model(place) or device["model"]
        device["via_device"] = identity(house.above(place))
    elif place.rank is Rank.ZONE:
        device["via_device"] = identity(Place(Rank.SYSTEM, place.client, place.client))
    return device


_MODELS = {Rank.SYSTEM: "Building", Rank.ZONE: "Zone", Rank.PLAYER: "Loudspeaker"}


def identity(place: Place) -> str:
    """What Home Assistant knows a thing by: of its id alone, so that names may change."""
    return f"antiphon_{place.id}"


def _available(*topics: Config) -> Config:
    return {"availability": list(topics), "availability_mode": "all"}


def _volume(base: str, available: Config) -> Entity:
    config = {
        "state_topic": f"{base}/state",
        "value_template": "{{ value_json.volume }}",
        "command_topic": f"{base}/set/volume",
        "min": 0,
        "max": 100,
        "step": 1,
        "mode": "slider",
        "unit_of_measurement": "%",
        "icon": "mdi:volume-high",
        "optimistic": False,
    }
    return Entity("number", "volume", "Volume", config | available)


def _switch(key: str, name: str, base: str, prop: str, value: str, icon: str) -> Entity:
    """Something of a state that is on or off, and can be set."""
    config = {
        "state_topic": f"{base}/state",
        "value_template": f"{{{{ 'ON' if value_json.{value} else 'OFF' }}}}",
        "command_topic": f"{base}/set/{prop}",
        "payload_on": "ON",
        "payload_off": "OFF",
        "icon": icon,
        "optimistic": False,
    }
    return Entity("switch", key, name, config)


def _with(entity: Entity, available: Config) -> Entity:
    return replace(entity, config=entity.config | available)


def _announce(base: str, available: Config, name: str) -> Sequence[Entity]:
    """What is sent to them is spoken. The text field is for Home Assistant before 2024.5."""
    config: Config = {
        "command_topic": f"{base}/cmd/announce",
        "command_template": _SAY,
        "icon": "mdi:bullhorn",
    }
    text = {"min": 1, "max": 255, "mode": "text", "optimistic": False}
    return (
        Entity("notify", "announce", name, config | available),
        Entity("text", "announce_text", f"{name} text", config | text | available),
    )


def _zone(base: str, topics: Sequence[Config]) -> Sequence[Entity]:
    available = _available(*topics)
    state = {"state_topic": f"{base}/state"} | available
    music = {
        "value_template": "{{ 'playing' if value_json.playback == 'playing' else 'paused' }}",
        "command_topic": f"{base}/set/playback",
        "payload_on": "playing",
        "payload_off": "paused",
        "icon": "mdi:music",
        "optimistic": False,
    }
    status = {
        "value_template": "{{ value_json.activity }}",
        "device_class": "enum",
        "options": ["playing", "paused", "stopped", "announcing", "fault"],
    }
    track = {
        "state_topic": f"{base}/track",
        "value_template": "{{ (value_json.title or '')[:255] }}",
        "json_attributes_topic": f"{base}/track",
        "icon": "mdi:music-note",
    }
    players = {
        "value_template": "{{ value_json.devices.online }}",
        "state_class": "measurement",
        "entity_category": "diagnostic",
        "icon": "mdi:speaker-multiple",
        **_attributes(base, "value_json.devices"),
    }
    announcing = {
        "value_template": "{{ 'ON' if value_json.announcement else 'OFF' }}",
        "icon": "mdi:bullhorn-outline",
        **_attributes(base, "value_json.announcement or {}"),
    }
    problem = {
        "value_template": "{{ 'ON' if value_json.problems else 'OFF' }}",
        "device_class": "problem",
        "entity_category": "diagnostic",
        **_attributes(base, "{'problems': value_json.problems}"),
    }
    heard = {
        "state_topic": f"{base}/event/announcement",
        "event_types": [state.value for state in CallState],
        "icon": "mdi:bullhorn",
    }
    skip = {"command_topic": f"{base}/cmd/next", "payload_press": "{}", "icon": "mdi:skip-next"}
    return (
        _volume(base, available),
        _with(_switch("mute", "Mute", base, "muted", "muted", "mdi:volume-off"), available),
        Entity("switch", "music", "Music", music | state),
        Entity("button", "next", "Next track", skip | available),
        Entity("sensor", "status", "Status", status | state),
        Entity("sensor", "track", "Track", track | available),
        Entity("sensor", "players_online", "Players online", players | state),
        Entity("binary_sensor", "announcing", "Announcing", announcing | state),
        Entity("binary_sensor", "problem", "Problem", problem | state),
        Entity("event", "announcement", "Announcement", heard | available),
        *_announce(base, available, "Announce"),
    )


def _choices(house: House, place: Place, base: str, topics: Sequence[Config]) -> Sequence[Entity]:
    """What a zone has only where there is something behind it."""
    found: list[Entity] = []
    if sources := house.sources(place):
        source = {
            "state_topic": f"{base}/state",
            "value_template": "{{ (value_json.source or {}).name | default('None', true) }}",
            "command_topic": f"{base}/set/source",
            "options": sources,
            "icon": "mdi:playlist-music",
            "optimistic": False,
        }
        found.append(Entity("select", "source", "Source", source | _available(*topics)))
    # Without the plugin that has the schedules, there are none to switch.
    has_schedules = {
        "topic": f"{base}/state",
        "value_template": "{{ 'offline' if value_json.schedule.enabled is none else 'online' }}",
    }
    available = _available(*topics, has_schedules)
    on = _switch(
        "schedule", "Schedule", base, "schedule_enabled", "schedule.enabled", "mdi:calendar-clock"
    )
    change = {
        "state_topic": f"{base}/state",
        "value_template": "{{ value_json.schedule.next_change_at }}",
        "device_class": "timestamp",
    }
    found += [
        _with(on, available),
        Entity("sensor", "next_change", "Next change", change | available),
    ]
    if house.public_url:
        blank = f"{house.public_url}/api/v1/music-art/none"
        art = {
            "url_topic": f"{base}/track",
            "url_template": f"{{{{ value_json.art_url or '{blank}' }}}}",
        }
        found.append(Entity("image", "artwork", "Artwork", art | _available(*topics)))
    return found


def _measured(base: str, server: Config) -> Sequence[Entity]:
    """What a loudspeaker's agent measures and does."""
    available = _available(server, {"topic": f"{base}/status"})
    diagnostic = {"entity_category": "diagnostic"} | available
    temperature = {
        "state_topic": f"{base}/telemetry",
        "value_template": "{{ value_json.cpu_temp_c }}",
        "device_class": "temperature",
        "unit_of_measurement": "°C",
        "state_class": "measurement",
        "suggested_display_precision": 0,
    }
    signal = {
        "state_topic": f"{base}/telemetry",
        "value_template": "{{ value_json.wifi_rssi_dbm }}",
        "device_class": "signal_strength",
        "unit_of_measurement": "dBm",
        "state_class": "measurement",
    }
    boot = {
        "state_topic": f"{base}/info",
        "value_template": "{{ value_json.booted_at }}",
        "device_class": "timestamp",
    }
    identify = {
        "command_topic": f"{base}/cmd/identify",
        "payload_press": "{}",
        "device_class": "identify",
    }
    restart = {
        "command_topic": f"{base}/cmd/restart",
        "payload_press": "{}",
        "device_class": "restart",
    }
    return (
        Entity("sensor", "temperature", "Temperature", temperature | diagnostic),
        Entity("sensor", "wifi", "Wi-Fi signal", signal | diagnostic),
        Entity("sensor", "last_boot", "Last boot", boot | diagnostic),
        Entity("button", "identify", "Identify", identify | diagnostic),
        Entity("button", "restart", "Restart", restart | {"entity_category": "config"} | available),
    )


def _player(base: str, server: Config) -> Sequence[Entity]:
    connection = {
        "state_topic": f"{base}/status",
        "payload_on": "online",
        "payload_off": "offline",
        "device_class": "connectivity",
        "entity_category": "diagnostic",
    }
    available = _available(server, {"topic": f"{base}/status"})
    latency = {
        "state_topic": f"{base}/state",
        "value_template": "{{ value_json.latency_ms }}",
        "command_topic": f"{base}/set/latency_ms",
        "min": 0,
        "max": 5000,
        "step": 1,
        "mode": "box",
        "unit_of_measurement": "ms",
        "entity_category": "config",
        "icon": "mdi:timer-outline",
        "optimistic": False,
    }
    return (
        # It tells of its own topic, so it must not vanish by it.
        Entity("binary_sensor", "connection", "Connection", connection | _available(server)),
        _volume(base, available),
        _with(_switch("mute", "Mute", base, "muted", "muted", "mdi:volume-off"), available),
        Entity("number", "latency", "Latency", latency | available),
    )


def _system(base: str, server: Config) -> Sequence[Entity]:
    available = _available(server)
    state = {"state_topic": f"{base}/state"} | available
    alive = {
        "state_topic": server["topic"],
        "payload_on": "online",
        "payload_off": "offline",
        "device_class": "connectivity",
        "entity_category": "diagnostic",
    }
    playing = {
        "value_template": "{{ value_json.zones.playing }}",
        "state_class": "measurement",
        "icon": "mdi:music-box-multiple",
        **_attributes(base, "value_json.zones"),
    }
    offline = {
        "value_template": "{{ value_json.devices.offline }}",
        "state_class": "measurement",
        "entity_category": "diagnostic",
        "icon": "mdi:speaker-off",
        **_attributes(base, "value_json.devices"),
    }
    problem = {
        "value_template": "{{ 'ON' if value_json.alerts else 'OFF' }}",
        "device_class": "problem",
        "entity_category": "diagnostic",
    }
    return (
        Entity("binary_sensor", "server", "Server", alive),
        Entity("sensor", "zones_playing", "Zones playing", playing | state),
        Entity("sensor", "players_offline", "Players offline", offline | state),
        Entity("binary_sensor", "problem", "Problem", problem | state),
        *_announce(base, available, "Announce everywhere"),
    )


def _attributes(base: str, expression: str) -> Config:
    return {
        "json_attributes_topic": f"{base}/state",
        "json_attributes_template": f"{{{{ ({expression}) | tojson }}}}",
    }
