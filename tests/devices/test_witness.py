"""The judges of what is published: they find what breaks the contract, and only that."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from tests.fakes.integrator import integrating
from tests.fakes.waiting import eventually
from tests.fakes.witness import Witness

from antiphon_devices.broker import INTEGRATOR_FILE, own_broker
from antiphon_devices.settings import MqttSettings

_GOOD = (
    ("antiphon/v1/server/status", "online"),
    ("antiphon/v1/client/hotel/zone/lobby/set/volume", "very loud"),  # somebody else's mistake
    ("antiphon/v1/client/hotel/zone/lobby/status", ""),
)
_BAD = (
    ("antiphon/v1/server/status", "perhaps"),
    ("antiphon/v1/server/info", '{"name": "antiphon"}'),
    ("antiphon/v1/device/left/down/cmd/identify", '{"no": "id"}'),
    ("antiphon/v1/nobody/knows", "{}"),
    ("homeassistant/number/antiphon_hotel/antiphon_lobby_volume/config", '{"name": "Volume"}'),
)


@pytest.mark.parametrize("bad", [None, *_BAD])
async def test_a_witness_at_the_broker_finds_what_breaks_the_contract(
    tmp_path: Path, bad: tuple[str, str] | None
) -> None:
    heard = tmp_path / "heard"
    async with own_broker(MqttSettings(port=0), tmp_path / "mqtt", logging.getLogger("test")):
        url = (tmp_path / "mqtt" / INTEGRATOR_FILE).read_text().strip()
        async with integrating(url, lambda _: None) as somebody:
            for topic, payload in (*_GOOD, *([bad] if bad else ())):
                await somebody.publish(topic, payload, retain=True)
            await somebody.publish("antiphon/v1/client/hotel/cmd/end", "{}", retain=True)
        witness = Witness(url, heard).start()
        await eventually(lambda: "/cmd/end" in heard.read_text())
        if bad is None:
            witness.stop()
            return
        with pytest.raises(ExceptionGroup) as caught:
            witness.stop()
        assert len(caught.value.exceptions) == 1
