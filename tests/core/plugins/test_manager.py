from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import pytest
from tests.core.plugins.strangers import Write

from antiphon.errors import Misconfigured
from antiphon.plugins import manager
from antiphon.plugins.manager import Plugins, load_plugins
from antiphon.plugins.records import PluginStatus
from antiphon.settings import load

GOOD = """
class Conf(BaseModel):
    model_config = {"extra": "forbid"}
    volume_percent: int = 50
    password: SecretStr = SecretStr("")
@hookimpl
def antiphon_settings():
    return Conf
"""


def status_of(plugins: Plugins, name: str) -> tuple[PluginStatus, str]:
    (row,) = [row for row in plugins.records if row.name == name]
    return row.status, row.reason or ""


def test_ours_are_all_well() -> None:
    plugins = load_plugins()
    assert {row.name: row.reason for row in plugins.records} == {
        point.name: None for point in entry_points(group="antiphon.plugins")
    }
    assert {row.distribution for row in plugins.records} == {"antiphon"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import no_such_library", "No module named 'no_such_library'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("def f(:", "SyntaxError"),
        (
            "@hookimpl\ndef antiphon_rotues(context):\n    return []",
            "There is no hook antiphon_rotues. Did you mean antiphon_routes?",
        ),
        ("def antiphon_routes(context):\n    return []", "antiphon_routes lacks its @hookimpl"),
        ("@hookimpl\ndef antiphon_routes(ctx):\n    return []", "ctx"),
        ("@hookimpl\ndef antiphon_settings():\n    return 3", "antiphon_settings returned 3"),
        ("@hookimpl\ndef antiphon_settings():\n    raise OSError('x')", "OSError: x"),
        ("@hookimpl\ndef antiphon_models():\n    return ['no_such_models']", "no_such_models"),
        ("@hookimpl\ndef antiphon_models():\n    return 7", "not iterable"),
    ],
)
def test_a_broken_plugin_is_a_row_and_the_next_is_well(
    write: Write, body: str, reason: str
) -> None:
    points = [write("broken", body), write("good", GOOD)]
    plugins = load_plugins(points=points)
    status, said = status_of(plugins, "broken")
    assert status is PluginStatus.FAILED_TO_LOAD
    assert reason in said
    assert status_of(plugins, "good") == (PluginStatus.READY, "")
    assert plugins.ready == ["good"]
    assert list(plugins.tables()) == []
    (row,) = [row for row in plugins.records if row.name == "broken"]
    assert (row.distribution, row.version) == ("stranger", "1.2")


@pytest.mark.parametrize(
    "body",
    ["threading.Event().wait(60)", "@hookimpl\ndef antiphon_settings():\n    time.sleep(60)"],
)
def test_a_plugin_that_hangs_while_it_loads_is_a_row(
    write: Write, body: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manager, "IMPORT_TIMEOUT_S", 0.5)
    monkeypatch.setattr(manager, "HOOK_TIMEOUT_S", 0.2)
    plugins = load_plugins(points=[write("hung", body), write("well", GOOD)])
    status, said = status_of(plugins, "hung")
    assert status is PluginStatus.FAILED_TO_LOAD
    assert "did not return within" in said
    assert plugins.ready == ["well"]


def test_a_disabled_plugin_is_not_even_imported(write: Write, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    point = write("off", f"Path({str(mark)!r}).write_text('imported')")
    plugins = load_plugins({"off"}, [point])
    assert status_of(plugins, "off")[0] is PluginStatus.DISABLED
    assert not mark.exists()
    assert plugins.section_models() == {"off": None}


def test_the_second_of_a_name_is_refused(write: Write) -> None:
    points = [write("twin", GOOD, "first"), write("twin", GOOD, "second")]
    plugins = load_plugins(points=points)
    assert [(row.distribution, row.status.value) for row in plugins.records] == [
        ("first", "ready"),
        ("second", "failed_to_load"),
    ]
    assert plugins.records[1].reason == "the name is taken by the distribution first"


@pytest.mark.parametrize("name", ["http", "antiphon", "My Plugin", "a__b", "disabled_plugins"])
def test_names_that_would_clash_are_refused(write: Write, name: str) -> None:
    plugins = load_plugins(points=[write(name, GOOD)])
    assert status_of(plugins, name)[0] is PluginStatus.FAILED_TO_LOAD


def test_settings_reach_the_plugin(write: Write, tmp_path: Path) -> None:
    plugins = load_plugins(points=[write("radio", GOOD), write("plain", "")])
    (tmp_path / "base.toml").write_text("[radio]\nvolume_percent = 7")
    plugins.configure(load({}, tmp_path, sections=plugins.section_models()))
    settings = plugins.settings("radio")
    assert settings is not None
    assert settings.model_dump()["volume_percent"] == 7
    assert plugins.settings("plain") is None


def test_bad_settings_of_a_plugin_are_its_own_matter(write: Write, tmp_path: Path) -> None:
    plugins = load_plugins(points=[write("radio", GOOD), write("plain", "")])
    (tmp_path / "base.toml").write_text(
        "[radio]\nvolume = 3\nvolume_percent = 'loud'\npassword = ['hunter2']\n[plain]\nkey = 1"
    )
    loaded = load({}, tmp_path, sections=plugins.section_models())
    plugins.configure(loaded)
    status, said = status_of(plugins, "radio")
    assert status is PluginStatus.BAD_SETTINGS
    assert "radio.volume_percent" in said
    assert "Did you mean volume_percent?" in said
    assert str(tmp_path / "base.toml") in said
    assert "hunter2" not in said
    assert status_of(plugins, "plain")[0] is PluginStatus.BAD_SETTINGS
    assert plugins.ready == []


def test_mistakes_of_core_and_plugins_are_told_together(write: Write, tmp_path: Path) -> None:
    plugins = load_plugins(points=[write("radio", GOOD)])
    (tmp_path / "base.toml").write_text("[http]\nport = -1\n[radio]\nvolume = 3")
    with pytest.raises(Misconfigured) as caught:
        load({}, tmp_path, sections=plugins.section_models())
    assert [mistake.partition(" ")[0] for mistake in caught.value.mistakes] == [
        "http.port",
        "radio.volume",
    ]


def test_commands_of_plugins_and_one_that_has_none(write: Write) -> None:
    commands = "import typer\n@hookimpl\ndef antiphon_commands():\n    return typer.Typer()"
    wrong = "@hookimpl\ndef antiphon_commands():\n    return 'ls'"
    plugins = load_plugins(
        points=[write("cli", commands), write("none", ""), write("wrong", wrong)]
    )
    assert list(plugins.commands()) == ["cli"]
    assert status_of(plugins, "wrong")[0] is PluginStatus.FAILED_TO_LOAD
