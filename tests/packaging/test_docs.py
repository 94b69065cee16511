"""The documentation is held to the code: what is there is documented."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from pkgutil import walk_packages
from typing import TypeVar

import pytest
import typer
from pydantic import BaseModel, SecretStr

import antiphon
from antiphon.cli.commands import app
from antiphon.errors import AntiphonError
from antiphon.events import DeviceEvent, Event, FloorEvent, ZoneEvent
from antiphon.plugins import PluginContext, hookspecs
from antiphon.settings import Settings
from antiphon.settings.check import variable

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
KindT = TypeVar("KindT")


def _rows(page: str) -> dict[str, str]:
    """The rows of a page's tables by what stands in code marks in their first column."""
    rows = {}
    for line in (REFERENCE / page).read_text().splitlines():
        if first := re.match(r"\| `([^`]+)` \|", line):
            rows[first[1]] = line
    return rows


def _bundled() -> list[str]:
    points = entry_points(group="antiphon.plugins")
    return sorted(
        {
            point.value.partition(".")[0]
            for point in points
            if point.dist is not None and point.dist.name == "antiphon"
        }
    )


def _settings() -> Iterator[tuple[str, type[BaseModel]]]:
    yield "", Settings
    for point in entry_points(group="antiphon.plugins"):
        hook = getattr(point.load(), "antiphon_settings", None)
        if hook is not None and point.dist is not None and point.dist.name == "antiphon":
            yield point.name, hook()


def test_every_setting_is_documented_with_its_variable_and_default() -> None:
    rows = _rows("settings.md")
    written = {}
    for name, model in _settings():
        for path, default in _leaves(model(), (name,) if name else ()):
            if path != ("environment",):
                written[".".join(path)] = (f"`{variable(path)}`", default)
    assert rows.keys() == written.keys()
    wrong = {key: parts for key, parts in written.items() if not all(p in rows[key] for p in parts)}
    assert not wrong


def _leaves(section: BaseModel, prefix: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, (*prefix, name))
        else:
            yield (*prefix, name), _shown(value)


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value in ("", None):
        return "(empty)"
    return "(none)" if value == [] else f"`{value}`"


def test_every_error_code_is_documented_with_its_status() -> None:
    rows = _rows("errors.md")
    errors = {error.code: error.status for error in _below(AntiphonError)}
    assert rows.keys() >= errors.keys()
    http = {code: row for code, row in rows.items() if re.search(r"\| \d{3} \|", row)}
    assert {code for code in http if f"| {errors[code]} |" not in http[code]} == set()


def test_every_event_is_documented_with_its_fields() -> None:
    rows = _rows("events.md")
    kinds = set(_below(Event)) - {Event, ZoneEvent, DeviceEvent, FloorEvent}
    kinds = {kind for kind in kinds if kind.__module__ == "antiphon.events"}
    assert rows.keys() == {kind.__name__ for kind in kinds}
    for kind in kinds:
        own = kind.model_fields.keys() - Event.model_fields.keys()
        assert set(re.findall(r"`(\w+)`", rows[kind.__name__].split("|")[2])) == own, kind


def test_every_hook_and_what_it_is_given_is_documented() -> None:
    rows = _rows("hooks.md")
    hooks = {
        f"{name}({', '.join(inspect.signature(hook).parameters)})"
        for name, hook in vars(hookspecs).items()
        if name.startswith("antiphon_")
    }
    assert {row for row in rows if row.startswith("antiphon_")} == hooks
    assert {field.name for field in fields(PluginContext)} <= rows.keys()


def test_every_command_is_documented() -> None:
    text = (REFERENCE / "cli.md").read_text()
    commands = {f"antiphon {name}" for name in _commands(app)}
    for point in entry_points(group="antiphon.plugins"):
        hook = getattr(point.load(), "antiphon_commands", None)
        if hook is not None and point.dist is not None and point.dist.name == "antiphon":
            group = hook()
            own = group.info.name if isinstance(group.info.name, str) else point.name
            commands |= {f"antiphon {own} {name}" for name in _commands(group)}
    documented = {
        " ".join(words)
        for line in re.findall(r"^\| `(antiphon [^`]+)`", text, re.MULTILINE)
        if (words := re.match(r"(?:[a-z]+ ?)+", line)[0].split())  # type: ignore[index]
    }
    assert documented - {"antiphon"} == commands


def _commands(group: typer.Typer) -> Iterator[str]:
    for command in group.registered_commands:
        yield command.name or str(getattr(command.callback, "__name__", "")).replace("_", "-")
    for inner in group.registered_groups:
        if inner.typer_instance is not None:
            yield from (f"{inner.name} {name}" for name in _commands(inner.typer_instance))


def _below(kind: type[KindT]) -> Iterator[type[KindT]]:
    """`kind` and all its subclasses in our own code, wherever they are defined."""
    for package in ["antiphon", *_bundled()]:
        for module in walk_packages(import_module(package).__path__, f"{package}."):
            if (
                not module.name.endswith(("__main__", "piper_worker"))
                and "migrations" not in module.name
            ):
                import_module(module.name)
    found, todo = set(), [kind]
    while todo:
        if (one := todo.pop()) not in found and one.__module__.startswith("antiphon"):
            found.add(one)
            todo += one.__subclasses__()
    yield from found


@pytest.mark.parametrize(
    "page",
    [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))],
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    broken = [to for to in links if "://" not in to and not (page.parent / to).exists()]
    assert not broken


def test_the_version_is_one() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", antiphon.__version__)
