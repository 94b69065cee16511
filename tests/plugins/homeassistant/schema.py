"""What Home Assistant takes as MQTT discovery: its public documentation as JSON schemas.

Written from the pages of the MQTT integration (discovery, and one page per component). Keys that
no page knows are refused: Home Assistant would pass over them in silence.
"""

from __future__ import annotations

import json
import re
from typing import Any

from jsonschema import Draft202012Validator

_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
_TOPIC = {"type": "string", "pattern": r"^[^+#\s]+$"}
_FLAG = {"type": "boolean"}
_OBJECT_ID = {"type": "string", "pattern": "^[a-z0-9_]+$"}


def _closed(required: list[str], properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": False,
    }


_DEVICE = _closed(
    ["identifiers", "name"],
    {
        "identifiers": {"type": "array", "items": _TEXT, "minItems": 1},
        "connections": {"type": "array"},
        "configuration_url": _TEXT,
        "hw_version": _TEXT,
        "manufacturer": _TEXT,
        "model": _TEXT,
        "model_id": _TEXT,
        "name": _TEXT,
        "serial_number": _TEXT,
        "suggested_area": _TEXT,
        "sw_version": _TEXT,
        "via_device": _TEXT,
    },
)
_ORIGIN = _closed(["name"], {"name": _TEXT, "sw_version": _TEXT, "support_url": _TEXT})
_AVAILABILITY = {
    "type": "array",
    "items": _closed(
        ["topic"],
        {
            "topic": _TOPIC,
            "payload_available": _TEXT,
            "payload_not_available": _TEXT,
            "value_template": _TEXT,
        },
    ),
}
_COMMON: dict[str, Any] = {
    "name": {"type": ["string", "null"]},
    "unique_id": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
    "object_id": _OBJECT_ID,
    "default_entity_id": {"type": "string", "pattern": r"^[a-z_]+\.[a-z0-9_]+$"},
    "availability": _AVAILABILITY,
    "availability_mode": {"enum": ["all", "any", "latest"]},
    "enabled_by_default": _FLAG,
    "encoding": {"type": "string"},
    "entity_category": {"enum": ["config", "diagnostic"]},
    "entity_picture": _TEXT,
    "icon": {"type": "string", "pattern": "^mdi:[a-z0-9-]+$"},
    "json_attributes_template": _TEXT,
    "json_attributes_topic": _TOPIC,
    "qos": {"enum": [0, 1, 2]},
}
_STATE = {"state_topic": _TOPIC, "value_template": _TEXT}
_COMMAND = {"command_topic": _TOPIC, "command_template": _TEXT, "retain": _FLAG}
_SENSED = {"expire_after": {"type": "integer"}, "force_update": _FLAG}

# Component: the keys that it requires, and those that it knows besides the common ones.
_COMPONENTS: dict[str, tuple[list[str], dict[str, Any]]] = {
    "binary_sensor": (
        ["state_topic"],
        _STATE
        | _SENSED
        | {
            "device_class": {"enum": ["connectivity", "problem", "running", "sound"]},
            "off_delay": {"type": "integer"},
            "payload_on": _TEXT,
            "payload_off": _TEXT,
        },
    ),
    "button": (
        ["command_topic"],
        _COMMAND | {"payload_press": _TEXT, "device_class": {"enum": ["identify", "restart"]}},
    ),
    "event": (
        ["state_topic", "event_types"],
        _STATE
        | {
            "device_class": {"enum": ["button", "doorbell", "motion"]},
            "event_types": {"type": "array", "items": _TEXT, "minItems": 1},
        },
    ),
    "image": (
        [],
        {
            "content_type": {"type": "string", "pattern": "^image/"},
            "image_encoding": {"enum": ["b64"]},
            "image_topic": _TOPIC,
            "url_template": _TEXT,
            "url_topic": _TOPIC,
        },
    ),
    "notify": (["command_topic"], _COMMAND),
    "number": (
        ["command_topic"],
        _STATE
        | _COMMAND
        | {
            "device_class": _TEXT,
            "min": {"type": "number"},
            "max": {"type": "number"},
            "step": {"type": "number", "minimum": 0.001},
            "mode": {"enum": ["auto", "box", "slider"]},
            "optimistic": _FLAG,
            "payload_reset": _TEXT,
            "unit_of_measurement": _TEXT,
        },
    ),
    "select": (
        ["command_topic", "options"],
        _STATE
        | _COMMAND
        | {
            "optimistic": _FLAG,
            "options": {"type": "array", "items": _TEXT, "minItems": 1, "uniqueItems": True},
        },
    ),
    "sensor": (
        ["state_topic"],
        _STATE
        | _SENSED
        | {
            "device_class": {
                "enum": ["enum", "timestamp", "duration", "temperature", "signal_strength"]
            },
            "last_reset_value_template": _TEXT,
            "options": {"type": "array", "items": _TEXT, "minItems": 1},
            "state_class": {"enum": ["measurement", "total", "total_increasing"]},
            "suggested_display_precision": {"type": "integer", "minimum": 0},
            "unit_of_measurement": _TEXT,
        },
    ),
    "switch": (
        ["command_topic"],
        _STATE
        | _COMMAND
        | {
            "device_class": {"enum": ["outlet", "switch"]},
            "optimistic": _FLAG,
            "payload_on": _TEXT,
            "payload_off": _TEXT,
            "state_on": _TEXT,
            "state_off": _TEXT,
        },
    ),
    "text": (
        ["command_topic"],
        _STATE
        | _COMMAND
        | {
            "min": {"type": "integer", "minimum": 0, "maximum": 255},
            "max": {"type": "integer", "minimum": 0, "maximum": 255},
            "mode": {"enum": ["text", "password"]},
            "optimistic": _FLAG,
            "pattern": _TEXT,
        },
    ),
}
_IDS = ["unique_id"]


def _component(name: str, **more: Any) -> dict[str, Any]:
    required, own = _COMPONENTS[name]
    return _closed([*_IDS, *required, *more], _COMMON | own | more)


_BY_ENTITY = {
    name: Draft202012Validator(_component(name, device=_DEVICE, origin=_ORIGIN))
    for name in _COMPONENTS
}
_BY_DEVICE = Draft202012Validator(
    _closed(
        ["device", "origin", "components"],
        {
            "device": _DEVICE,
            "origin": _ORIGIN,
            "components": {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": {
                    "oneOf": [_component(name, platform={"const": name}) for name in _COMPONENTS]
                },
            },
        },
    )
)
_TOPICS = re.compile(
    r"(?P<prefix>.+)/(?P<component>[a-z_]+)/(?P<node>[A-Za-z0-9_-]+)/(?P<id>[A-Za-z0-9_-]+)/config"
)


def entities_in(topic: str, payload: bytes) -> dict[str, dict[str, Any]]:
    """The entities that a discovery message announces, by unique id, with `platform` and `device`.

    Raises AssertionError or ValidationError where Home Assistant would not take it.
    """
    parts = _TOPICS.fullmatch(topic)
    assert parts, f"Home Assistant does not read {topic}"
    told = json.loads(payload)
    if parts["component"] == "device":
        _BY_DEVICE.validate(told)
        found = {
            config["unique_id"]: config | {"device": told["device"]}
            for config in told["components"].values()
        }
        assert found.keys() == told["components"].keys()
        return found
    assert parts["component"] in _COMPONENTS, topic
    _BY_ENTITY[parts["component"]].validate(told)
    assert told["unique_id"] == parts["id"]
    return {told["unique_id"]: told | {"platform": parts["component"]}}
