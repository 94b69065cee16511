"""Who changed what is kept, for every route; and it can be read by those whose things they are."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from tests.core.api.conftest import Caller, Stage, open_stage
from tests.fakes.database import fresh_database

from antiphon.api.audited import action_of, leaves_trace
from antiphon.api.authentication import Authenticator
from antiphon.api.endless import EndlessAnswers
from antiphon.api.server import core_routes
from antiphon.audit import AuditTrail
from antiphon.events import EventBus
from antiphon.playback.models import PlayEvent
from antiphon.tenancy.models import User
from antiphon.tenancy.passwords import hash_password
from antiphon.tenancy.tokens import Tokens


@dataclass(frozen=True)
class Audited:
    stage: Stage
    trail: AuditTrail

    async def seen(self, caller: Caller, **query: str) -> list[dict[str, Any]]:
        await self.trail.settled()
        answer = await caller.get("audit-logs", **query)
        assert answer.status == 200, answer.json
        return list(answer.json["items"])


@pytest.fixture
async def audited() -> AsyncIterator[Audited]:
    async with (
        fresh_database(),
        AuditTrail(EventBus()) as trail,
        open_stage(audit=trail.note) as stage,
    ):
        yield Audited(stage, trail)


async def test_a_change_tells_who_what_and_from_what_to_what(audited: Audited) -> None:
    stage = audited.stage
    path = f"zones/{stage.ours.shop.id}"
    answer = await stage.owner.ask(
        "PATCH", path, json={"name": "Lobby"}, headers={"User-Agent": "Tester/1"}
    )
    assert answer.status == 200
    [row] = await audited.seen(stage.owner)
    assert (row["action"], row["resource_type"]) == ("update", "zones")
    assert (row["resource_id"], row["resource_name"]) == (str(stage.ours.shop.id), "Lobby")
    assert row["details"] == {"changed": {"name": {"from": "Shop", "to": "Lobby"}}}
    assert (row["ip_address"], row["user_agent"], row["via"]) == ("127.0.0.1", "Tester/1", "rest")
    assert row["client_id"] == str(stage.ours.client.id)
    assert row["user_email"] == "client.ours@x.example"


async def test_every_kind_of_change_leaves_a_trace_and_failures_none(audited: Audited) -> None:
    stage = audited.stage
    made = (await stage.owner.post("zones", {"name": "Sauna"})).json
    await stage.owner.post(f"zones/{stage.ours.shop.id}/playback/volume", {"volume": 12})
    await stage.owner.post("calls", {"text": "Hello", "all": True})
    await stage.owner.delete(f"zones/{made['id']}")
    await stage.owner.get("zones")
    assert (await stage.owner.post("zones", {"name": "Bar"})).status == 409
    assert (await stage.owner.delete(f"zones/{uuid4()}")).status == 404
    rows = await audited.seen(stage.owner)
    assert [(row["resource_type"], row["action"], row["resource_name"]) for row in rows] == [
        ("zones", "delete", "Sauna"),
        ("calls", "create", "Hello"),
        ("zones", "playback.volume", "Shop"),
        ("zones", "create", "Sauna"),
    ]
    assert rows[2]["details"] == {"given": {"volume": 12}}
    assert rows[3]["resource_id"] == made["id"]


async def test_log_ins_are_kept_without_the_password(audited: Audited) -> None:
    stage = audited.stage
    user = await User.create(
        email="ann@x.example",
        role="client",
        client=stage.ours.client,
        password_hash=await hash_password("a very good one"),
    )
    for password in ("a very bad one", "a very good one"):
        await stage.nobody.post("auth/login", {"email": user.email, "password": password})
    good, bad = await audited.seen(stage.admin)
    assert (good["action"], good["user_id"]) == ("login", str(user.id))
    assert good["client_id"] == str(stage.ours.client.id)
    assert (bad["user_id"], bad["details"]["refused"]) == (None, "not_authenticated")
    assert bad["details"]["email"] == user.email
    assert "very" not in str([good, bad])
    assert [row["user_id"] for row in await audited.seen(stage.owner)] == [str(user.id)]


async def test_each_sees_the_changes_of_its_own_things(audited: Audited) -> None:
    stage = audited.stage
    await stage.owner.patch(f"zones/{stage.ours.shop.id}", {"description": "by the owner"})
    await stage.admin.patch(f"zones/{stage.ours.bar.id}", {"description": "by the admin"})
    await stage.stranger.patch(f"zones/{stage.theirs.bar.id}", {"description": "theirs"})
    assert len(await audited.seen(stage.admin)) == 3
    assert len(await audited.seen(stage.owner)) == 2
    assert len(await audited.seen(stage.stranger)) == 1
    theirs = str(stage.theirs.client.id)
    assert await audited.seen(stage.owner, client_id=theirs) == []
    assert (await stage.cellar_user.get("audit-logs")).status == 403
    assert (await stage.cellar_user.get("audit-logs/csv")).status == 403


async def test_the_list_is_filtered_searched_and_paged(audited: Audited) -> None:
    stage = audited.stage
    for name in ("One", "Two", "Three"):
        await stage.owner.patch(f"zones/{stage.ours.shop.id}", {"name": name})
    await stage.owner.patch(f"floors/{stage.ours.cellar.id}", {"name": "100%_down"})
    filters: list[tuple[int, dict[str, str]]] = [
        (3, {"resource_type": "zones"}),
        (1, {"resource_id": str(stage.ours.cellar.id)}),
        (4, {"action": "update", "via": "rest"}),
        (0, {"action": "delete"}),
        (1, {"search": "two"}),
        (4, {"search": "CLIENT.OURS@"}),
        (1, {"search": "100%_"}),
        (0, {"search": "' OR 1=1 --"}),
        (4, {"since": "2020-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}),
        (0, {"since": "2100-01-01T00:00:00Z"}),
        (2, {"limit": "2", "offset": "2"}),
    ]
    for count, query in filters:
        assert len(await audited.seen(stage.owner, **query)) == count, query
    assert (await stage.owner.get("audit-logs", since="2020-01-01")).status == 422
    assert (await stage.owner.get("audit-logs", wrong="x")).status == 422


async def test_tables_hold_all_rows_and_no_formulas(
    audited: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("antiphon.api.tables._AT_ONCE", 2)
    stage = audited.stage
    for number in range(5):
        name = f'=HYPERLINK("x")\n"{number}", ü'
        await PlayEvent.create(
            client=stage.ours.client, zone=stage.ours.shop, call_id=uuid4(), title=name
        )
        await stage.owner.patch(f"zones/{stage.ours.shop.id}", {"name": f"Zone {number}"})
    await PlayEvent.create(
        client=stage.theirs.client, zone=stage.theirs.bar, call_id=uuid4(), title="theirs"
    )
    await audited.trail.settled()
    answer = await stage.owner.get("play-events/csv")
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert [row["title"] for row in rows] == [
        f'\'=HYPERLINK("x")\n"{number}", ü' for number in (4, 3, 2, 1, 0)
    ]
    answer = await stage.owner.get("audit-logs/csv", resource_type="zones")
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert [row["resource_name"] for row in rows] == [f"Zone {n}" for n in (4, 3, 2, 1, 0)]
    assert '"from": "Zone 3"' in rows[0]["details"]


async def test_what_every_route_is_called_in_the_trail(stage: Stage) -> None:
    routes = core_routes(stage.parts, Authenticator(Tokens(bytes(32), 60)), EndlessAnswers())
    called = {f"{r.method} {r.path}": action_of(r) for r in routes if leaves_trace(r)}
    assert not [name for name in called if name.startswith("GET")]
    assert called["POST zones"] == "create"
    assert called["DELETE calls/{call_id}"] == "delete"
    assert called["POST zones/{zone_id}/playback/play"] == "playback.play"
    assert called["POST auth/login"] == "login"
    assert len({(name.split("/")[0], action) for name, action in called.items()}) == len(called)


async def test_a_trail_that_fails_fails_no_request() -> None:
    def broken(_: object) -> None:
        raise RuntimeError("no")

    async with fresh_database(), open_stage(audit=broken) as stage:
        path = f"zones/{stage.ours.shop.id}"
        assert (await stage.owner.patch(path, {"name": "Lobby"})).status == 200
