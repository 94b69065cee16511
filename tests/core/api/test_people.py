"""Users and clients, over the API."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.core.api.conftest import Caller, Stage

from antiphon.building.models import Device, Zone
from antiphon.tenancy.models import Client, SubscriptionStatus, SubscriptionTier, User
from antiphon.types import Role

PASSWORD = "a long enough password"


def code(answer: Any) -> tuple[int, str]:
    return answer.status, answer.json["code"]


async def add(caller: Caller, email: str, role: str, **more: Any) -> Any:
    return await caller.post("users", {"email": email, "role": role, **more})


async def test_who_may_make_whom(stage: Stage) -> None:
    ours, theirs = str(stage.ours.client.id), str(stage.theirs.client.id)
    cellar = str(stage.ours.cellar.id)
    made = [
        (stage.admin, {"role": "admin"}, 201),
        (stage.staff, {"role": "admin"}, 403),
        (stage.staff, {"role": "staff"}, 201),
        (stage.staff, {"role": "client"}, 422),  # there are two clients, so name one
        (stage.staff, {"role": "client", "client_id": ours}, 201),
        (stage.staff, {"role": "staff", "client_id": ours}, 422),
        (stage.owner, {"role": "staff"}, 403),
        (stage.owner, {"role": "client"}, 201),
        (stage.owner, {"role": "client", "client_id": theirs}, 422),
        (stage.owner, {"role": "floor_user"}, 422),
        (stage.owner, {"role": "floor_user", "floor_id": cellar}, 201),
        (stage.owner, {"role": "floor_user", "floor_id": str(stage.theirs.cellar.id)}, 422),
        (stage.cellar_user, {"role": "floor_user", "floor_id": cellar}, 403),
    ]
    for number, (caller, body, status) in enumerate(made):
        answer = await caller.post("users", {"email": f"u{number}@x.example", **body})
        assert answer.status == status, (body, answer.json)
        if status == 201 and caller is stage.owner:
            assert answer.json["client_id"] == ours
            assert "password" not in answer.body.decode()
    taken = await add(stage.owner, " U0@X.example", "client")
    assert code(taken) == (409, "conflict")
    assert (await add(stage.owner, "nonsense", "client")).status == 422
    assert (await add(stage.owner, "v@x.example", "client", password="short")).status == 422


async def test_lists_of_users(stage: Stage) -> None:
    async def emails(caller: Caller, **query: str) -> set[str]:
        answer = await caller.get("users", **query)
        return {item["email"].split("@")[0] for item in answer.json["items"]}

    everybody = {"admin.", "staff.", "client.ours", "floor_user.ours", "client.theirs"}
    assert await emails(stage.admin) == everybody
    assert await emails(stage.staff) == everybody - {"admin."}
    assert await emails(stage.owner) == {"client.ours", "floor_user.ours"}
    assert await emails(stage.staff, client_id=str(stage.theirs.client.id)) == {"client.theirs"}
    assert await emails(stage.owner, role="client") == {"client.ours"}
    assert await emails(stage.admin, search="OURS") == {"client.ours", "floor_user.ours"}
    assert (await stage.cellar_user.get("users")).status == 403


async def test_staff_never_touch_admins(stage: Stage) -> None:
    admin = await User.get(role=Role.ADMIN)
    for method, path, body in (
        ("GET", f"users/{admin.id}", None),
        ("PATCH", f"users/{admin.id}", {"name": "x"}),
        ("DELETE", f"users/{admin.id}", None),
        ("POST", f"users/{admin.id}/password-link", None),
    ):
        assert (await stage.staff.ask(method, path, json=body)).status == 404
    me = (await stage.staff.get("auth/me")).json["id"]
    assert (await stage.staff.patch(f"users/{me}", {"role": "admin"})).status == 403
    assert (await User.get(id=admin.id)).name == ""


@pytest.mark.parametrize("change", [{"role": "floor_user"}, {"is_active": False}])
async def test_a_change_of_reach_counts_at_once(stage: Stage, change: dict[str, Any]) -> None:
    made = (await add(stage.owner, "b@x.example", "client", password=PASSWORD)).json
    login = {"email": "b@x.example", "password": PASSWORD}
    session = (await stage.nobody.post("auth/login", login)).json
    stage.nobody.token = session["access_token"]
    assert (await stage.nobody.get("users")).status == 200
    if "role" in change:
        change["floor_id"] = str(stage.ours.cellar.id)
    assert (await stage.owner.patch(f"users/{made['id']}", change)).status == 200
    assert (await stage.nobody.get("zones")).status == 401
    stage.nobody.token = None
    body = {"refresh_token": session["refresh_token"]}
    assert (await stage.nobody.post("auth/refresh", body)).status == 401
    again = await stage.nobody.post("auth/login", login)
    assert again.status == (200 if "role" in change else 401)


async def test_nobody_locks_himself_out(stage: Stage) -> None:
    me = (await stage.admin.get("auth/me")).json["id"]
    assert (await stage.admin.patch(f"users/{me}", {"name": "The admin"})).status == 200
    for change in ({"is_active": False}, {"role": "staff"}):
        assert code(await stage.admin.patch(f"users/{me}", change)) == (409, "conflict")
    assert code(await stage.admin.delete(f"users/{me}")) == (409, "conflict")
    assert (await stage.admin.get("zones")).status == 200


async def test_a_deleted_user_is_gone_and_its_address_free(stage: Stage) -> None:
    made = (await add(stage.owner, "b@x.example", "client", password=PASSWORD)).json
    assert (await stage.owner.delete(f"users/{made['id']}")).status == 204
    assert (await stage.owner.get(f"users/{made['id']}")).status == 404
    login = {"email": "b@x.example", "password": PASSWORD}
    assert (await stage.nobody.post("auth/login", login)).status == 401
    assert (await add(stage.owner, "b@x.example", "client")).status == 201


async def test_clients_are_made_and_changed_by_those_who_run_the_server(stage: Stage) -> None:
    new = {
        "name": "Hotel", "timezone": "Europe/Berlin", "subscription_status": "trial",
        "trial_days": 5, "subscription_price": "99.90", "premium_features": {"multi_floor": True},
    }  # fmt: skip
    made = await stage.staff.post("clients", new)
    assert made.status == 201, made.json
    ends = datetime.fromisoformat(made.json["trial_ends_at"]) - datetime.now(UTC)
    assert timedelta(days=4) < ends <= timedelta(days=5)
    assert made.json["subscription_price"] == "99.90"
    hotel = f"clients/{made.json['id']}"
    assert (await stage.staff.patch(hotel, {"max_floors": 3})).json["max_floors"] == 3
    for wrong in ({"timezone": "Mars"}, {"max_floors": -1}, {"name": " "}, {"trial_ends_at": "x"}):
        assert (await stage.staff.patch(hotel, wrong)).status == 422, wrong
    found = await stage.admin.get("clients", search="hot", subscription_status="trial")
    assert found.json["total"] == 1
    assert (await stage.owner.get(hotel)).status == 404
    assert (await stage.owner.post("clients", {"name": "Mine"})).status == 403
    assert (await stage.cellar_user.get("clients")).status == 403
    assert (await stage.staff.delete(hotel)).status == 204
    assert (await stage.staff.get(hotel)).status == 404


async def test_a_client_changes_itself_but_not_its_subscription(stage: Stage) -> None:
    own = f"clients/{stage.ours.client.id}"
    assert (await stage.owner.patch(own, {"telephone": "123"})).json["telephone"] == "123"
    greedy = {"telephone": "4", "max_floors": 99, "subscription_tier": "enterprise"}
    refused = await stage.owner.patch(own, greedy)
    assert [one["field"] for one in refused.json["errors"]] == ["max_floors", "subscription_tier"]
    for action in ("suspend", "activate", "impersonate"):
        assert (await stage.owner.post(f"{own}/{action}")).status == 403
    assert (await stage.owner.delete(own)).status == 403
    assert (await stage.owner.get(own)).json["telephone"] == "123"


async def test_a_client_with_zones_is_not_deleted(stage: Stage) -> None:
    own = f"clients/{stage.ours.client.id}"
    assert code(await stage.admin.delete(own)) == (409, "conflict")
    await Zone.filter(client_id=stage.ours.client.id).update(deleted_at=datetime.now(UTC))
    assert (await stage.admin.delete(own)).status == 204
    assert (await stage.owner.get("zones")).status == 401


async def _refused(caller: Caller, zone: UUID) -> set[tuple[int, str]]:
    answers = [
        await caller.patch(f"zones/{zone}", {"description": "x"}),
        await caller.post(f"zones/{zone}/playback/play", {}),
        await caller.post("calls", {"text": "Hello", "all": True}),
        await caller.post("floors", {"name": "Another"}),
    ]
    return {(answer.status, (answer.json or {}).get("code", "")) for answer in answers}


async def test_the_suspended_read_alone_until_they_are_activated(stage: Stage) -> None:
    own, zone = f"clients/{stage.ours.client.id}", stage.ours.shop.id
    suspended = await stage.staff.post(f"{own}/suspend")
    assert suspended.json["inactive_reason"] == "is suspended"
    stop = {(403, "subscription_inactive")}
    assert await _refused(stage.owner, zone) == stop
    assert await _refused(stage.cellar_user, stage.ours.bar.id) <= {*stop, (403, "not_allowed")}
    assert (await stage.owner.get("zones")).json["total"] == 2
    assert (await stage.owner.patch("auth/me", {"name": "Still me"})).status == 200
    assert (await stage.stranger.post("calls", {"text": "x", "all": True})).status == 202
    assert (await stage.staff.post(f"{own}/activate")).json["inactive_reason"] is None
    assert not await _refused(stage.owner, zone) & stop


@pytest.mark.parametrize(
    ("values", "inactive"),
    [
        ({"subscription_status": SubscriptionStatus.TRIAL, "trial_ends_at": -1}, True),
        ({"subscription_status": SubscriptionStatus.TRIAL, "trial_ends_at": 1}, False),
        ({"subscription_status": SubscriptionStatus.ACTIVE, "trial_ends_at": -1}, False),
        ({"subscription_status": SubscriptionStatus.ACTIVE, "subscription_end": -1}, True),
        ({"subscription_status": SubscriptionStatus.CANCELLED}, True),
    ],
)
async def test_when_time_is_over(stage: Stage, values: dict[str, Any], inactive: bool) -> None:
    now = datetime.now(UTC)
    dates = {k: now + timedelta(hours=v) for k, v in values.items() if isinstance(v, int)}
    await Client.filter(id=stage.ours.client.id).update(**values | dates)
    answer = await stage.owner.patch(f"zones/{stage.ours.shop.id}", {"description": "x"})
    assert answer.status == (403 if inactive else 200)
    await stage.staff.post(f"clients/{stage.ours.client.id}/activate")
    answer = await stage.owner.patch(f"zones/{stage.ours.shop.id}", {"description": "x"})
    assert answer.status == 200


async def test_limits_of_floors_and_devices(stage: Stage) -> None:
    client = Client.filter(id=stage.ours.client.id)
    await client.update(max_floors=2)
    full = await stage.owner.post("floors", {"name": "Roof"})
    assert code(full) == (409, "limit_reached")
    await client.update(max_floors=None, subscription_tier=SubscriptionTier.BASIC)
    assert code(await stage.owner.post("floors", {"name": "Roof"})) == (403, "premium_needed")
    await client.update(premium_features={"multi_floor": True})
    assert (await stage.owner.post("floors", {"name": "Roof"})).status == 201
    assert await Device.all().count() == 2


async def test_staff_act_as_a_client_visibly(stage: Stage) -> None:
    answer = await stage.staff.post(f"clients/{stage.ours.client.id}/impersonate")
    assert answer.status == 200
    token = answer.json["access_token"]
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    staff_id = (await stage.staff.get("auth/me")).json["id"]
    assert (claims["acting_for"], claims["sub"]) == (str(stage.ours.client.id), staff_id)
    stage.nobody.token = token
    assert (await stage.nobody.get("auth/me")).json["acting_for"] == str(stage.ours.client.id)
    assert (await stage.nobody.get("zones")).json == (await stage.owner.get("zones")).json
    assert (await stage.nobody.get(f"zones/{stage.theirs.shop.id}")).status == 404
    assert (await stage.nobody.get("plugins")).status == 403
    for path in ("auth/logout-everywhere", f"clients/{stage.ours.client.id}/impersonate"):
        assert (await stage.nobody.post(path)).status == 403
    assert code(await stage.nobody.patch("auth/me", {"name": "x"})) == (403, "scope_missing")
    await stage.staff.post(f"clients/{stage.ours.client.id}/suspend")
    refused = await stage.nobody.patch(f"zones/{stage.ours.shop.id}", {"description": "x"})
    assert code(refused) == (403, "subscription_inactive")
    await User.filter(id=staff_id).update(role=Role.CLIENT, client_id=stage.theirs.client.id)
    assert (await stage.nobody.get("zones")).status == 401
    stage.nobody.token = None
    assert (await stage.admin.post(f"clients/{uuid4()}/impersonate")).status == 404
