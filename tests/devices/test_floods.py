"""Too much, and nonsense: refused with an ack or an alert, and nobody else is disturbed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from tests.devices.conftest import World
from tests.fakes.integrator import Integrator

FLOOD = 1_200
RATE = 1_000


@asynccontextmanager
async def flooding(
    integrator: Integrator, topic: str, payload: str, *, retain: bool = False
) -> AsyncIterator[None]:
    """Send a thousand messages a second meanwhile."""

    async def flood() -> None:
        for start in range(0, FLOOD, RATE // 10):
            some = range(start, start + RATE // 10)
            await asyncio.gather(*(integrator.send(topic, payload, retain=retain) for _ in some))
            await asyncio.sleep(0.1)

    task = asyncio.create_task(flood())
    try:
        yield
        await task
    finally:
        task.cancel()


async def _acked(integrator: Integrator, place: str, wanted: str) -> None:
    """Patient: whoever floods, server and listeners share one process in a test."""
    await integrator.hears(
        f"{place}/ack",
        lambda h: (h.json["id"], h.json["status"]) == (wanted, "completed"),
        timeout_s=30,
    )


async def test_a_client_that_floods_a_zone_disturbs_no_other_client(
    world: World, integrator: Integrator
) -> None:
    other = f"client/{world.foreign.client_id}/zone/{world.foreign.zone_id}"
    async with (
        world.integrator_without_judge() as noisy,
        flooding(noisy, f"{world.here}/set/volume", "41"),
    ):
        await integrator.hears(
            f"{world.here}/ack", lambda h: h.json["code"] == "too_many_requests", timeout_s=30
        )
        for number in range(5):
            await integrator.send(f"{other}/cmd/pause", {"id": f"calm-{number}"})
            await _acked(integrator, other, f"calm-{number}")
    state = f"client/{world.client}/state"
    await integrator.hears(state, lambda heard: heard.json["alerts"] == 1)
    (alert,) = [json.loads(p) for t, p in integrator.held.items() if "/alert/" in t and p]
    assert alert["code"] == "too_many_commands"
    refusals = [h for h in integrator.heard if h.topic == f"{world.here}/ack"]
    assert len(refusals) < FLOOD / 4, "a flood is not answered by a flood"
    foreign = f"client/{world.foreign.client_id}/state"
    assert json.loads(integrator.held[foreign])["alerts"] == 0


async def test_a_loudspeaker_that_floods_disturbs_nobody_and_its_last_word_counts(
    world: World, integrator: Integrator
) -> None:
    agent = f"device/{world.speaker.rsplit('/', 1)[1]}"
    await integrator.send(f"{agent}/up/status", "online", retain=True)
    await integrator.hears(f"{agent}/down/desired")
    async with (
        world.integrator_without_judge() as noisy,
        flooding(noisy, f"{agent}/up/state", '{"rev": 1, "volume": 80}', retain=True),
    ):
        for number in range(5):
            await integrator.send(f"{world.here}/cmd/next", {"id": f"calm-{number}"})
            await _acked(integrator, world.here, f"calm-{number}")
    last = {"rev": 2, "volume": 80, "snapclient": "missing"}
    await integrator.send(f"{agent}/up/state", last, retain=True)
    await integrator.hears(
        f"{world.speaker}/state", lambda h: h.json["problems"] == ["snapclient_missing"]
    )
    alerts = [json.loads(p) for t, p in integrator.held.items() if "/alert/" in t and p]
    assert [alert["code"] for alert in alerts] == ["too_many_reports"]


@pytest.mark.parametrize(
    "zone", ["LOBBY", "lobby/bar", "l\u00f6bby", "$zone", "a" * 64], ids=lambda text: text[:9]
)
async def test_a_command_where_no_topic_is_raises_an_alert(
    world: World, integrator: Integrator, zone: str
) -> None:
    topic = f"client/{world.client}/zone/{zone}/set/volume"
    await integrator.send(topic, "7")
    await integrator.hears(f"client/{world.client}/state", lambda h: h.json["alerts"] == 1)
    (alert,) = [json.loads(p) for t, p in integrator.held.items() if "/alert/" in t and p]
    assert (alert["code"], alert["topic"]) == ("unknown_topic", f"antiphon/v1/{topic}")
    assert not world.zones.asked
    # What is said in the client's own tree without commanding anything is nobody's business.
    await integrator.send(f"client/{world.client}/my/notes", "hello")
    await integrator.send(f"{world.here}/cmd/next", {"id": "n"})
    await integrator.ack(world.here, id="n", status="completed")
    assert len([t for t, p in integrator.held.items() if "/alert/" in t and p]) == 1


async def test_a_loudspeaker_with_a_wrong_clock_says_so_and_is_heard_all_the_same(
    world: World, integrator: Integrator
) -> None:
    agent = f"device/{world.speaker.rsplit('/', 1)[1]}"
    await integrator.send(f"{agent}/up/status", "online", retain=True)
    await integrator.hears(f"{agent}/down/desired")
    for ahead, problems in ((timedelta(days=400), ["clock_skew"]), (timedelta(), [])):
        ts = (datetime.now(UTC) + ahead).isoformat()
        since = len(integrator.heard)
        await integrator.send(f"{agent}/up/state", {"rev": 1, "volume": 80, "ts": ts})
        await integrator.hears(
            f"{world.speaker}/state",
            lambda h, problems=problems: h.json["problems"] == problems,  # type: ignore[misc]
            since=since,
        )


async def test_wrong_types_from_a_loudspeaker_change_nothing_and_the_next_word_counts(
    world: World, integrator: Integrator
) -> None:
    agent = f"device/{world.speaker.rsplit('/', 1)[1]}"
    for kind, payload in (
        ("info", '{"booted_at": 7, "agent": []}'),
        ("info", "null"),
        ("state", '{"volume": "loud"}'),
        ("state", '{"ts": "yesterday"}'),
        ("telemetry", "[1, 2]"),
        ("ack", "{"),
        ("event", "{}"),
    ):
        await integrator.send(f"{agent}/up/{kind}", payload)
    await integrator.send(f"{agent}/up/status", "online", retain=True)
    await integrator.hears(f"{agent}/down/desired")
    assert world.devices.by_id[world.device.id].volume == 80
