"""The package: entry points, what plugins import, what the wheel must hold."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGINS = sorted(path for path in ROOT.glob("plugins/antiphon_*") if path.is_dir())
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOR_PLUGINS = (
    "antiphon.plugins",
    "antiphon.types",
    "antiphon.errors",
    "antiphon.events",
    "antiphon.store",
    "antiphon.tenancy",
    "antiphon.processes",
    "antiphon.text",
    "antiphon.pictures",  # for jobs, which import as little as they can
    "antiphon.engine.codec",
    "antiphon.engine.encode",
    "antiphon.settings",  # for commands, which run without a server and have no context
    "antiphon.jobs",
    "antiphon.offline",
)


def test_every_plugin_folder_has_its_entry_point() -> None:
    points = PYPROJECT["project"]["entry-points"]["antiphon.plugins"]
    bundled = {name: value for name, value in points.items() if name != "mqtt"}
    assert points["mqtt"] == "antiphon_devices.plugin"
    assert bundled == {p.name.removeprefix("antiphon_"): f"{p.name}.plugin" for p in PLUGINS}


def test_the_reference_names_what_plugins_may_import() -> None:
    reference = (ROOT / "docs/reference/hooks.md").read_text()
    assert not [module for module in FOR_PLUGINS if f"`{module}`" not in reference]


@pytest.mark.parametrize(
    "package", [*PLUGINS, ROOT / "devices/antiphon_devices"], ids=lambda p: p.name
)
def test_bundled_plugins_use_the_door_that_strangers_use(package: Path) -> None:
    strangers = {
        f"{file.relative_to(ROOT)}: {module}"
        for file in package.rglob("*.py")
        if "migrations" not in file.parts
        for module in _imported(file)
        if module.partition(".")[0].startswith("antiphon")
        and module.partition(".")[0] != package.name
        and not any(module == name or module.startswith(f"{name}.") for name in FOR_PLUGINS)
    }
    assert not strangers


def _imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_only_the_speech_worker_imports_the_voice() -> None:
    """piper-tts is under the GPL: it stays in a process of its own."""
    importers = [
        file.relative_to(ROOT).as_posix()
        for folder in ("core", "plugins", "devices")
        for file in (ROOT / folder).rglob("*.py")
        if any(module.partition(".")[0] == "piper" for module in _imported(file))
    ]
    assert importers == ["plugins/antiphon_ai/piper_worker.py"]
