"""What the bridge knows of the building: read from the documents that every integrator reads."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum

from antiphon.plugins import MqttMessage


class Rank(IntEnum):
    """What a thing is; lower ranks are announced first, since higher ones point to them."""

    SYSTEM = 0
    ZONE = 1
    PLAYER = 2


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a thing's topics lie. `id` is its last level: of the client, zone or device."""

    rank: Rank
    client: str
    id: str

    def base(self, root: str) -> str:
        """What its topics begin with."""
        here = f"{root}/client/{self.client}"
        match self.rank:
            case Rank.SYSTEM:
                return here
            case Rank.ZONE:
                return f"{here}/zone/{self.id}"
            case Rank.PLAYER:
                return f"{here}/device/{self.id}"


FILTERS = ("client/+/info", "client/+/zone/+/info", "client/+/device/+/info")
PLAYER_STATES = "client/+/device/+/state"
SOURCES = "client/+/sources"
_AGENT = "agent"


@dataclass(slots=True)
class House:
    """Names and places of everything. What is told is taken; what changed by it is returned.

    `public_url` is where Home Assistant finds the server itself; empty where nobody knows.
    """

    root: str
    public_url: str = ""
    names: dict[Place, str] = field(default_factory=dict)
    _zone_of: dict[Place, str] = field(default_factory=dict)
    _players_of: defaultdict[str, set[Place]] = field(default_factory=lambda: defaultdict(set))
    _models: dict[Place, str | None] = field(default_factory=dict)
    _with_agent: set[Place] = field(default_factory=set)
    _sources: dict[str, list[str]] = field(default_factory=dict)

    def take_info(self, message: MqttMessage) -> set[Place]:
        """A document `info` came, changed, or was taken away (an empty payload)."""
        place = self._place(message.topic)
        if not message.payload:
            return self._forget(place)
        told = json.loads(message.payload)
        name, model = told["name"] or "Antiphon", told.get("model")
        is_new, has_agent = place not in self.names, told.get("device_type") == _AGENT
        before = (self.names.get(place), self._models.get(place), self.has_agent(place))
        if before == (name, model, has_agent):
            return set()
        self.names[place], self._models[place] = name, model
        (self._with_agent.add if has_agent else self._with_agent.discard)(place)
        return {place, *(self._around(place) if is_new else ())}

    def take_state(self, message: MqttMessage) -> set[Place]:
        """The state of a loudspeaker: of interest is the zone that it plays."""
        place = self._place(message.topic)
        zone = json.loads(message.payload)["zone_id"] if message.payload else None
        if self._zone_of.get(place) == zone:
            return set()
        self._move(place, zone)
        return {place}

    def take_sources(self, message: MqttMessage) -> set[Place]:
        """What the zones of a client can be set to play."""
        client = self._place(message.topic).client
        told = json.loads(message.payload)["sources"] if message.payload else []
        names = [source["name"] for source in told]
        if self._sources.get(client, []) == names:
            return set()
        self._sources[client] = names
        return {place for place in self.names if place.client == client and _is_zone(place)}

    def sources(self, place: Place) -> list[str]:
        """The names of what a zone can be set to play."""
        return self._sources.get(place.client, [])

    def has_agent(self, place: Place) -> bool:
        """Whether a loudspeaker has an agent, which measures and obeys."""
        return place in self._with_agent

    def _move(self, player: Place, zone: str | None) -> None:
        if (before := self._zone_of.pop(player, None)) is not None:
            self._players_of[before].discard(player)
        if zone is not None:
            self._zone_of[player] = zone
            self._players_of[zone].add(player)

    def above(self, player: Place) -> Place:
        """What a loudspeaker belongs to: its zone, where it has one that is known."""
        zone = Place(Rank.ZONE, player.client, self._zone_of.get(player) or "")
        return zone if zone in self.names else Place(Rank.SYSTEM, player.client, player.client)

    def model(self, place: Place) -> str | None:
        """The model of a loudspeaker, where it is known."""
        return self._models.get(place)

    def _forget(self, place: Place) -> set[Place]:
        self.names.pop(place, None)
        self._models.pop(place, None)
        self._with_agent.discard(place)
        return {place, *self._around(place)}

    def _around(self, place: Place) -> Iterable[Place]:
        """The loudspeakers that point to a zone."""
        return self._players_of.get(place.id, ()) if place.rank is Rank.ZONE else ()

    def _place(self, topic: str) -> Place:
        match topic.removeprefix(f"{self.root}/").split("/"):
            case ["client", client, _]:
                return Place(Rank.SYSTEM, client, client)
            case ["client", client, "zone", zone, _]:
                return Place(Rank.ZONE, client, zone)
            case ["client", client, "device", device, _]:
                return Place(Rank.PLAYER, client, device)
            case _:
                raise ValueError(f"{topic} is about nothing that is announced")


def _is_zone(place: Place) -> bool:
    return place.rank is Rank.ZONE
