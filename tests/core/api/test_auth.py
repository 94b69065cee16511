from __future__ import annotations

import base64
import json
import logging
import time
from uuid import uuid4

import pytest
from tests.core.api.conftest import KEY, Caller, Stage

from antiphon.api.limits import PER_ACCOUNT, PER_ADDRESS, WINDOW_S, LoginLimiter
from antiphon.errors import TooManyRequests
from antiphon.tenancy.models import User
from antiphon.tenancy.tokens import Tokens
from antiphon.tenancy.users import create_user
from antiphon.types import Role

PASSWORD = "a long enough password"


async def test_a_login_gives_a_token_that_works(stage: Stage) -> None:
    client_id = stage.ours.client.id
    await create_user("anna@ours.example", PASSWORD, Role.CLIENT, client_id=client_id)
    body = {"email": " Anna@ours.example", "password": PASSWORD}
    answer = await stage.nobody.post("auth/login", body)
    assert answer.status == 200
    assert answer.json["token_type"] == "Bearer"
    assert answer.json["expires_in"] == 3600
    assert answer.json["user"]["client_id"] == str(client_id)
    assert "password" not in answer.body.decode()
    stage.nobody.token = answer.json["access_token"]
    me = await stage.nobody.get("auth/me")
    assert (me.json["email"], me.json["role"]) == ("anna@ours.example", "client")
    assert (await stage.nobody.get("zones")).json["total"] == 2


async def test_wrong_and_unknown_get_the_same_answer(stage: Stage) -> None:
    await create_user("anna@ours.example", PASSWORD, Role.STAFF)
    answers = [
        await stage.nobody.post("auth/login", {"email": email, "password": password})
        for email, password in (
            ("anna@ours.example", "wrong"),
            ("nobody@ours.example", PASSWORD),
        )
    ]
    assert {answer.status for answer in answers} == {401}
    assert answers[0].body == answers[1].body
    assert answers[0].headers["WWW-Authenticate"].startswith("Bearer")


async def test_guessing_is_slowed_down(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("antiphon.api.limits.PER_ACCOUNT", 2)
    for _ in range(2):
        guess = {"email": "x@ours.example", "password": "guess"}
        assert (await stage.nobody.post("auth/login", guess)).status == 401
    refused = await stage.nobody.post("auth/login", {"email": "X@ours.example", "password": "b"})
    assert (refused.status, refused.json["code"]) == (429, "too_many_requests")
    assert 0 < int(refused.headers["Retry-After"]) <= WINDOW_S + 1
    other = await stage.nobody.post("auth/login", {"email": "y@ours.example", "password": "b"})
    assert other.status == 401


def test_the_limits_count_per_account_and_per_address() -> None:
    clock = [0.0]
    limiter = LoginLimiter(lambda: clock[0])
    for _ in range(PER_ACCOUNT):
        limiter.attempt("a@x", "1.1.1.1")
    with pytest.raises(TooManyRequests):
        limiter.attempt("A@x ", "1.1.1.1")
    limiter.attempt("a@x", "2.2.2.2")
    limiter.succeeded("a@x", "1.1.1.1")
    limiter.attempt("a@x", "1.1.1.1")
    for _ in range(PER_ADDRESS):
        limiter.attempt("good@x", "1.1.1.1")
        limiter.succeeded("good@x", "1.1.1.1")
    for number in range(PER_ADDRESS - PER_ACCOUNT):
        limiter.attempt(f"{number}@x", "1.1.1.1")
    with pytest.raises(TooManyRequests):
        limiter.attempt("new@x", "1.1.1.1")
    clock[0] += WINDOW_S
    limiter.attempt("new@x", "1.1.1.1")


def _unsigned(claims: dict[str, object]) -> str:
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    return b".".join((*encoded, b"")).decode()


async def test_tokens_that_are_not_ours_open_nothing(stage: Stage) -> None:
    user = await User.get(role=Role.ADMIN)
    claims = {"iss": "antiphon", "use": "access", "sub": str(user.id), "exp": time.time() + 60}
    tokens = [
        "",
        "nonsense",
        _unsigned(claims),
        Tokens(b"f" * 32, 60).issue(user.id)[0],
        Tokens(KEY, 60, now=lambda: time.time() - 61).issue(user.id)[0],
        Tokens(KEY, 60).issue(uuid4())[0],
    ]
    for token in tokens:
        stage.nobody.token = token
        answer = await stage.nobody.get("zones")
        assert (answer.status, answer.json["code"]) == (401, "not_authenticated"), token
    for scheme in ("Basic", "Token", ""):
        header = {"Authorization": f"{scheme} {stage.admin.token}"}
        stage.nobody.token = None
        assert (await stage.nobody.ask("GET", "zones", headers=header)).status == 401


async def test_who_is_switched_off_is_out_at_once(stage: Stage) -> None:
    assert (await stage.owner.get("zones")).status == 200
    await User.filter(client_id=stage.ours.client.id).update(is_active=False)
    assert (await stage.owner.get("zones")).status == 401


async def test_a_token_in_the_query_opens_sound_alone(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = str(stage.owner.token)
    assert (await stage.nobody.get("zones", token=token)).status == 401
    with caplog.at_level(logging.DEBUG):
        assert (await stage.nobody.get(f"zones/{uuid4()}/listen", token=token)).status == 404
    assert "/listen" in caplog.text
    assert token not in caplog.text


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "floors"), ("POST", "zones"), ("GET", "plugins")],
)
async def test_roles_reach_as_far_as_they_should(stage: Stage, method: str, path: str) -> None:
    async def status(caller: Caller) -> int:
        return (
            await caller.ask(method, path, json={"name": "X"} if method == "POST" else None)
        ).status

    refused = await stage.cellar_user.ask(method, path)
    assert (refused.status, refused.json["code"]) == (403, "not_allowed")
    assert "floor_user" in refused.json["detail"]
    assert await status(stage.owner) == (403 if path == "plugins" else 201)
    assert await status(stage.staff) in (200, 422)  # 422: staff has to name the client
