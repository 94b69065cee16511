"""Discovery messages in both styles: which topic holds what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from antiphon_homeassistant.entities import Entity, device_of, entities_of, identity
from antiphon_homeassistant.house import House, Place
from antiphon_homeassistant.naming import FirstNames
from antiphon_homeassistant.settings import Style

MIGRATE = b'{"migrate_discovery":true}'
_DEVICE = "device"
_ORIGIN = {"name": "Antiphon", "sw_version": version("antiphon")}


@dataclass(frozen=True, slots=True)
class Announcer:
    """Writes discovery messages. Ids come from ids and first names: a new name changes none."""

    prefix: str
    style: Style
    first_names: FirstNames = field(default_factory=FirstNames)

    def messages(self, house: House, place: Place) -> Mapping[str, bytes]:
        """What announces the thing at `place`, by topic; nothing where there is none."""
        if place not in house.names:
            return {}
        device = device_of(house, place)
        name = self.first_names.of(place, house.names[place])
        entities = {
            _unique_id(place, entity): (entity.component, _entity(place, entity, name))
            for entity in entities_of(house, place)
        }
        if self.style is Style.DEVICE:
            components = {
                unique_id: {"platform": component} | config
                for unique_id, (component, config) in entities.items()
            }
            payload = {"device": device, "origin": _ORIGIN, "components": components}
            return {self._topic(_DEVICE, place.client, identity(place)): _encoded(payload)}
        return {
            self._topic(component, place.client, unique_id): _encoded(
                config | {"device": device, "origin": _ORIGIN}
            )
            for unique_id, (component, config) in entities.items()
        }

    def found(self, client: str) -> str:
        """The filter that matches all that was ever announced for a client, in any style."""
        return self._topic("+", client, "+")

    def is_other_style(self, topic: str) -> bool:
        """Whether `topic`, one that `found` matches, is of the style that is not ours."""
        is_device = topic.removeprefix(f"{self.prefix}/").startswith(f"{_DEVICE}/")
        return is_device is not (self.style is Style.DEVICE)

    @property
    def births(self) -> frozenset[str]:
        """Where Home Assistant says that it has started: by default there, whatever the prefix."""
        return frozenset({"homeassistant/status", f"{self.prefix}/status"})

    def _topic(self, component: str, client: str, object_id: str) -> str:
        return f"{self.prefix}/{component}/antiphon_{client}/{object_id}/config"


def _unique_id(place: Place, entity: Entity) -> str:
    return f"{identity(place)}_{entity.key}"


def _entity(place: Place, entity: Entity, name: str) -> dict[str, Any]:
    # Older versions know object_id alone; newer ones want the other, and warn without it.
    object_id = f"antiphon_{name}_{entity.key}"
    return {
        "name": entity.name,
        "unique_id": _unique_id(place, entity),
        "object_id": object_id,
        "default_entity_id": f"{entity.component}.{object_id}",
        "qos": 1,
        **entity.config,
    }


def _encoded(payload: Mapping[str, Any]) -> bytes:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
