"""Every operation of the whole server × every role × own, foreign and no tenant.

The operations come from the OpenAPI document of the running server and the rows from its models,
so what is added later is walked through too. Nothing here knows what an operation is for: an
answer or a table that holds the id of something that is hidden from the caller is a failure.
"""

from __future__ import annotations

import asyncio
import io
import json
import wave
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from pydantic import SecretStr
from tests.conftest import LoadedFor
from tests.walk.requests import Operation, operations
from tests.walk.rows import House, Ledger, Rows, ids_in, make_house, make_user

from antiphon.api.problems import CONTENT_TYPE
from antiphon.app import running
from antiphon.plugins.manager import load_plugins
from antiphon.store import open_database
from antiphon.store.database import FILE_NAME
from antiphon.tenancy.identity import API_TOKEN_PREFIX
from antiphon.tenancy.models import ApiToken, SubscriptionStatus, User
from antiphon.tenancy.sessions import secret_hash
from antiphon.tenancy.tokens import Tokens, load_secret_key
from antiphon.types import Role

OURS, THEIRS, CLOSED = "qxours", "qxtheirs", "qxclosed"
Form = dict[str, str]
ODD_ANSWERS = (404, 403)  # what is not there, or what the role does not reach


@dataclass
class Actor:
    """Somebody, and the ids that must be hidden from them: as if they were not there at all.

    `probes` are hidden ids and `own` visible ones, of each table one, that the walk asks for.
    `may_be_named` are those among them that may stand in what the actor sees of its own client,
    such as the person who made an announcement.
    """

    name: str
    user: User | None
    hidden: frozenset[str]
    probes: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    may_be_named: frozenset[str] = frozenset()
    markers: tuple[str, ...] = ()
    api_token: str | None = None
    acting_for: Any = None


@dataclass
class Walk:
    """The running server, its operations, and what went wrong so far."""

    session: aiohttp.ClientSession
    base: str
    tokens: Tokens
    ledger: Ledger
    operations: list[Operation]
    wrong: list[str] = field(default_factory=list)
    sent: int = 0

    def token(self, actor: Actor) -> str | None:
        """A token that counts now, whatever the walk has done to the session before."""
        if actor.user is None or actor.api_token is not None:
            return actor.api_token
        version = self.ledger.token_version(actor.user)
        return self.tokens.issue(actor.user.id, version, acting_for=actor.acting_for)[0]

    async def ask(
        self, actor: Actor, one: Operation, path: str, form: Form | None = None, **options: Any
    ) -> tuple[int, str, str]:
        """Send one request; whatever is in the answer that must not be is noted."""
        if form is not None:
            options["data"] = _written(form)
        headers = {}
        if token := self.token(actor):
            headers["Authorization"] = f"Bearer {token}"
        self.sent += 1
        if path.startswith("ws/"):
            return await self._listen(actor, one, path, headers)
        async with self.session.request(
            one.method, self.base + path, headers=headers, **options
        ) as answer:
            endless = answer.content_type.startswith("audio/")
            content = await (answer.content.read(1 << 16) if endless else answer.read())
            text = content.decode(errors="replace")
            status, is_problem = answer.status, answer.content_type == CONTENT_TYPE
        code = str(json.loads(text)["code"]) if is_problem else ""
        sent = f"{path} with {form or options}"
        # Who is refused may hear again what was asked for; an answer never tells it.
        said = frozenset() if status < 400 else ids_in(sent)
        self._check(actor, f"{one} as {actor.name} at {sent}", status, text, said)
        return status, code, text

    async def _listen(
        self, actor: Actor, one: Operation, path: str, headers: dict[str, str]
    ) -> tuple[int, str, str]:
        try:
            async with self.session.ws_connect(self.base + path, headers=headers) as socket:
                if not headers:
                    await socket.send_json({"token": "nobody"})
                first = await socket.receive(timeout=10)
        except aiohttp.WSServerHandshakeError as error:
            return error.status, "", ""
        if first.type is aiohttp.WSMsgType.CLOSE:  # with 4404 for what would have been a 404
            return int(first.data) - 4000, "", str(first.extra)
        text = str(first.data)
        self._check(actor, f"{one} as {actor.name}", 101, text, frozenset())
        return 101, "", text

    def _check(self, actor: Actor, what: str, status: int, text: str, said: frozenset[str]) -> None:
        if status == 500:
            self.wrong.append(f"{what}: 500 {text}")
        shown = (ids_in(text) & actor.hidden) - said - actor.may_be_named
        if shown or any(marker in text for marker in actor.markers):
            self.wrong.append(f"{what}: {status} shows {sorted(shown)}: {text[:300]}")

    def expect(self, right: bool, what: str) -> None:
        """Note `what` unless it is right."""
        if not right:
            self.wrong.append(what)

    def expect_same(self, before: Rows, after: Rows, what: str) -> None:
        """Note which rows differ."""
        for key in before.keys() | after.keys():
            if (old := before.get(key)) != (new := after.get(key)):
                self.wrong.append(f"{what} changed {key} from {old} to {new}")
        before.clear()
        before.update(after)

    def end(self) -> None:
        """Fail with all that went wrong."""
        assert not self.wrong, f"{len(self.wrong)} wrong:\n" + "\n".join(self.wrong[:40])


@dataclass
class Town:
    walk: Walk
    actors: dict[str, Actor]


@pytest.fixture
async def town(
    tmp_path: Path, loaded_for: LoadedFor, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Town]:
    # No voice is installed: what is spoken is not what this is about, and takes its time.
    monkeypatch.setattr("antiphon_ai.voices._packaged_models", tuple)
    loaded, plugins = loaded_for(tmp_path), load_plugins()
    http = loaded.settings.http.model_copy(update={"metrics_token": SecretStr("not for walkers")})
    loaded = replace(loaded, settings=loaded.settings.model_copy(update={"http": http}))
    plugins.configure(loaded)
    async with open_database("", tmp_path, plugins.tables()):
        ours, theirs, closed = [await make_house(marker) for marker in (OURS, THEIRS, CLOSED)]
        client = closed.tenant.client
        client.subscription_status = SubscriptionStatus.SUSPENDED
        await client.save()
        for house in (ours, theirs):
            (folder := tmp_path / "media" / str(house.tenant.client.id)).mkdir(parents=True)
            (folder / house.marker).write_bytes(sound())
        admin, staff = [await make_user(f"{r}@us.example", r) for r in (Role.ADMIN, Role.STAFF)]
        secret = API_TOKEN_PREFIX + "reads"
        await ApiToken.create(
            user=ours.owner, name=OURS, scopes=["read"], token_hash=secret_hash(secret)
        )
    tokens = Tokens(load_secret_key(tmp_path / "secret.key"), 600)
    async with (
        running(loaded, plugins) as server,
        aiohttp.ClientSession() as session,
    ):
        base = f"{server.url}/api/v1/"
        async with session.get(base + "openapi.json") as answer:
            document = await answer.json()
        ledger = Ledger(tmp_path / FILE_NAME)
        walk = Walk(session, base, tokens, ledger, operations(document))
        for house in (ours, theirs):
            await _call(walk, house)
        yield Town(walk, _actors(ledger, (ours, theirs, closed), (admin, staff), secret))
        ledger.close()


async def _call(walk: Walk, house: House) -> None:
    """A call is in no table, so it is made as people make it; it is over before the walk."""
    token, _ = walk.tokens.issue(house.owner.id)
    header = {"Authorization": f"Bearer {token}"}
    body = {"announcement_id": str(house.rows["announcements.Announcement"].pk), "all": True}
    async with walk.session.post(walk.base + "calls", json=body, headers=header) as answer:
        call = await answer.json()
        assert answer.status == 202, call
    house.calls = (str(call["id"]),)
    async with asyncio.timeout(60):
        while not walk.ledger.is_over(call["id"], len(call["zones"])):  # noqa: ASYNC110  a table tells no event
            await asyncio.sleep(0.1)


def _actors(
    ledger: Ledger, houses: tuple[House, House, House], operators: tuple[User, User], secret: str
) -> dict[str, Actor]:
    ours, theirs, closed = houses
    admin, staff = operators
    rows = ledger.rows()
    of = {house.marker: _ids_of(house, rows) for house in houses}
    everything = frozenset(key for _, key in rows)
    strangers = everything - of[OURS]
    tenant = ours.tenant
    here = {str(tenant.cellar.id), str(tenant.bar.id)}
    upstairs = frozenset(
        key
        for (table, key), row in rows.items()
        if key in of[OURS]
        and (
            (table in ("floor", "zone", "device") and key not in here)
            or row.get("zone_id") == str(tenant.shop.id)
        )
    )
    people = frozenset(key for table, key in rows if table == "user") & of[OURS]
    admins = frozenset({str(admin.id)})

    def one_each(ids: frozenset[str]) -> tuple[str, ...]:
        return tuple({table: key for table, key in sorted(rows) if key in ids}.values())

    theirs_ids = (*theirs.calls, *one_each(of[THEIRS]))
    own = (*ours.calls, *one_each(of[OURS]))
    strangers |= frozenset(theirs.calls)
    foreign = (THEIRS, CLOSED)
    floor_own = (*one_each(of[OURS] - upstairs - people), *here)
    may_name = frozenset({str(staff.id)})
    # Those who act for a client and those who only read go the owner's way: three steps tell.
    actors = [
        Actor("owner", ours.owner, strangers, theirs_ids, own, markers=foreign),
        Actor("reader", ours.owner, strangers, theirs_ids[:3], markers=foreign, api_token=secret),
        Actor("acting", staff, strangers - may_name, theirs_ids[:3], (), may_name, foreign,
              acting_for=tenant.client.id),
        Actor("floor user", ours.cellar_user, strangers | upstairs,
              (*theirs_ids, *one_each(upstairs)), floor_own, people, foreign),
        Actor("staff", staff, admins, tuple(admins), (*own, *theirs_ids)),
        Actor("admin", admin, frozenset(), (), (*own, *theirs_ids)),
        Actor("suspended", closed.owner, everything - of[CLOSED], (), one_each(of[CLOSED]),
              markers=(OURS, THEIRS)),
        Actor("nobody", None, everything, markers=(OURS, THEIRS, CLOSED)),
    ]  # fmt: skip
    return {actor.name: actor for actor in actors}


def _ids_of(house: House, rows: Rows) -> frozenset[str]:
    """The ids of all rows of a client: those made for it, and those that name such a one."""
    made = {str(row.pk) for row in house.rows.values()}
    tenant = house.tenant
    made |= {str(row.id) for row in (tenant.cellar, tenant.bar, house.cellar_user)}
    return frozenset(made | {key for (_, key), row in rows.items() if made & ids_in(str(row))})


def _written(fields: Form) -> aiohttp.FormData:
    """A form with these fields, and a file that can be played."""
    form = aiohttp.FormData(fields)
    form.add_field("file", sound(), filename=f"{uuid4()}.wav")
    return form


def sound() -> bytes:
    """A tenth of a second."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setparams((1, 2, 8000, 800, "NONE", ""))
        file.writeframes(bytes(1600))
    return content.getvalue()


async def _bodies(walk: Walk, actor: Actor, one: Operation, path: str) -> None:
    """Name each hidden thing in each place of the body: that is refused."""
    for key in actor.probes:
        bodies: list[dict[str, Any]] = [{"json": body} for body in one.bodies_with(key)]
        bodies += [{"form": form} for form in one.forms_with(key)]
        for body in bodies:
            status, code, text = await walk.ask(actor, one, path, **body)
            what = f"{one} as {actor.name} at {path} takes {body}: {status} {text[:200]}"
            walk.expect(status >= 400, what)
            if code in ("not_allowed", "scope_missing") or status == 401:
                return


async def _paths(walk: Walk, actor: Actor, one: Operation) -> None:
    """Ask for each hidden thing, and for what is not there at all: the answer is the same."""
    for key in [*actor.probes, str(uuid4())]:
        status, code, text = await walk.ask(actor, one, one.at(key), **one.content())
        what = f"{one} as {actor.name} for {key}: {status} {text[:200]}"
        walk.expect(status in ODD_ANSWERS, what)
        if code in ("not_allowed", "scope_missing"):
            return


async def _lists(walk: Walk, actor: Actor, one: Operation) -> None:
    """Whatever is asked for, nothing hidden is in a list."""
    await walk.ask(actor, one, one.at(""))
    for name in one.id_queries():
        for key in actor.probes:
            status, _, text = await walk.ask(actor, one, one.at(""), params={name: key})
            is_empty = text.count("\n") == 1 if one.is_table else '"items":[]' in text
            walk.expect(
                status >= 400 or is_empty,
                f"{one} as {actor.name} with {name}={key}: {status} {text[:200]}",
            )


# The floor user first: whatever the owner plays upstairs goes on for a while.
WALKERS = ("floor user", "staff", "reader", "owner", "acting")


async def test_nobody_sees_or_touches_what_is_hidden(town: Town) -> None:
    walk = town.walk
    assert len(walk.operations) > 60
    for name in WALKERS:
        actor = town.actors[name]
        before = walk.ledger.about(actor.hidden)
        for one in walk.operations:
            if one.has_id:
                await _paths(walk, actor, one)
            elif one.reads:
                await _lists(walk, actor, one)
            elif not one.is_open:
                await walk.ask(actor, one, one.at(""), **one.content())
                await _bodies(walk, actor, one, one.at(""))
            walk.expect_same(before, walk.ledger.about(actor.hidden), f"{one} as {name}")
    walk.end()


async def test_what_is_ones_own_leads_to_nothing_hidden(town: Town) -> None:
    walk = town.walk
    for name in ("floor user", "owner"):
        actor, found = town.actors[name], set()
        before = walk.ledger.about(actor.hidden)
        for one in (one for one in walk.operations if one.has_id):
            for key in actor.own:
                status, code, _ = await walk.ask(actor, one, one.at(key), **one.content())
                if status not in ODD_ANSWERS:
                    found.add(str(one))
                    await _bodies(walk, actor, one, one.at(key))
                if code == "not_allowed":
                    break
            walk.expect_same(before, walk.ledger.about(actor.hidden), f"{one} as {name}")
        # Else this test would be about nothing: these are there for their owners.
        assert {"GET /zones/{zone_id}", "GET /schedules/{schedule_id}"} - found <= set()
    walk.end()


async def test_nobody_gets_in_without_a_token(town: Town) -> None:
    walk, actor = town.walk, town.actors["nobody"]
    before = walk.ledger.rows(but="audit_log")  # which tells of log-ins that were refused
    for one in walk.operations:
        status, _, _ = await walk.ask(actor, one, one.at(uuid4()), **one.content())
        walk.expect(one.is_open or status == 401, f"{one} answers {status} to nobody")
    walk.expect_same(before, walk.ledger.rows(but="audit_log"), f"A request of {actor.name}")
    walk.end()


async def test_admin_and_staff_read_everything_without_a_mistake(town: Town) -> None:
    walk = town.walk
    for name in ("admin", "staff"):
        actor = town.actors[name]
        for one in (one for one in walk.operations if one.reads and one.has_id):
            found = [key for key in actor.own if (await walk.ask(actor, one, one.at(key)))[0] < 400]
            is_file = "application/json" not in str(one.told["responses"].get("200"))
            walk.expect(bool(found) or is_file, f"{one} shows {name} nothing: has it a row?")
    walk.end()


async def test_who_is_suspended_reads_and_changes_nothing(town: Town) -> None:
    walk, actor = town.walk, town.actors["suspended"]
    before = walk.ledger.rows()
    for one in (one for one in walk.operations if not one.is_open and not one.reads):
        refused = one.told["responses"].get("403", {}).get("$ref", "")
        if "subscription_inactive" in refused:
            for key in actor.own if one.has_id else [""]:
                status, code, _ = await walk.ask(actor, one, one.at(key), **one.content())
                allowed = status == 403 and code in ("subscription_inactive", "not_allowed")
                walk.expect(allowed, f"{one} at {key} answers {status} {code} to the suspended")
    walk.expect_same(before, walk.ledger.rows(), f"A request of {actor.name}")
    zones = next(one for one in walk.operations if str(one) == "GET /zones")
    assert CLOSED in (await walk.ask(actor, zones, "zones"))[2]
    walk.end()
