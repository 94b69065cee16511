"""Finds the plugins, and keeps what each gave and what became of it."""

# mypy: disable-error-code="type-abstract"
# (`_items` only asks whether things are instances of these classes; it never makes one)

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

import pluggy
import typer
from pydantic import BaseModel

from antiphon.plugins import hookspecs, patience
from antiphon.plugins.context import PluginContext
from antiphon.plugins.devices import DeviceDriver
from antiphon.plugins.media import MediaSource
from antiphon.plugins.records import PluginRecord, PluginStatus
from antiphon.plugins.routes import Route
from antiphon.plugins.speech import SpeechEngine
from antiphon.settings import Loaded, Section, Settings, check_section
from antiphon.store import Tables

_log = logging.getLogger(__name__)

GROUP = "antiphon.plugins"
IMPORT_TIMEOUT_S = 30.0
HOOK_TIMEOUT_S = 10.0
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_RESERVED = frozenset({*Settings.model_fields, "antiphon", "core"})

T = TypeVar("T")


class _NoSettings(Section):
    """The section of a plugin that has no settings: any key in it is a mistake."""


@dataclass(slots=True)
class _Plugin:
    """A plugin that was imported, and what it said while it was loaded."""

    module: object
    package: str
    settings_model: type[BaseModel] | None = None
    models: Sequence[str] = ()
    settings: BaseModel | None = None


class Plugins:
    """All plugins, good and bad. Whatever one of them does wrong ends in its record.

    Made by `load_plugins`; `starting.connect` and `starting.services` bring them to life. Only
    plugins that are ready are asked anything; one that fails is never asked again.
    """

    def __init__(self) -> None:
        self._pluggy = pluggy.PluginManager("antiphon")
        self._pluggy.add_hookspecs(hookspecs)
        self._records: dict[str, PluginRecord] = {}
        self._duplicates: list[PluginRecord] = []
        self._plugins: dict[str, _Plugin] = {}

    @property
    def records(self) -> list[PluginRecord]:
        """A row per plugin, by name."""
        return sorted([*self._records.values(), *self._duplicates], key=lambda row: row.name)

    @property
    def ready(self) -> list[str]:
        """The names of the plugins that are well, in the order of their start."""
        return [n for n, row in self._records.items() if row.status is PluginStatus.READY]

    def fail(self, name: str, status: PluginStatus, reason: str) -> None:
        """Note that a plugin is out."""
        _log.error("The plugin %s is out (%s): %s", name, status, reason)
        self._records[name] = self._records[name].model_copy(
            update={"status": status, "reason": reason}
        )

    def section_models(self) -> dict[str, type[BaseModel] | None]:
        """For `settings.load`: each plugin's model; None where any content must be let through."""
        return {
            name: self._plugins[name].settings_model or _NoSettings if name in self.ready else None
            for name in self._records
        }

    def configure(self, loaded: Loaded) -> None:
        """Give each plugin its settings; one whose section is wrong is out."""
        for name in self.ready:
            plugin = self._plugins[name]
            model = plugin.settings_model or _NoSettings
            section = loaded.sections.get(name, {})
            settings, mistakes = check_section(model, section, loaded.origins, name)
            if mistakes:
                self.fail(name, PluginStatus.BAD_SETTINGS, " ".join(mistakes))
            elif plugin.settings_model is not None:
                plugin.settings = settings

    def settings(self, name: str) -> BaseModel | None:
        """The plugin's section, an instance of its own model; None if it has none."""
        return self._plugins[name].settings

    def tables(self) -> dict[str, Tables]:
        """For `store.open_database`: the tables of each plugin that has some."""
        return {
            name: Tables(plugin.models, f"{plugin.package}.migrations")
            for name, plugin in self._plugins.items()
            if plugin.models and name in self.ready
        }

    def commands(self) -> dict[str, typer.Typer]:
        """The commands of each plugin that has some, for the command line."""
        found = {}
        for name in self.ready:
            ask = partial(patience.call, partial(self._commands, name), HOOK_TIMEOUT_S)
            if (commands := self._guarded(name, ask)) is not None:
                found[name] = commands
        return found

    # --- each hook is called in exactly one of these; raising is the caller's to handle ---------

    def _settings_model(self, name: str) -> type[BaseModel] | None:
        model = self._call(name, "antiphon_settings")
        if model is not None and not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise TypeError(f"antiphon_settings returned {model!r}, not a pydantic model class")
        return model

    def _models(self, name: str) -> Sequence[str]:
        modules = self._items(name, "antiphon_models", str)
        for module in modules:
            import_module(module)
        return modules

    def _commands(self, name: str) -> typer.Typer | None:
        commands = self._call(name, "antiphon_commands")
        if commands is not None and not isinstance(commands, typer.Typer):
            raise TypeError(f"antiphon_commands returned {commands!r}, not a typer.Typer")
        return commands

    def media_sources(self, name: str, context: PluginContext) -> Sequence[MediaSource]:
        """What the plugin returns from the hook; raises whatever it raises, TypeError too."""
        return self._items(name, "antiphon_media_sources", MediaSource, context)

    def speech_engines(self, name: str, context: PluginContext) -> Sequence[SpeechEngine]:
        """See `media_sources`."""
        return self._items(name, "antiphon_speech_engines", SpeechEngine, context)

    def device_drivers(self, name: str, context: PluginContext) -> Sequence[DeviceDriver]:
        """See `media_sources`."""
        return self._items(name, "antiphon_device_drivers", DeviceDriver, context)

    def routes(self, name: str, context: PluginContext) -> Sequence[Route]:
        """See `media_sources`."""
        return self._items(name, "antiphon_routes", Route, context)

    def services(
        self, name: str, context: PluginContext
    ) -> Sequence[AbstractAsyncContextManager[None]]:
        """See `media_sources`."""
        return self._items(name, "antiphon_services", AbstractAsyncContextManager, context)

    def _items(
        self, name: str, hook: str, kind: type[T], context: PluginContext | None = None
    ) -> Sequence[T]:
        result = self._call(name, hook, **({} if context is None else {"context": context}))
        items = [] if result is None else list(result)
        if wrong := next((item for item in items if not isinstance(item, kind)), None):
            raise TypeError(f"{hook} returned {wrong!r} among its items, not a {kind.__name__}")
        return items

    def _call(self, name: str, hook: str, **arguments: object) -> Any:
        """What one plugin answers to one hook, or None."""
        module = self._plugins[name].module
        others = self._pluggy.get_plugins() - {module}
        answers: list[Any] = self._pluggy.subset_hook_caller(hook, others)(**arguments)
        return answers[0] if answers else None

    # --- loading ---------------------------------------------------------------------------------

    def load(self, point: EntryPoint, disabled: Collection[str]) -> None:
        """Import one plugin and ask it what does not need a running server."""
        record = PluginRecord(
            name=point.name,
            distribution=point.dist.name if point.dist else "",
            version=point.dist.version if point.dist else "",
        )
        if (taken := self._records.get(point.name)) is not None:
            reason = f"the name is taken by the distribution {taken.distribution or '?'}"
            update = {"status": PluginStatus.FAILED_TO_LOAD, "reason": reason}
            self._duplicates.append(record.model_copy(update=update))
            return
        self._records[point.name] = record
        name = point.name
        if name in disabled:
            update = {"status": PluginStatus.DISABLED, "reason": "by the settings"}
            self._records[name] = record.model_copy(update=update)
        elif name in _RESERVED or not _NAME.fullmatch(name):
            self.fail(
                name,
                PluginStatus.FAILED_TO_LOAD,
                "a plugin's name is lower-case words joined by _, and no section of the core's",
            )
        else:
            self._guarded(name, lambda: self._load(name, point))

    def _load(self, name: str, point: EntryPoint) -> None:
        module = patience.call(point.load, IMPORT_TIMEOUT_S)
        self._pluggy.register(module, name)
        try:
            self._check_hooks(module)
            plugin = self._plugins[name] = _Plugin(module, point.module.partition(".")[0])
            plugin.settings_model = patience.call(
                lambda: self._settings_model(name), HOOK_TIMEOUT_S
            )
            plugin.models = patience.call(lambda: self._models(name), IMPORT_TIMEOUT_S)
        except Exception:
            self._pluggy.unregister(name=name)
            raise

    def _check_hooks(self, module: object) -> None:
        """Refuse hooks that nobody would ever call: mistyped, or without their decorator."""
        known = [n for n in vars(hookspecs) if n.startswith("antiphon_")]
        mine = {hook.name for hook in self._pluggy.get_hookcallers(module) or ()}
        try:
            self._pluggy.check_pending()
        except pluggy.PluginValidationError as error:
            if not (unknown := sorted(mine - set(known))):
                raise
            near = get_close_matches(unknown[0], known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise LookupError(f"There is no hook {', '.join(unknown)}.{hint}") from error
        for name in known:
            if callable(getattr(module, name, None)) and name not in mine:
                raise LookupError(f"{name} lacks its @hookimpl, so it would never be called")

    def _guarded(self, name: str, work: Callable[[], T]) -> T | None:
        try:
            return work()
        except Exception as error:
            _log.debug("The plugin %s", name, exc_info=error)
            self.fail(name, PluginStatus.FAILED_TO_LOAD, say(error))
            return None


def say(error: BaseException) -> str:
    """An error as the reason in a record."""
    if isinstance(error, (TimeoutError, LookupError, TypeError)) and error.args:
        return str(error.args[0])
    return f"{type(error).__name__}: {error}".rstrip(": ")


def load_plugins(
    disabled: Collection[str] = (), points: Iterable[EntryPoint] | None = None
) -> Plugins:
    """Load all installed plugins (or `points`), one by one, by name; never raises for one of them.

    What plugins do at import and in hooks runs on a thread, with a time-out: a hook needs neither
    the main thread nor the loop, and must not wait for either.
    """
    plugins = Plugins()
    found = entry_points(group=GROUP) if points is None else points
    for point in sorted(found, key=lambda point: point.name):
        plugins.load(point, disabled)
    return plugins
