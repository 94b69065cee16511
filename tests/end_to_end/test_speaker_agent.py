"""A speaker agent and a whole server, which is killed and comes back."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.end_to_end.house import Answer, House, until
from tests.fakes.speakers import Speaker, speaker

from antiphon.processes import free_port


async def test_an_agent_outlives_its_server_and_is_the_same_loudspeaker_after(
    tmp_path: Path,
) -> None:
    ports = {
        "ANTIPHON_MQTT__PORT": str(free_port()),
        "ANTIPHON_SNAPCAST__STREAM_PORT": str(free_port()),
    }
    with House(tmp_path, **ports) as house:
        url = (house.data_dir / "plugins/mqtt/enroll.url").read_text().strip()
        async with speaker("pi", tmp_path, url) as agent:
            await asyncio.to_thread(_join, house, agent)
            await asyncio.to_thread(_live, house, agent.tone)
            await asyncio.to_thread(_come_back, house)
            assert not agent.tone.exists()  # nothing that was asked before is done again
            await asyncio.to_thread(_thrown_out_and_back, house)


def _join(house: House, agent: Speaker) -> None:
    """Read the code from the loudspeaker's console, and type it in on the server's."""

    def code() -> str | None:
        found = re.search(r"device confirm (\d{6})", agent.log.read_text())
        return found[1] if found else None

    house.command("device", "confirm", "000000", expect=1)
    typed = until(code, "a code", 60)
    until(lambda: house.get("devices/pending")["items"], "a request", 30)
    assert "Pi" in house.command("device", "pending")
    assert "Pi has joined" in house.command("device", "confirm", str(typed))
    assert not house.get("devices/pending")["items"]


def _device(house: House, *, is_online: bool, within_s: float) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        devices = house.get("devices")["items"]
        return next((d for d in devices if d["is_online"] is is_online), None)

    return until(look, f"a loudspeaker with is_online {is_online}", within_s)


def _live(house: House, tone: Path) -> None:
    device = _device(house, is_online=True, within_s=60)  # a Python and a snapclient start first
    assert (device["device_id"], device["device_type"], device["zone_id"]) == ("pi", "agent", None)
    floor = house.post("floors", {"name": "Ground"})
    zone = house.post("zones", {"name": "Lobby", "floor_id": floor["id"], "default_volume": 35})
    place = f"devices/{device['id']}"
    house.patch(place, {"zone_id": zone["id"], "latency_ms": 20})
    house.post(f"{place}/volume", {"volume": 44})
    house.post(f"{place}/identify")
    assert tone.exists()
    tone.unlink()
    _accounts(house)
    with pytest.raises(Answer) as caught:
        house.post(f"{place}/test-tone", {"duration_s": 900})
    assert caught.value.status == 422
    assert not tone.exists()


def _accounts(house: House) -> None:
    """An integrator's account is made, sees its client, and is revoked."""
    made = house.command("integrator", "add", "Node-RED")
    found = re.search(r"User name (\S+), password (\S+)\n.*begin with (\S+)/", made)
    assert found is not None
    username, password, tree = found.groups()
    assert username in house.command("integrator", "list")
    address = (house.data_dir / "plugins/mqtt/integrator.url").read_text().strip()
    port = str(urlsplit(address).port)
    listen = ["mosquitto_sub", "-h", "127.0.0.1", "-p", port, "-u", username, "-P", password]
    topics = ["-t", f"{tree}/info", "-t", "antiphon/v1/device/#", "-C", "1", "-W", "10", "-v"]
    heard = subprocess.run([*listen, *topics], capture_output=True, text=True, check=True).stdout
    assert heard.startswith(f"{tree}/info ")
    house.command("integrator", "revoke", username)
    refused = subprocess.run([*listen, *topics], capture_output=True, text=True, check=False)
    assert "not authorised" in refused.stderr


def _come_back(house: House) -> None:
    (before,) = house.get("devices")["items"]
    os.kill(house.process.pid, signal.SIGKILL)
    house.process.wait(10)
    house.start()
    # Five seconds is the longest rest between two attempts of an agent; a busy machine takes more.
    device = _device(house, is_online=True, within_s=10)
    assert (device["device_id"], device["volume"], device["latency_ms"]) == ("pi", 44, 20)
    assert device["zone_id"] == before["zone_id"]
    assert len(house.get("devices")["items"]) == 1


def _thrown_out_and_back(house: House) -> None:
    house.command("device", "revoke", "Pi")
    device = _device(house, is_online=False, within_s=5)
    assert device["zone_id"] is None
    until(lambda: house.get("devices/pending")["items"], "a request", 30)
    with pytest.raises(Answer) as caught:
        house.post("devices/pending/pi/confirm", {"code": "000000"})
    assert caught.value.status == 422
    house.command("device", "reject", "pi")
    assert not house.get("devices/pending")["items"]
    house.request("DELETE", f"devices/{device['id']}")
    # Its snapclient is found again, as a stranger.
    until(lambda: "agent" not in {d["device_type"] for d in house.get("devices")["items"]}, "it")
