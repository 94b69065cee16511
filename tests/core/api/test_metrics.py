from __future__ import annotations

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from tests.core.api.conftest import Answer, Stage, open_stage
from tests.fakes.database import fresh_database

from antiphon.errors import Misconfigured
from antiphon.events import CallChanged, LevelMeasured, ZoneDeleted, ZoneStarved
from antiphon.settings import load
from antiphon.settings.models import HttpSettings
from antiphon.types import CallState


def figures(answer: Answer) -> dict[str, float]:
    """The values by name and labels."""
    assert answer.status == 200, answer.body
    found = {}
    for family in text_string_to_metric_families(answer.body.decode()):
        for sample in family.samples:
            labels = ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


async def test_the_figures(stage: Stage) -> None:
    stage.parts.metrics.follow(stage.bus)
    zone, client = stage.ours.shop.id, stage.ours.client.id
    stage.bus.publish(ZoneStarved(zone_id=zone, client_id=client, seconds=0.25, reason="late"))
    stage.bus.publish(LevelMeasured(zone_id=zone, client_id=client, rms_db=-20, peak_db=-3))
    for state in (CallState.PLAYING, CallState.COMPLETED):
        stage.bus.publish(CallChanged(zone_id=zone, client_id=client, call_id=zone, state=state))
    await stage.owner.get(f"zones/{zone}")
    await stage.owner.get(f"zones/{stage.ours.bar.id}")
    await stage.owner.get("no/such/page/../../etc")
    found = figures(await stage.nobody.get("metrics"))
    assert found["antiphon_calls_total{outcome=completed}"] == 1
    assert found[f"antiphon_zone_starved_seconds_total{{reason=late,zone={zone}}}"] == 0.25
    assert found[f"antiphon_zone_level_dbfs{{kind=rms,zone={zone}}}"] == -20
    route = "method=GET,route=/api/v1/zones/{zone_id},status=200"
    assert found[f"antiphon_http_request_seconds_count{{{route}}}"] == 2
    assert found["antiphon_http_request_seconds_count{method=GET,route=unknown,status=404}"] == 1
    assert found["antiphon_zones{playback=playing}"] == 4
    assert found["antiphon_devices{online=false}"] == 2
    assert found["antiphon_jobs{state=running}"] == 0
    assert "antiphon_event_loop_lag_seconds_count{}" in found
    stage.bus.publish(ZoneDeleted(zone_id=zone, client_id=client))
    assert not [name for name in figures(await stage.nobody.get("metrics")) if "dbfs" in name]


@pytest.mark.parametrize(
    ("token", "headers", "status"),
    [
        ("", {}, 200),
        ("", {"X-Forwarded-For": "203.0.113.7"}, 401),
        ("", {"X-Forwarded-For": "127.0.0.1"}, 401),
        ("let me in", {}, 401),
        ("let me in", {"Authorization": "Bearer wrong"}, 401),
        ("let me in", {"Authorization": "Bearer let me in"}, 200),
        ("let me in", {"X-Forwarded-For": "::1", "Authorization": "Bearer let me in"}, 200),
    ],
)
async def test_only_this_machine_or_who_has_the_token_sees_them(
    token: str, headers: dict[str, str], status: int
) -> None:
    http = HttpSettings(port=0, trusted_proxies=["127.0.0.1"], metrics_token=SecretStr(token))
    async with fresh_database(), open_stage(http=http) as stage:
        answer = await stage.nobody.ask("GET", "metrics", headers=headers)
        assert answer.status == status


@pytest.mark.parametrize(
    ("said", "believed"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("203.0.113.7, 10.1.2.3", "203.0.113.7"),
        ("nonsense", "127.0.0.1"),
        ("203.0.113.7, nonsense", "127.0.0.1"),
    ],
)
async def test_a_proxy_says_who_asks(said: str, believed: str) -> None:
    seen = []
    http = HttpSettings(port=0, trusted_proxies=["127.0.0.0/8", "10.0.0.0/8"])
    async with (
        fresh_database(),
        open_stage(http=http, audit=lambda entry: seen.append(entry.ip_address)) as stage,
    ):
        path = f"zones/{stage.ours.shop.id}"
        await stage.owner.ask("PATCH", path, json={}, headers={"X-Forwarded-For": said})
    assert seen == [believed]


def test_proxies_are_networks() -> None:
    with pytest.raises(Misconfigured, match=re.escape("http.trusted_proxies")):
        load({"ANTIPHON_HTTP__TRUSTED_PROXIES": "everybody"}, sections={})
