"""The section `[mqtt]`, from files and variables."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from antiphon.settings import load
from antiphon_devices.plugin import antiphon_settings
from antiphon_devices.settings import MqttSettings


def test_the_variable_that_everybody_uses(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text("[mqtt]\nport = 1999\n")
    environ = {"ANTIPHON_MQTT__URL": "mqtts://me:p%40ss%2Fword@broker.example"}
    loaded = load(environ, tmp_path, sections={"mqtt": antiphon_settings()})
    settings = MqttSettings.model_validate(loaded.sections["mqtt"])
    address = settings.external
    assert address is not None
    assert (address.host, address.port, address.tls) == ("broker.example", 8883, True)
    assert (address.username, address.password) == ("me", SecretStr("p@ss/word"))
    assert settings.port == 1999
    assert "p@ss" not in repr(settings) + repr(address) + address.shown


@pytest.mark.parametrize("url", ["mqtt://host", "mqtt://[::1]:1884", "mqtts://a@h:1"])
def test_urls_that_are_fine(url: str) -> None:
    assert MqttSettings(url=SecretStr(url)).external is not None


@pytest.mark.parametrize(
    "url",
    ["on", "http://host", "mqtt://", "mqtt://me:hush@host:99999", "mqtt://host:x", "mqtt://h/path"],
)
def test_urls_that_are_not_say_how_to_write_one_and_keep_the_secret(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        MqttSettings.model_validate({"url": url})
    assert "mqtt://user:password@host:port" in str(refused.value)
    assert "hush" not in str(refused.value)


def test_nothing_and_off() -> None:
    assert MqttSettings().external is None
    assert not MqttSettings().is_off
    assert MqttSettings(url=SecretStr("off")).is_off
