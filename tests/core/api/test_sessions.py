"""Sessions, passwords and API tokens, over the API."""

from __future__ import annotations

import asyncio
import logging
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.core.api.conftest import Caller, Stage, open_stage
from tests.fakes.database import fresh_database
from tests.fakes.post_office import post_office

from antiphon.settings.models import AccountSettings, HttpSettings, MailSettings
from antiphon.tenancy.models import ApiToken, Client, RefreshToken, User
from antiphon.tenancy.users import create_user
from antiphon.types import Role

PASSWORD = "a long enough password"
NEW = "another long password"
ANNA = "anna@ours.example"


async def anna(stage: Stage) -> User:
    return await create_user(ANNA, PASSWORD, Role.CLIENT, client_id=stage.ours.client.id)


async def log_in(stage: Stage, password: str = PASSWORD) -> Any:
    answer = await stage.nobody.post("auth/login", {"email": ANNA, "password": password})
    assert answer.status == 200, answer.json
    return answer.json


async def refresh(stage: Stage, token: str) -> Any:
    return await stage.nobody.post("auth/refresh", {"refresh_token": token})


async def status(stage: Stage, access_token: str, path: str = "zones") -> int:
    header = {"Authorization": f"Bearer {access_token}"}
    return (await stage.nobody.ask("GET", path, headers=header)).status


def as_(stage: Stage, token: str) -> Caller:
    return Caller(stage.nobody._session, stage.server.url, token)


async def test_a_session_goes_on_with_its_last_refresh_token(stage: Stage) -> None:
    await anna(stage)
    first = await log_in(stage)
    assert first["refresh_expires_in"] == 7 * 24 * 3600
    second = (await refresh(stage, first["refresh_token"])).json
    assert second["user"]["email"] == ANNA
    third = (await refresh(stage, second["refresh_token"])).json
    assert await status(stage, third["access_token"]) == 200
    kept = str(await RefreshToken.all().values())
    assert not any(one["refresh_token"] in kept for one in (first, second, third))


async def test_an_old_refresh_token_ends_its_session_and_no_other(stage: Stage) -> None:
    await anna(stage)
    stolen, other = await log_in(stage), await log_in(stage)
    fresh = (await refresh(stage, stolen["refresh_token"])).json
    assert (await refresh(stage, stolen["refresh_token"])).status == 401
    assert (await refresh(stage, fresh["refresh_token"])).status == 401
    assert await status(stage, fresh["access_token"]) == 401
    assert await status(stage, other["access_token"]) == 200
    assert (await refresh(stage, other["refresh_token"])).status == 200


async def test_of_two_at_once_one_gets_the_next_token(stage: Stage) -> None:
    await anna(stage)
    token = (await log_in(stage))["refresh_token"]
    answers = await asyncio.gather(*(refresh(stage, token) for _ in range(4)))
    assert [answer.status for answer in answers].count(200) <= 1
    assert await RefreshToken.filter(used_at=None, revoked_at=None).count() == 0


async def test_refresh_tokens_end(stage: Stage) -> None:
    await anna(stage)
    session = await log_in(stage)
    await RefreshToken.all().update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert (await refresh(stage, session["refresh_token"])).status == 401
    await log_in(stage)
    assert await RefreshToken.all().count() == 1
    for nonsense in ("x", session["access_token"]):
        assert (await refresh(stage, nonsense)).status == 401


async def test_logging_out_ends_one_session_or_all(stage: Stage) -> None:
    await anna(stage)
    sessions = [await log_in(stage) for _ in range(3)]
    assert (await as_(stage, sessions[0]["access_token"]).post("auth/logout")).status == 204
    alive = [await status(stage, one["access_token"]) for one in sessions]
    assert alive == [401, 200, 200]
    assert (await refresh(stage, sessions[0]["refresh_token"])).status == 401
    caller = as_(stage, sessions[1]["access_token"])
    assert (await caller.post("auth/logout-everywhere")).status == 204
    assert await status(stage, sessions[2]["access_token"]) == 401
    assert (await refresh(stage, sessions[2]["refresh_token"])).status == 401


async def test_a_new_password_ends_the_other_sessions(stage: Stage) -> None:
    await anna(stage)
    here, elsewhere = await log_in(stage), await log_in(stage)
    caller = as_(stage, here["access_token"])
    wrong = {"current_password": "guess", "new_password": NEW}
    assert (await caller.post("auth/change-password", wrong)).json["errors"][0]["field"] == (
        "current_password"
    )
    short = {"current_password": PASSWORD, "new_password": "short"}
    assert (await caller.post("auth/change-password", short)).status == 422
    assert await status(stage, elsewhere["access_token"]) == 200
    right = {"current_password": PASSWORD, "new_password": NEW}
    answer = await caller.post("auth/change-password", right)
    assert answer.status == 200
    for old in (here, elsewhere):
        assert await status(stage, old["access_token"]) == 401
        assert (await refresh(stage, old["refresh_token"])).status == 401
    assert await status(stage, answer.json["access_token"]) == 200
    await log_in(stage, NEW)


async def test_people_see_and_change_themselves(stage: Stage) -> None:
    change = {"name": "Anna", "timezone": "Europe/Berlin", "settings": {"theme": {"dark": True}}}
    changed = await stage.owner.patch("auth/me", change)
    assert changed.status == 200
    me = (await stage.owner.get("auth/me")).json
    assert {name: me[name] for name in change} == change
    assert me["acting_for"] is None
    for wrong in ({"timezone": "Mars"}, {"role": "admin"}, {"email": "x@y.example"}, {"name": 5}):
        assert (await stage.owner.patch("auth/me", wrong)).status == 422


async def test_an_api_token_does_what_its_scope_says(stage: Stage) -> None:
    async def make(*scopes: str, **more: str) -> str:
        body = {"name": "Door", "scopes": list(scopes), **more}
        answer = await stage.owner.post("auth/tokens", body)
        assert answer.status == 201, answer.json
        return str(answer.json["token"])

    zone = stage.ours.shop.id
    wanted = [
        ("GET", "zones", None),
        ("POST", f"zones/{zone}/playback/pause", None),
        ("POST", "calls", {"text": "Hello", "all": True}),
        ("PATCH", f"zones/{zone}", {"description": "x"}),
        ("GET", "auth/tokens", None),
        ("POST", f"users/{stage.ours.client.id}/password-link", None),
    ]  # fmt: skip
    for scopes, allowed in (
        (["read"], 1),
        (["control"], 3),
        (["manage"], 4),
        (["read", "manage"], 4),
    ):
        caller = as_(stage, await make(*scopes))
        answers = [await caller.ask(method, path, json=body) for method, path, body in wanted]
        may = [answer.status < 400 for answer in answers]
        assert may == [True] * allowed + [False] * (len(wanted) - allowed), scopes
        assert {answer.json["code"] for answer in answers[allowed:]} == {"scope_missing"}
        assert (await caller.get("auth/me")).json["role"] == "client"
        assert {item["client_id"] for item in answers[0].json["items"]} == {
            str(stage.ours.client.id)
        }
    for body in (
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["account"]},
        {"name": "x", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"},
    ):
        assert (await stage.owner.post("auth/tokens", body)).status == 422


async def test_an_api_token_is_shown_once_and_ends(stage: Stage) -> None:
    body = {"name": "Door", "scopes": ["read"], "expires_at": "2100-01-01T00:00:00Z"}
    made = (await stage.owner.post("auth/tokens", body)).json
    door = as_(stage, made["token"])
    assert (await door.get("zones")).status == 200
    listed = await stage.owner.get("auth/tokens")
    assert listed.json["items"][0]["last_used_at"] is not None
    assert made["token"] not in listed.body.decode() + str(await ApiToken.all().values())
    assert (await stage.admin.get("auth/tokens")).json["total"] == 0
    assert (await stage.admin.delete(f"auth/tokens/{made['id']}")).status == 404
    async with door.socket(headers={"Authorization": f"Bearer {made['token']}"}) as socket:
        assert (await socket.receive_json(timeout=5))["type"] == "state"
    await ApiToken.all().update(expires_at=datetime.now(UTC))
    assert (await door.get("zones")).status == 401
    await ApiToken.all().update(expires_at=None)
    await User.filter(client_id=stage.ours.client.id).update(is_active=False)
    assert (await door.get("zones")).status == 401
    await User.all().update(is_active=True)
    assert (await stage.owner.delete(f"auth/tokens/{made['id']}")).status == 204
    assert (await door.get("zones")).status == 401


async def test_a_password_link_counts_once(stage: Stage) -> None:
    user = await anna(stage)
    session = await log_in(stage)
    answer = await stage.admin.post(f"users/{user.id}/password-link")
    assert answer.json["url"].startswith(f"{stage.server.url}/static/password.html#")
    page, _, token = answer.json["url"].partition("#")
    assert (await stage.nobody.get(page)).status == 200

    async def confirm(password: str, link: str = token) -> int:
        body = {"token": link, "password": password}
        return (await stage.nobody.post("auth/password-reset/confirm", body)).status

    assert await confirm("short") == 422
    assert await confirm(NEW, session["access_token"]) == 422
    assert await status(stage, token) == 401
    assert await confirm(NEW) == 204
    assert await confirm(PASSWORD) == 422
    assert await status(stage, session["access_token"]) == 401
    await log_in(stage, NEW)


async def test_without_mail_a_reset_says_whom_to_ask(stage: Stage) -> None:
    answer = await stage.nobody.post("auth/password-reset", {"email": ANNA})
    assert (answer.status, answer.json["code"]) == (403, "mail_off")
    assert "admin" in answer.json["detail"]


async def test_a_forgotten_password_by_mail(caplog: pytest.LogCaptureFixture) -> None:
    async with post_office() as office, fresh_database():
        mail = MailSettings(host="127.0.0.1", port=office.port, security="none", sender="a@b.c")
        http = HttpSettings(port=0, public_url="https://music.example/")
        with caplog.at_level(logging.INFO):
            async with open_stage(mail=mail, http=http) as stage:
                await anna(stage)
                answers = [
                    await stage.nobody.post("auth/password-reset", {"email": email})
                    for email in ("nobody@ours.example", f" {ANNA.upper()}", ANNA)
                ]
                assert {(answer.status, answer.body) for answer in answers} == {(204, b"")}
                message = await asyncio.wait_for(office.mails.get(), 10)
                assert message["To"] == ANNA
                text = str(message.get_payload(decode=True).decode())  # type: ignore[union-attr]
                found = re.search(r"https://music\.example/static/password\.html#(\S+)", text)
                assert found, text
                body = {"token": found[1], "password": NEW}
                confirm = await stage.nobody.post("auth/password-reset/confirm", body)
                assert confirm.status == 204
                await log_in(stage, NEW)
                spam = [
                    (await stage.nobody.post("auth/password-reset", {"email": ANNA})).status
                    for _ in range(3)
                ]
                assert spam[-1] == 429
        assert found[1] not in caplog.text
        assert "nobody@ours.example" not in str(office.mails)


async def test_a_mail_server_that_is_away_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with fresh_database():
        mail = MailSettings(host="127.0.0.1", port=1, security="none")
        async with open_stage(mail=mail) as stage:
            await anna(stage)
            body = {"email": ANNA}
            assert (await stage.nobody.post("auth/password-reset", body)).status == 204
        assert "could not be sent" in caplog.text


async def test_signing_up_is_closed_unless_it_is_opened(stage: Stage) -> None:
    new = {"email": "b@hotel.example", "password": PASSWORD, "client_name": "Hotel"}
    closed = await stage.nobody.post("auth/signup", new)
    assert (closed.status, closed.json["code"]) == (403, "signup_closed")
    assert await Client.all().count() == 2


async def test_signing_up_makes_a_client_on_trial() -> None:
    async with fresh_database(), open_stage(accounts=AccountSettings(signup=True)) as stage:
        new = {"email": "B@hotel.example", "password": PASSWORD, "client_name": "Hotel"}
        answer = await stage.nobody.post("auth/signup", new)
        assert answer.status == 201
        guest = as_(stage, answer.json["access_token"])
        client = (await guest.get("clients")).json["items"][0]
        assert (client["name"], client["subscription_status"]) == ("Hotel", "trial")
        ends = datetime.fromisoformat(client["trial_ends_at"])
        assert timedelta(days=13) < ends - datetime.now(UTC) <= timedelta(days=14)
        assert (await guest.post("floors", {"name": "One"})).status == 201
        second = await guest.post("floors", {"name": "Two"})
        assert (second.status, second.json["code"]) == (403, "premium_needed")
        assert (await guest.get("zones")).json["total"] == 0
        again = await stage.nobody.post("auth/signup", new)
        assert (again.status, await Client.all().count()) == (409, 3)
