"""Keeps the discovery on the broker equal to the building, and repeats it when it is asked for."""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import ExitStack
from pathlib import Path

from antiphon.plugins import Mqtt, MqttMessage
from antiphon_homeassistant.discovery import MIGRATE, Announcer
from antiphon_homeassistant.house import (
    FILTERS,
    PLAYER_STATES,
    SOURCES,
    House,
    Place,
    Rank,
)
from antiphon_homeassistant.naming import FirstNames
from antiphon_homeassistant.settings import HomeAssistantSettings

_AT_ONCE = 100
_STEP_S = 1.0


class Bridge:
    """Run it with `run`. `names_file` keeps what things were called when they were first announced.

    `quiet_s` is how long the broker may go on telling what it holds.

    `jitter_s` is between which times after a birth message everything is repeated.
    """

    def __init__(
        self,
        mqtt: Mqtt,
        settings: HomeAssistantSettings,
        log: logging.Logger,
        *,
        public_url: str = "",
        names_file: Path | None = None,
        quiet_s: float = 2.0,
        jitter_s: tuple[float, float] = (1.0, 5.0),
    ) -> None:
        self._mqtt = mqtt
        self._is_enabled = settings.enabled
        self._announcer = Announcer(settings.prefix, settings.style, FirstNames(names_file))
        self._log = log
        self._quiet_s = quiet_s
        self._jitter_s = jitter_s
        self._house = House(mqtt.root, public_url)
        self._clients: set[str] = set()
        self._changed: set[Place] = set()
        self._found: set[str] = set()
        self._told: dict[Place, dict[str, bytes]] = {}
        self._wanted: set[str] = set()
        self._news = asyncio.Event()
        self._was_born = False
        self._last_found_at = 0.0
        self._undo = ExitStack()

    async def run(self) -> None:
        """Work until cancelled; where the bridge is turned off, until its traces are gone."""
        with self._undo:
            for name in FILTERS:
                self._undo.callback(self._mqtt.documents(self._below(name), self._info))
            self._undo.callback(self._mqtt.documents(self._below(PLAYER_STATES), self._state))
            self._undo.callback(self._mqtt.documents(self._below(SOURCES), self._sources))
            await self._mqtt.connected()  # before that not all documents may be there
            await self._look()
            if not self._is_enabled:
                await self._settle()
                return
            for topic in self._announcer.births:
                self._undo.callback(self._mqtt.subscribe(topic, self._status))
            await self._migrate()
            self._log.info("Home Assistant: %d things are announced", len(self._house.names))
            while True:
                await self._settle()
                await self._repeat_after_birth()
                await self._wait()

    def _below(self, topic_filter: str) -> str:
        return f"{self._mqtt.root}/{topic_filter}"

    # --- what is told to us; these return at once ------------------------------------------------

    def _info(self, message: MqttMessage) -> None:
        places = self._house.take_info(message)
        for place in places:
            if place.rank is Rank.SYSTEM and place.client not in self._clients:
                self._clients.add(place.client)
                self._undo.callback(
                    self._mqtt.subscribe(self._announcer.found(place.client), self._discovery)
                )
        self._change(places)

    def _state(self, message: MqttMessage) -> None:
        self._change(self._house.take_state(message))

    def _sources(self, message: MqttMessage) -> None:
        places = self._house.take_sources(message)
        # At once: a zone's state that names a new source comes right behind, and Home Assistant
        # refuses one that is not among the options.
        for place in places & self._told.keys():
            self._tell(place)
        self._change(places)

    def _change(self, places: set[Place]) -> None:
        if places:
            self._changed |= places
            self._news.set()

    def _discovery(self, message: MqttMessage) -> None:
        """Something that was announced below our name; not by us, this time."""
        if message.retain and message.payload:
            self._last_found_at = asyncio.get_running_loop().time()
            self._found.add(message.topic)
            self._news.set()

    def _status(self, message: MqttMessage) -> None:
        if message.payload == b"online":
            self._log.info("Home Assistant has started")
            self._was_born = True
            self._news.set()

    # --- what follows from it --------------------------------------------------------------------

    async def _look(self) -> None:
        """Read what the broker holds of an earlier time, until it has told nothing for a while."""
        clock = asyncio.get_running_loop().time
        self._last_found_at = clock()
        while True:
            left_s = self._last_found_at + self._quiet_s - clock()
            if left_s <= 0:
                return
            await asyncio.sleep(left_s)

    async def _migrate(self) -> None:
        """Hand over from the other style: entities keep their ids, history and settings."""
        old = sorted(topic for topic in self._found if self._announcer.is_other_style(topic))
        if not old:
            return
        self._log.info("Home Assistant: %d announcements change their style", len(old))
        for number, topic in enumerate(old):
            self._mqtt.say(topic, MIGRATE)
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0.05)
        await asyncio.sleep(_STEP_S)
        await self._publish()
        await asyncio.sleep(_STEP_S)

    async def _settle(self) -> None:
        """Announce what changed; empty what was found and should not be there."""
        await self._publish()
        found, self._found = self._found, set()
        for topic in sorted(found - self._wanted):
            self._mqtt.empty(topic)

    async def _publish(self) -> None:
        changed, self._changed = self._changed, set()
        if not self._is_enabled:
            return
        for number, place in enumerate(sorted(changed)):
            self._tell(place)
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
        self._announcer.first_names.save()

    def _tell(self, place: Place) -> None:
        before = self._told.pop(place, {})
        after = dict(self._announcer.messages(self._house, place))
        if after:
            self._told[place] = after
        for topic in before.keys() - after.keys():
            self._wanted.discard(topic)
            self._mqtt.empty(topic)
        for topic, payload in after.items():
            if before.get(topic) != payload:
                self._wanted.add(topic)
                self._mqtt.hold(topic, payload)

    async def _repeat_after_birth(self) -> None:
        if not self._was_born:
            return
        self._was_born = False
        # Not at once: Home Assistant is busy then, and so are all others that it woke.
        await asyncio.sleep(random.uniform(*self._jitter_s))  # noqa: S311  no secret
        for number, place in enumerate(sorted(self._told)):
            for topic, payload in self._told[place].items():
                self._mqtt.hold(topic, payload)
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)

    async def _wait(self) -> None:
        await self._news.wait()
        self._news.clear()
