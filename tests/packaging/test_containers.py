"""What `config/docker` names of the project is there, and its parts agree with each other."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import yaml
from tests.packaging.test_layout import PYPROJECT, ROOT

from antiphon.settings import Settings

FOLDER = ROOT / "config/docker"
TEXT = (FOLDER / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
SERVER: dict[str, Any] = SERVICES["antiphon"]


def _steps(word: str) -> list[str]:
    """What stands behind each such instruction, on one line."""
    joined = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", TEXT, flags=re.MULTILINE))
    lines = (line.partition(" ") for line in joined.splitlines())
    return [rest for name, _, rest in lines if name == word]


def _ports(service: str) -> dict[int, int]:
    """The ports inside, by those outside."""
    pairs = (port.split(":") for port in SERVICES[service].get("ports", []))
    return {int(outside): int(inside) for outside, inside in pairs}


def test_the_build_sees_all_that_the_wheel_is_made_of() -> None:
    lines = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    seen = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    assert not [name for name in seen if not (ROOT / name).exists()]
    project, build = PYPROJECT["project"], PYPROJECT["tool"]["hatch"]["build"]
    needed = {project["readme"], *project["license-files"], "pyproject.toml"}
    needed |= {name.strip("/").partition("/")[0] for name in build["targets"]["wheel"]["include"]}
    needed |= set(build["targets"]["wheel"]["shared-data"])
    assert needed <= seen


def test_extras_and_commands_of_the_image_exist() -> None:
    [extras] = re.findall(r"'\.\[([a-z,]+)\]'", TEXT)
    assert set(extras.split(",")) <= PYPROJECT["project"]["optional-dependencies"].keys()
    assert _steps("ENTRYPOINT") == ['["antiphon"]']
    assert _steps("CMD") == ['["run"]']
    assert "antiphon" in PYPROJECT["project"]["scripts"]


def test_settings_that_are_named_are_settings() -> None:
    known = set(re.findall(r"`(ANTIPHON_\w+)`", (ROOT / "docs/reference/settings.md").read_text()))
    given = {word.partition("=")[0] for line in _steps("ENV") for word in shlex.split(line)}
    given |= SERVER["environment"].keys()
    assert {name for name in given if name.startswith("ANTIPHON_")} <= known
    environments = re.findall(r"ANTIPHON_ENV=(\w+)", TEXT)
    assert environments
    assert all((ROOT / f"config/{name}.toml").exists() for name in environments)


def test_ports_agree_with_the_settings() -> None:
    http, snapcast = Settings().http.port, Settings().snapcast.stream_port
    assert [int(port) for line in _steps("EXPOSE") for port in line.split()] == [http, snapcast]
    assert _ports("antiphon") == {http: http, snapcast: snapcast}
    assert f"127.0.0.1:{http}/api/v1/health" in "".join(_steps("HEALTHCHECK"))
    listener = re.search(r"^listener (\d+)$", (FOLDER / "mosquitto.conf").read_text(), re.MULTILINE)
    assert listener is not None
    assert _ports("broker") == {int(listener[1]): int(listener[1])}


@pytest.mark.parametrize(
    ("setting", "service", "port"),
    [("ANTIPHON_DATABASE__URL", "database", 5432), ("ANTIPHON_MQTT__URL", "broker", 1883)],
)
def test_the_server_knows_the_others_by_their_names(setting: str, service: str, port: int) -> None:
    url = SERVER["environment"][setting]
    assert f"@{service}:{port}" in url
    assert service in SERVER["depends_on"]
    [secret] = re.findall(r"\$\{(\w+):\?", url)
    assert any(f"${{{secret}:?" in value for value in SERVICES[service]["environment"].values())
    if service == "database":
        made = SERVICES[service]["environment"]
        assert url.startswith(f"postgres://{made['POSTGRES_USER']}:")
        assert url.endswith(f"/{made['POSTGRES_DB']}")


def test_data_outlives_the_containers() -> None:
    [home] = _steps("VOLUME")
    assert f"--home-dir {home}" in TEXT
    assert _steps("WORKDIR")[-1] == home
    assert f"data:{home}" in SERVER["volumes"]
    named = {it.partition(":")[0] for one in SERVICES.values() for it in one["volumes"]}
    assert {name for name in named if not name.startswith(".")} == COMPOSE["volumes"].keys()
    files = [name for name in named if name.startswith(".")]
    assert all((FOLDER / name).is_file() for name in files)


def test_what_is_built_is_there() -> None:
    build = SERVER["build"]
    context = (FOLDER / build["context"]).resolve()
    assert context == ROOT
    assert (context / build["dockerfile"]) == FOLDER / "Dockerfile"
    copied = [line.split() for line in _steps("COPY")]
    stages = re.findall(r"^FROM \S+ AS (\w+)$", TEXT, re.MULTILINE)
    for words in copied:
        if words[0].startswith("--from="):
            assert words[0].removeprefix("--from=") in stages
        else:
            assert all((ROOT / name).exists() for name in words[:-1])
