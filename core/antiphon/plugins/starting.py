"""Brings the loaded plugins to life, in two steps, and takes each out that fails in one."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import AsyncIterator, Callable, Collection, Sequence, Set
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from antiphon.events import EventBus, PartChanged
from antiphon.plugins import patience
from antiphon.plugins.context import Jobs, PluginContext
from antiphon.plugins.devices import DeviceDriver, Devices
from antiphon.plugins.manager import HOOK_TIMEOUT_S, Plugins, say
from antiphon.plugins.media import MediaRegistry, MediaSource
from antiphon.plugins.mqtt import MqttOffer
from antiphon.plugins.records import PluginStatus
from antiphon.plugins.routes import Route
from antiphon.plugins.schedules import SchedulesOffer
from antiphon.plugins.secrets import SecretBox
from antiphon.plugins.services import START_TIMEOUT_S, ServiceTask
from antiphon.plugins.speech import SpeechEngine, SpeechRegistry
from antiphon.plugins.zones import Zones

R = TypeVar("R")

_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_SEGMENT = r"(?:[A-Za-z0-9_.~-]|\{[A-Za-z_][A-Za-z0-9_]*\})+"
_PATH = re.compile(f"{_SEGMENT}(?:/{_SEGMENT})*")


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginParts:
    """What all plugins are given of the server; see `PluginContext`.

    `add_driver` is called with their device drivers; it raises ValueError where a type is taken.
    """

    bus: EventBus
    zones: Zones
    devices: Devices
    media: MediaRegistry
    speech: SpeechRegistry
    jobs: Jobs
    data_dir: Path
    media_dir: Path
    mqtt: MqttOffer = field(default_factory=MqttOffer)
    secret_key: bytes = field(default_factory=lambda: os.urandom(32), repr=False)
    schedules: SchedulesOffer = field(default_factory=SchedulesOffer)
    public_url: str = ""
    add_driver: Callable[[DeviceDriver], None] = lambda driver: None  # noqa: ARG005


@dataclass(slots=True)
class _Given:
    """What one plugin gave."""

    sources: Sequence[MediaSource] = ()
    engines: Sequence[SpeechEngine] = ()
    drivers: Sequence[DeviceDriver] = ()
    routes: Sequence[Route] = ()
    services: Sequence[AbstractAsyncContextManager[None]] = ()


@dataclass(slots=True)
class Connected:
    """The plugins between their two steps: asked and registered, but their services not running."""

    plugins: Plugins
    parts: PluginParts
    given: dict[str, _Given] = field(default_factory=dict)
    start_timeout_s: float = START_TIMEOUT_S

    @property
    def routes(self) -> list[Route]:
        """The operations of the plugins that are well; ask when the services run."""
        return [route for given in self.given.values() for route in given.routes]

    def withhold(self, operations: Collection[tuple[str, str]]) -> None:
        """Take out each plugin that claims one of the core's operations (method and path)."""
        taken = {_operation(method, path) for method, path in operations}
        for name, given in list(self.given.items()):
            try:
                _check(given.routes, taken)
            except ValueError as error:
                self._remove(name)
                self.plugins.fail(name, PluginStatus.FAILED_TO_START, str(error))

    @asynccontextmanager
    async def services(self) -> AsyncIterator[None]:
        """Run all services, in order; leave them in reverse. A plugin whose service fails is out.

        Each service runs in a task of its own. One that ends by itself later on puts its plugin
        into quarantine; what else the plugin gave stays in use.
        """
        async with AsyncExitStack() as stack:
            for name, given in list(self.given.items()):
                async with AsyncExitStack() as started:
                    try:
                        for service in given.services:
                            task = ServiceTask(
                                f"The plugin {name}",
                                service,
                                partial(self._quarantine, name),
                                start_timeout_s=self.start_timeout_s,
                            )
                            await task.start()
                            started.push_async_callback(task.stop)
                        for driver in given.drivers:
                            self.parts.add_driver(driver)
                    except Exception as error:
                        self._remove(name)
                        _log_failure(name, error)
                        self.plugins.fail(name, PluginStatus.FAILED_TO_START, say(error))
                    else:
                        stack.push_async_exit(started.pop_all())
            yield

    def register(self, name: str, given: _Given) -> None:
        """Offer what a plugin gave, or nothing of it. Raises ValueError where a name is taken."""
        _check(given.routes, {_operation(route.method, route.path) for route in self.routes})
        self.given[name] = given
        try:
            for source in given.sources:
                self.parts.media.add(source)
            for engine in given.engines:
                self.parts.speech.add(engine)
        except ValueError:
            self._remove(name)
            raise

    def _remove(self, name: str) -> None:
        given = self.given.pop(name)
        for source in given.sources:
            self.parts.media.remove(source)
        for engine in given.engines:
            self.parts.speech.remove(engine)

    def _quarantine(self, name: str, reason: str) -> None:
        self.plugins.fail(name, PluginStatus.QUARANTINED, f"its service ended: {reason}")
        self.parts.bus.publish(
            PartChanged(part=f"plugin {name}", is_up=False, message=f"Its service ended: {reason}")
        )


async def connect(
    plugins: Plugins,
    parts: PluginParts,
    *,
    hook_timeout_s: float = HOOK_TIMEOUT_S,
    start_timeout_s: float = START_TIMEOUT_S,
) -> Connected:
    """Ask each plugin that is ready for what it offers, and put it into the registries.

    A hook that raises, hangs or returns something else takes its plugin out, with all it gave.
    """
    connected = Connected(plugins, parts, start_timeout_s=start_timeout_s)
    for name in plugins.ready:
        try:
            context = _context(plugins, parts, name)
            connected.register(name, await _ask(plugins, name, context, hook_timeout_s))
        except Exception as error:
            _log_failure(name, error)
            plugins.fail(name, PluginStatus.FAILED_TO_START, say(error))
    return connected


def _context(plugins: Plugins, parts: PluginParts, name: str) -> PluginContext:
    data_dir = parts.data_dir / "plugins" / name
    data_dir.mkdir(parents=True, exist_ok=True)
    return PluginContext(
        name=name,
        settings=plugins.settings(name),
        bus=parts.bus,
        zones=parts.zones,
        devices=parts.devices,
        media=parts.media,
        speech=parts.speech,
        jobs=parts.jobs,
        data_dir=data_dir,
        media_dir=parts.media_dir,
        log=logging.getLogger(f"antiphon.plugin.{name}"),
        mqtt=parts.mqtt,
        secrets=SecretBox(parts.secret_key, f"plugin {name}"),
    )


async def _ask(plugins: Plugins, name: str, context: PluginContext, timeout_s: float) -> _Given:
    async def ask(hook: Callable[[str, PluginContext], R]) -> R:
        return await patience.call_beside(partial(hook, name, context), timeout_s)

    return _Given(
        sources=await ask(plugins.media_sources),
        engines=await ask(plugins.speech_engines),
        drivers=await ask(plugins.device_drivers),
        routes=await ask(plugins.routes),
        services=await ask(plugins.services),
    )


def _check(routes: Sequence[Route], taken: Set[tuple[str, str]]) -> None:
    for route in routes:
        shown = f"{route.method} {route.path}"
        if route.method not in _METHODS or not _PATH.fullmatch(route.path):
            raise ValueError(f"{shown} is no operation; write it as GET things/{{thing_id}}")
        if _operation(route.method, route.path) in taken:
            raise ValueError(f"{shown} is taken already")


def _operation(method: str, path: str) -> tuple[str, str]:
    """What two routes must not share: the method, and the path but for its parameters' names."""
    return method, re.sub(r"\{[^}]*\}", "{}", path)


def _log_failure(name: str, error: Exception) -> None:
    logging.getLogger(f"antiphon.plugin.{name}").error(
        "The plugin %s could not be started", name, exc_info=error
    )
