"""A package for Home Assistant: a universal media player per zone, which MQTT itself has not.

It leans on MQTT alone and on ids alone, so that it goes on working when entities or zones get
other names. Nothing in it is a secret.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from antiphon.plugins import PlaybackView

_HEADER = """\
# Media players of Antiphon. Save as packages/antiphon.yaml beside configuration.yaml, and have
#   homeassistant:
#     packages: !include_dir_named packages
# there. Fetch it again when zones are added.
"""
_STATES = "{'announcing': 'playing', 'stopped': 'idle', 'fault': 'idle'}"
_ATTRIBUTES = (
    "{{ {'volume_level': value_json.volume / 100, 'is_volume_muted': value_json.muted, "
    "'source': (value_json.source or {}).name | default(none)} | tojson }}"
)
_STEP_PERCENT = 5


def package(root: str, zones: Sequence[PlaybackView]) -> str:
    """The package as YAML."""
    players = sorted(zones, key=lambda zone: (zone.name, zone.zone_id))
    clients = sorted({zone.client_id for zone in zones})
    content = {
        "mqtt": {
            "sensor": [
                *(_helper(root, zone) for zone in players),
                *(_sources(root, client_id) for client_id in clients),
            ]
        },
        "media_player": [_player(root, zone) for zone in players],
    }
    return _HEADER + "".join(f"{line}\n" for line in (_lines(content) if players else ["{}"]))


def _base(root: str, zone: PlaybackView) -> str:
    return f"{root}/client/{zone.client_id}/zone/{zone.zone_id}"


def _helper_id(zone: PlaybackView) -> str:
    return f"antiphon_{zone.zone_id.hex}_player"


def _helper(root: str, zone: PlaybackView) -> dict[str, Any]:
    """What the player shows. Without a unique id, the name alone makes the entity's id."""
    base = _base(root, zone)
    return {
        "name": _helper_id(zone).replace("_", " "),
        "state_topic": f"{base}/state",
        "value_template": f"{{{{ {_STATES}.get(value_json.activity, value_json.activity) }}}}",
        "json_attributes_topic": f"{base}/state",
        "json_attributes_template": _ATTRIBUTES,
        "availability": [{"topic": f"{root}/server/status"}, {"topic": f"{base}/status"}],
        "availability_mode": "all",
    }


def _sources_id(client_id: UUID) -> str:
    return f"antiphon_{client_id.hex}_sources"


def _sources(root: str, client_id: UUID) -> dict[str, Any]:
    """What there is to choose: how much it is, and as an attribute, what."""
    base = f"{root}/client/{client_id}"
    names = "value_json.sources | map(attribute='name') | list"
    return {
        "name": _sources_id(client_id).replace("_", " "),
        "state_topic": f"{base}/sources",
        "value_template": "{{ value_json.sources | count }}",
        "json_attributes_topic": f"{base}/sources",
        "json_attributes_template": f"{{{{ {{'sources': {names}}} | tojson }}}}",
        "availability": [{"topic": f"{root}/server/status"}],
    }


def _player(root: str, zone: PlaybackView) -> dict[str, Any]:
    base, helper = _base(root, zone), f"sensor.{_helper_id(zone)}"
    volume = f"(state_attr('{helper}', 'volume_level') or 0) * 100"
    commands = {
        "volume_set": ("set/volume", "{{ (volume_level * 100) | round | int }}"),
        "volume_up": ("set/volume", f"{{{{ ({volume} + {_STEP_PERCENT}) | round | int }}}}"),
        "volume_down": ("set/volume", f"{{{{ ({volume} - {_STEP_PERCENT}) | round | int }}}}"),
        "volume_mute": ("set/muted", "{{ is_volume_muted | string | lower }}"),
        "select_source": ("set/source", "{{ source }}"),
        "media_play": ("set/playback", "playing"),
        "media_pause": ("set/playback", "paused"),
        "media_stop": ("set/playback", "stopped"),
        "media_next_track": ("cmd/next", "{}"),
        "media_previous_track": ("cmd/previous", "{}"),
        "play_media": ("cmd/announce", "{{ {'text': media_content_id} | tojson }}"),
    }
    return {
        "platform": "universal",
        "name": zone.name,
        "unique_id": f"antiphon_{zone.zone_id}_player",
        "device_class": "speaker",
        "attributes": {
            "state": helper,
            "volume_level": f"{helper}|volume_level",
            "is_volume_muted": f"{helper}|is_volume_muted",
            "source": f"{helper}|source",
            "source_list": f"sensor.{_sources_id(zone.client_id)}|sources",
        },
        "commands": {
            name: {
                "service": "mqtt.publish",
                "data": {"topic": f"{base}/{end}", "payload": payload, "qos": 1},
            }
            for name, (end, payload) in commands.items()
        },
    }


def _lines(value: Any, indent: str = "") -> Iterator[str]:
    """YAML in blocks. Texts are written as in JSON, which YAML reads as they are."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, dict | list):
                yield f"{indent}{key}:"
                yield from _lines(inner, f"{indent}  ")
            else:
                yield f"{indent}{key}: {json.dumps(inner, ensure_ascii=False)}"
    else:
        for item in value:
            first, *rest = _lines(item, f"{indent}  ")
            yield f"{indent}- {first.lstrip()}"
            yield from rest
