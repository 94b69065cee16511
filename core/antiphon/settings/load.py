"""Loads the settings of the core and hands over the sections of the plugins."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from antiphon.errors import Misconfigured
from antiphon.settings.check import check_section, keys_of, meant, submodel, variable
from antiphon.settings.models import Settings
from antiphon.settings.safety import Unsafe, unsafe_values
from antiphon.settings.sources import DEVELOPMENT, ENVIRONMENT, Sources, read_sources


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was read. `sections` holds each plugin's table as it was written, by plugin name.

    `origins` maps every dotted key that was set to the file or variable that set it; keys that
    are not in it have their default.
    """

    settings: Settings
    sections: Mapping[str, Mapping[str, Any]]
    origins: Mapping[str, str]


def load(
    environ: Mapping[str, str] = os.environ,
    config_dir: Path | None = None,
    *,
    sections: Mapping[str, type[BaseModel] | None] | None = None,
) -> Loaded:
    """Read `base.toml`, `<ANTIPHON_ENV or development>.toml` and the `ANTIPHON_…` variables.

    Files come from `config_dir`, else ANTIPHON_CONFIG_DIR, else the checkout, else the installed
    wheel. `sections` names the plugins and their models (None: any content will do); without it,
    the installed plugins are known by name alone.

    Raises Misconfigured with all mistakes at once if a key of the core is wrong or belongs to
    nobody, and where a value is not safe outside of development. Mistakes in a plugin's section
    are then listed too; alone they do not stop the core: the plugin
    manager turns them into the plugin's status.
    """
    sources = read_sources(environ, config_dir)
    plugins = _installed() if sections is None else sections
    mistakes = [*sources.mistakes, *_strangers(sources, plugins)]
    own = {key: value for key, value in sources.values.items() if key in Settings.model_fields}
    if own.pop("environment", None) is not None:
        where = sources.origins["environment"]
        mistakes.append(f"environment (set in {where}): set the variable {ENVIRONMENT} instead.")
    settings, wrong = check_section(Settings, own, sources.origins)
    mistakes += wrong
    tables = {name: sources.values.get(name, {}) for name in plugins}
    if mistakes or not isinstance(settings, Settings):
        for name, model in plugins.items():
            if model is not None and isinstance(tables[name], dict):
                mistakes += check_section(model, tables[name], sources.origins, name)[1]
        raise Misconfigured(mistakes)
    if sources.environment != DEVELOPMENT and (unsafe := list(unsafe_values(settings))):
        raise Misconfigured([_with_origin(mistake, sources) for mistake in unsafe])
    settings = settings.model_copy(
        update={
            "environment": sources.environment,
            "data_dir": settings.data_dir.expanduser().absolute(),
        }
    )
    return Loaded(settings, tables, sources.origins)


def _with_origin(mistake: Unsafe, sources: Sources) -> str:
    where = sources.origins.get(mistake.key)
    return f"{mistake.key}{f' (set in {where})' if where else ''}: {mistake.reason}"


def disabled_plugins(
    environ: Mapping[str, str] = os.environ, config_dir: Path | None = None
) -> frozenset[str]:
    """The plugins not to load, read ahead of everything else; wrong values are left to `load`."""
    sources = read_sources(environ, config_dir)
    own = {k: v for k, v in sources.values.items() if k == "disabled_plugins"}
    settings, _ = check_section(Settings, own, sources.origins)
    return frozenset(settings.disabled_plugins if isinstance(settings, Settings) else ())


def _installed() -> dict[str, type[BaseModel] | None]:
    return {point.name: None for point in entry_points(group="antiphon.plugins")}


def _strangers(sources: Sources, plugins: Mapping[str, type[BaseModel] | None]) -> Iterable[str]:
    """Keys that neither the core nor a plugin knows, and plugins' sections that are no tables."""
    for key, value in sources.values.items():
        if key in Settings.model_fields:
            continue
        where = ", ".join(
            sorted({w for k, w in sources.origins.items() if k == key or k.startswith(f"{key}.")})
        )
        if key not in plugins:
            kind = "section" if isinstance(value, dict) else "key"
            yield f"{key} (set in {where}): there is no such {kind}.{_hint(sources, key, plugins)}"
        elif not isinstance(value, dict):
            yield f"{key} (set in {where}): this is a section; set the keys in it."


def _hint(sources: Sources, key: str, plugins: Mapping[str, type[BaseModel] | None]) -> str:
    written = [k for k in sources.origins if k == key or k.startswith(f"{key}.")]
    if all(sources.origins[k].startswith("the variable") for k in written):
        known = keys_of(Settings)
        for name, model in plugins.items():
            known += keys_of(model, (name,)) if model else [(name,)]
        names = [variable(path) for path in known]
        hints = (meant(variable(k.split(".")), names) for k in written)
        if hint := next(filter(None, hints), ""):
            return hint
    is_table = isinstance(sources.values[key], dict)
    own = [
        name
        for name, info in Settings.model_fields.items()
        if (submodel(info.annotation) is not None) is is_table
    ]
    return meant(key, [*own, *(plugins if is_table else ())])
