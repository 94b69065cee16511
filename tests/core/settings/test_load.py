from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, SecretStr

from antiphon.errors import Misconfigured
from antiphon.settings import disabled_plugins, load


class Bridge(BaseModel):
    model_config = ConfigDict(extra="forbid")

    url: str = ""
    password: SecretStr = SecretStr("")
    keepalive_s: int = 30
    topics: list[str] = []


SECTIONS = {"bridge": Bridge}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base.toml").write_text("")
    (tmp_path / "development.toml").write_text("")
    return tmp_path


def mistakes(folder: Path, **environ: str) -> list[str]:
    with pytest.raises(Misconfigured) as caught:
        load(environ, folder, sections=SECTIONS)
    return caught.value.mistakes


def test_variables_win_over_the_environment_which_wins_over_base(folder: Path) -> None:
    (folder / "base.toml").write_text("[http]\nport = 1\nhost = 'base'\n[audio]\nmusic_lufs = -20")
    (folder / "shop.toml").write_text("[http]\nport = 2\nmax_upload_mb = 7")
    loaded = load({"ANTIPHON_ENV": "shop", "ANTIPHON_HTTP__PORT": "3"}, folder, sections=SECTIONS)
    assert loaded.settings.environment == "shop"
    assert loaded.settings.http.port == 3
    assert loaded.settings.http.host == "base"
    assert loaded.settings.http.max_upload_mb == 7
    assert loaded.settings.audio.music_lufs == -20
    assert loaded.origins["http.port"] == "the variable ANTIPHON_HTTP__PORT"
    assert loaded.origins["http.max_upload_mb"] == str(folder / "shop.toml")


def test_sections_of_plugins_are_merged_like_the_rest(folder: Path) -> None:
    (folder / "base.toml").write_text("[bridge]\nurl = 'a'\nkeepalive_s = 5")
    loaded = load({"ANTIPHON_BRIDGE__URL": "b"}, folder, sections=SECTIONS)
    assert loaded.sections == {"bridge": {"url": "b", "keepalive_s": 5}}


def test_all_mistakes_come_at_once_with_key_and_place(folder: Path) -> None:
    base, own = folder / "base.toml", folder / "development.toml"
    base.write_text("[http]\nport = 'abc'\n[bridge]\nkeepalive_s = 'long'")
    own.write_text("[snapcast]\nmode = 'chlid'\n[audio]\nduck_gap_lu = 99")
    found = mistakes(folder, ANTIPHON_LOG__LEVEL="loud")
    assert len(found) == 5
    for key, where in {
        "http.port": str(base),
        "bridge.keepalive_s": str(base),
        "snapcast.mode": str(own),
        "audio.duck_gap_lu": str(own),
        "log.level": "the variable ANTIPHON_LOG__LEVEL",
    }.items():
        assert any(m.startswith(f"{key} (set in {where}): should be") for m in found), (key, found)


@pytest.mark.parametrize(
    ("toml", "environ", "hint"),
    [
        ("[http]\nprot = 1", {}, "Did you mean port?"),
        ("[htpp]\nport = 1", {}, "Did you mean http?"),
        ("[brigde]\nurl = 'x'", {}, "Did you mean bridge?"),
        ("data_dri = 'x'", {}, "Did you mean data_dir?"),
        ("", {"ANTIPHON_HTTP__HSOT": "x"}, "Did you mean ANTIPHON_HTTP__HOST?"),
        ("", {"ANTIPHON_HTPP__PORT": "1"}, "Did you mean ANTIPHON_HTTP__PORT?"),
        ("", {"ANTIPHON_BRIDGE_URL": "x"}, "Did you mean ANTIPHON_BRIDGE__URL?"),
        ("", {"ANTIPHON_DATADIR": "x"}, "Did you mean ANTIPHON_DATA_DIR?"),
    ],
)
def test_a_slip_of_the_pen_is_named(
    folder: Path, toml: str, environ: dict[str, str], hint: str
) -> None:
    (folder / "base.toml").write_text(toml)
    (found,) = mistakes(folder, **environ)
    assert "there is no such" in found
    assert hint in found


def test_mistakes_of_a_plugin_alone_do_not_stop_the_core(folder: Path) -> None:
    (folder / "base.toml").write_text("[bridge]\nkeepalive_s = 'long'")
    assert load({}, folder, sections=SECTIONS).sections["bridge"] == {"keepalive_s": "long"}


def test_no_secret_is_repeated(folder: Path) -> None:
    (folder / "base.toml").write_text(
        "database = 'hunter2'\n[bridge]\npasword = 'hunter2'\npassword = ['hunter2']"
    )
    found = mistakes(folder, ANTIPHON_ADMIN="hunter2", ANTIPHON_HTTP__PORT="hunter2")
    assert len(found) == 5
    assert "hunter2" not in " ".join(found)


@pytest.mark.parametrize(
    ("toml", "environ", "said"),
    [
        ("[http", {}, "can not be read"),
        ("http = 3", {"ANTIPHON_HTTP__PORT": "1"}, "http is not a section"),
        ("bridge = 3", {}, "this is a section"),
        ("environment = 'x'", {}, "set the variable ANTIPHON_ENV instead"),
        ("", {"ANTIPHON_ENV": "prodution"}, "knows: development"),
        ("", {"ANTIPHON_ENV": "../development"}, "knows: development"),
    ],
)
def test_bad_sources(folder: Path, toml: str, environ: dict[str, str], said: str) -> None:
    (folder / "base.toml").write_text(toml)
    assert any(said in mistake for mistake in mistakes(folder, **environ))


def test_a_missing_folder_is_a_mistake_only_if_it_was_named(tmp_path: Path) -> None:
    assert "There is no folder" in mistakes(tmp_path / "none")[0]


@pytest.mark.parametrize("written", ["ai, mqtt", '["ai", "mqtt"]', "ai,mqtt,"])
def test_a_list_in_a_variable(folder: Path, written: str) -> None:
    environ = {"ANTIPHON_DISABLED_PLUGINS": written}
    assert load(environ, folder, sections=SECTIONS).settings.disabled_plugins == ["ai", "mqtt"]
    assert disabled_plugins(environ, folder) == {"ai", "mqtt"}


def test_data_dir_is_absolute(folder: Path) -> None:
    assert load({}, folder, sections=SECTIONS).settings.data_dir == Path.cwd() / "data"


@pytest.mark.parametrize("environment", ["development", "production"])
def test_the_files_that_we_ship_are_right(environment: str) -> None:
    config = Path(__file__).parents[3] / "config"
    settings = load({"ANTIPHON_ENV": environment}, config).settings
    assert (settings.log.format, settings.snapcast.unassigned) == {
        "development": ("console", "first_zone"),
        "production": ("json", "silent"),
    }[environment]
