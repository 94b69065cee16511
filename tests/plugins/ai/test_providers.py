"""AI services: who sees and changes them, what becomes of keys, limits, and the test request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.conftest import Migrated, free_port
from tests.fakes.ai_service import KEY, ai_service
from tests.fakes.plugin_api import Caller, plugin_api
from tests.fakes.plugin_context import plugin_context

from antiphon.errors import Conflict, NotFound, TooManyRequests
from antiphon.events import EventBus
from antiphon.jobs import JobRunner
from antiphon.plugins import PluginContext, SecretBox, SecretUnreadable
from antiphon.store import Tables, open_database
from antiphon.tenancy.models import Client
from antiphon.types import Role
from antiphon_ai import plugin
from antiphon_ai.models import AIProvider, Feature, ProviderType
from antiphon_ai.probing import probe
from antiphon_ai.providers import Providers
from antiphon_ai.settings import AiSettings
from antiphon_ai.usage import BudgetSpent, note, take

TABLES = Tables(("antiphon_ai.models",), "antiphon_ai.migrations")
NOW = datetime(2026, 3, 31, 23, 59, tzinfo=UTC)


@dataclass
class Office:
    context: PluginContext
    admin: Caller
    staff: Caller
    owner: Caller
    folder: Path

    async def add(self, **more: Any) -> Any:
        body = {"name": "Ours", "provider_type": "openai", "api_key": KEY, **more}
        made = await self.admin("POST", "ai-providers", body)
        assert made.status == 201, made.json
        return made.json


@pytest.fixture
async def office(tmp_path: Path, migrated: Migrated) -> AsyncIterator[Office]:
    migrated(tmp_path / "data")
    async with open_database("", tmp_path / "data", {"ai": TABLES}) as database:
        assert not database.failed
        context = plugin_context("ai", AiSettings(), tmp_path, jobs := JobRunner(EventBus()))
        async with plugin_api(context, jobs, plugin.antiphon_routes(context)) as api:
            client = await Client.create(name="Shop")
            yield Office(
                context,
                await api.caller(Role.ADMIN, None),
                await api.caller(Role.STAFF, None),
                await api.caller(Role.CLIENT, client.id),
                tmp_path,
            )


async def test_a_key_goes_in_and_never_comes_out(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        made = await office.add()
        path = f"ai-providers/{made['id']}"
        answers = [made, (await office.admin("GET", path)).json]
        answers.append((await office.admin("GET", "ai-providers")).json["items"][0])
        answers.append((await office.admin("PATCH", path, {"name": "Mine"})).json)
    for answer in answers:
        assert answer["key_hint"] == "…cdef"
        assert answer["has_key"] is True
    assert KEY[:-4] not in str(answers)
    assert KEY not in caplog.text
    database = office.folder / "data"
    assert all(
        KEY.encode() not in file.read_bytes() for file in database.iterdir() if file.is_file()
    )
    row = await AIProvider.get(id=made["id"])
    assert Providers(office.context.secrets).key_of(row) == KEY
    assert (await office.admin("PATCH", path, {"api_key": None})).json["has_key"] is False


async def test_a_sealed_key_opens_here_alone(office: Office) -> None:
    first, second = await office.add(), await office.add(name="Second")
    rows = [await AIProvider.get(id=made["id"]) for made in (first, second)]
    rows[0].api_key, rows[1].api_key = rows[1].api_key, rows[0].api_key
    providers = Providers(office.context.secrets)
    with pytest.raises(SecretUnreadable):
        providers.key_of(rows[0])  # moved from another row
    rows[0].api_key = rows[1].api_key
    with pytest.raises(SecretUnreadable, match="Enter it again"):
        Providers(SecretBox(b"another key", "plugin ai")).key_of(rows[0])
    rows[0].api_key = "v1:nonsense"
    with pytest.raises(SecretUnreadable):
        providers.key_of(rows[0])
    await AIProvider.filter(id=first["id"]).update(api_key="v1:nonsense")
    refused = await office.admin("POST", f"ai-providers/{first['id']}/test")
    assert (refused.status, refused.json["code"]) == (409, "secret_unreadable")


async def test_only_admins_change_them_and_clients_see_none(office: Office) -> None:
    made = await office.add()
    path = f"ai-providers/{made['id']}"
    seen = (await office.staff("GET", path)).json
    assert (seen["name"], seen["key_hint"]) == ("Ours", None)
    for caller in (office.staff, office.owner):
        for method, where, body in (
            ("POST", "ai-providers", {"name": "x", "provider_type": "openai"}),
            ("PATCH", path, {"name": "x"}),
            ("POST", f"{path}/test", None),
            ("DELETE", path, None),
        ):
            assert (await caller(method, where, body)).status == 403
    assert (await office.owner("GET", path)).status == 403
    assert (await office.owner("GET", "ai-providers")).status == 403
    assert (await office.admin("DELETE", path)).status == 204
    assert await AIProvider.all().count() == 0
    assert (await office.admin("GET", path)).status == 404


async def test_lists_are_searched_and_sorted(office: Office) -> None:
    for name, kind in (("Beta", "openai"), ("alpha", "elevenlabs"), ("Gamma", "openai")):
        await office.add(name=name, provider_type=kind)
    for query, names in {
        "ordering=-name": ["alpha", "Gamma", "Beta"],
        "provider_type=openai": ["Beta", "Gamma"],
        "search=LPH": ["alpha"],
        "is_active=false": [],
        "limit=1&offset=1&ordering=created_at": ["alpha"],
    }.items():
        found = await office.admin("GET", f"ai-providers?{query}")
        assert [one["name"] for one in found.json["items"]] == names, query
    assert (await office.admin("GET", "ai-providers?ordering=api_key")).status == 422


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["name", "provider_type"]),
        ({"name": 7, "provider_type": "skynet", "is_active": "yes", "features": "all",
          "daily_request_limit": -1, "monthly_budget_usd": "much", "api_key": 5, "base_url": 1},
         ["api_key", "base_url", "daily_request_limit", "features", "is_active",
          "monthly_budget_usd", "name", "provider_type"]),
        ({"name": "x", "provider_type": "openai", "api_kee": "k"}, ["api_kee"]),
        ({"name": "x", "provider_type": "openai", "api_key": "a\r\nX-Evil: 1"}, ["api_key"]),
        ({"name": "x", "provider_type": "openai", "api_key": ""}, ["api_key"]),
        ({"name": "x", "provider_type": "openai", "api_key": "k" * 1001}, ["api_key"]),
        ({"name": "a\0b", "provider_type": "openai"}, ["name"]),
        ({"name": "x", "provider_type": "openai", "base_url": "file:///etc/passwd"}, ["base_url"]),
        ({"name": "x", "provider_type": "openai", "base_url": "http://u:p@h/v1"}, ["base_url"]),
        ({"name": "x", "provider_type": "openai", "base_url": "http://h:99999/"}, ["base_url"]),
        ({"name": "x", "provider_type": "openai", "base_url": "http://h/?key=1"}, ["base_url"]),
        ({"name": "x", "provider_type": "openai_compatible"}, ["base_url"]),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_named(office: Office, body: Any, fields: list[str]) -> None:
    refused = await office.admin("POST", "ai-providers", body)
    assert refused.status == 422
    assert sorted({field.partition(".")[0] for field in refused.wrong_fields}) == fields
    assert "k" * 100 not in str(refused.json)
    assert await AIProvider.all().count() == 0


async def test_a_name_is_taken_once(office: Office) -> None:
    await office.add()
    body = {"name": "OURS", "provider_type": "google"}
    assert (await office.admin("POST", "ai-providers", body)).json["code"] == "conflict"


async def test_the_service_is_really_asked(office: Office) -> None:
    async with ai_service() as service:
        kind = "openai_compatible"
        made = await office.add(provider_type=kind, base_url=f"{service.url}/")
        path = f"ai-providers/{made['id']}/test"
        fine = (await office.admin("POST", path)).json
        assert (fine["works"], fine["problem"]) == (True, None)
        assert fine["models"] == ["large-1", "small-1"]
        assert fine["url"] == f"{service.url}/models"
        for other, header in (("anthropic", "x-api-key"), ("elevenlabs", "xi-api-key")):
            await office.admin("PATCH", f"ai-providers/{made['id']}", {"provider_type": other})
            assert (await office.admin("POST", path)).json["works"] is True
            assert service.seen[-1][header] == KEY
    row = await AIProvider.get(id=made["id"])
    assert (row.requests_count, row.last_used_at) == (0, None)


SICK = {
    "broken": "a problem of its own (500): “The server had an error”. Try again later",
    "busy": "no more requests now (429): “Rate limit reached for requests”",
    "moved": "sends us on to http://elsewhere.example/v1/models (302)",
    "page": "not JSON",
    "other": "no list of models",
    "endless": "longer than any list",
}


async def test_what_is_wrong_with_a_service_is_said(office: Office) -> None:
    async with ai_service() as service:
        made = await office.add(provider_type="openai_compatible", base_url=service.url)
        path = f"ai-providers/{made['id']}"

        async def problem(**change: Any) -> str:
            if change:
                assert (await office.admin("PATCH", path, change)).status == 200
            told = await office.admin("POST", f"{path}/test")
            assert (told.status, told.json["works"]) == (200, False)
            return str(told.json["problem"])

        for sick, says in SICK.items():
            service.sick = sick
            assert says in await problem(), sick
        service.sick = ""
        wrong_key = "sk-a-wrong-key-0123456789"
        said = await problem(api_key=wrong_key)
        assert "refuses the key (401): “Incorrect API key provided”" in said
        assert wrong_key not in said
        assert "base_url mostly ends in /v1" in await problem(base_url=service.url[:-3])
        port = free_port()
        assert f"Nothing answers at 127.0.0.1:{port}" in await problem(
            base_url=f"http://127.0.0.1:{port}/v1"
        )
        assert "is not known" in await problem(base_url="http://nowhere.invalid/v1")
        assert "There is no key" in await problem(provider_type="openai", api_key=None)
    async with _line_noise() as url:
        said = await problem(provider_type="openai_compatible", base_url=url)
        assert "does not speak HTTP" in said


async def test_a_service_that_hangs_is_not_waited_for() -> None:
    async with ai_service() as service:
        service.sick = "slow"
        told = await probe(ProviderType.OPENAI_COMPATIBLE, service.url, None, timeout_s=0.2)
        assert told.problem == "There was no answer within 0.2 s."


@asynccontextmanager
async def _line_noise() -> AsyncIterator[str]:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x16\x03\x01 what?\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


async def test_requests_of_a_day_and_costs_of_a_month_are_limited(office: Office) -> None:
    made = await office.add(features=["speech"], daily_request_limit=2, monthly_budget_usd="1.00")
    key = UUID(made["id"])
    # Five at once: two of them get through.
    tries = (take(key, Feature.SPEECH, NOW) for _ in range(5))
    results = await asyncio.gather(*tries, return_exceptions=True)
    refused = [one for one in results if isinstance(one, TooManyRequests)]
    assert (len(refused), refused[0].retry_after_s) == (3, 61)
    tomorrow = NOW + timedelta(minutes=2)  # another day, and another month
    await note(key, tokens=10, cost_usd=Decimal("0.75"), now=NOW)
    await take(key, Feature.SPEECH, tomorrow)
    await note(key, tokens=5, cost_usd=Decimal("1.00"), now=tomorrow)
    with pytest.raises(BudgetSpent, match=r"1\.00 USD"):
        await take(key, Feature.SPEECH, tomorrow)
    row = await AIProvider.get(id=key)
    assert (row.requests_count, row.requests_today, row.tokens_used) == (3, 1, 15)
    assert (row.cost_usd, row.cost_this_month_usd) == (Decimal("1.75"), Decimal(1))
    await take(key, Feature.SPEECH, tomorrow + timedelta(days=31))
    seen = (await office.admin("GET", f"ai-providers/{key}")).json
    assert seen["requests_count"] == 4


async def test_a_service_is_used_for_what_it_is_meant_for(office: Office) -> None:
    made = await office.add(features=["speech"])
    key = UUID(made["id"])
    with pytest.raises(Conflict, match="not meant for scripts"):
        await take(key, Feature.SCRIPTS)
    await office.admin("PATCH", f"ai-providers/{key}", {"is_active": False})
    with pytest.raises(Conflict, match="switched off"):
        await take(key, Feature.SPEECH)
    with pytest.raises(NotFound):
        await take(uuid4(), Feature.SPEECH)
