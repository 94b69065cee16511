"""Who asks to join: what is heard of it, what is not, and who is let in by whom."""

from __future__ import annotations

import json
import logging
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.fakes.zones import FakeDevices, FakeZones, device_view, zone_view

from antiphon.errors import Invalid, NotFound, TooManyRequests
from antiphon.events import DevicePending, EventBus
from antiphon.types import Principal, Role
from antiphon_devices import joining
from antiphon_devices.accounts.book import Account, MemoryBook
from antiphon_devices.accounts.keeper import Keeper
from antiphon_devices.accounts.service import Accounts
from antiphon_devices.codes import code_of
from antiphon_devices.connection import Incoming
from antiphon_devices.joining import Admission, Joining

SECRET = "a-secret-of-its-own-0123"
ADMIN = Principal(role=Role.ADMIN)


class Listing(Keeper):
    """A broker that knows names."""

    def __init__(self) -> None:
        self.names: list[str] = []

    async def put(self, account: Account, password: str) -> None:
        self.names.append(account.username)

    async def remove(self, username: str) -> None:
        self.names.remove(username)

    async def sync(self) -> None:
        return


class Desk:
    """Joining with a clock that is set by hand."""

    def __init__(self) -> None:
        self.bus = EventBus()
        self.client = uuid4()
        self.zone = zone_view(self.client)
        self.foreign = zone_view(uuid4(), "Foreign")
        self.devices = FakeDevices(self.bus)
        self.broker = Listing()
        self.book = MemoryBook()
        self.told: list[DevicePending] = []
        self.conflicts: list[str] = []
        self.bus.subscribe(DevicePending, self.told.append)
        self.now = 1000.0
        log = logging.getLogger("test.joining")
        accounts = Accounts(self.book, self.broker, log)
        zones = FakeZones(self.bus, self.zone, self.foreign)
        self.joining = Joining(accounts, self.devices, zones, self.bus, log, now=lambda: self.now)
        self.joining.conflicted = self.conflicts.append

    async def ask(self, key: str = "pi", secret: str = SECRET, **more: Any) -> str:
        """Returns the code that would let it in."""
        document = {"device_id": key, "secret": secret, **more}
        await self.say(key, json.dumps(document).encode())
        return code_of(key, secret)

    async def say(self, key: str, payload: bytes) -> None:
        await self.joining.asked(key, Incoming("", payload, retain=False))

    @property
    def waiting(self) -> list[str]:
        return [one.key for one in self.joining.pending()]


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_its_code_lets_a_loudspeaker_into_a_zone(desk: Desk) -> None:
    for _ in range(3):  # it asks again and again, and is one all the same
        code = await desk.ask("02-42-ac-11-00-02", mac="02:42:ac:11:00:02", hostname="pi")
    (pending,) = desk.joining.pending()
    assert (pending.code, len(code), pending.replaces) == (code, 6, False)
    assert [event.device_key for event in desk.told] == ["02-42-ac-11-00-02"]
    assert "a-secret" not in repr(pending)
    view = await desk.joining.confirm(
        ADMIN, "02-42-ac-11-00-02", Admission(code, desk.zone.zone_id, "Till")
    )
    assert (view.device_id, view.name, view.zone_id) == (
        "02:42:ac:11:00:02",
        "Till",
        desk.zone.zone_id,
    )
    assert desk.broker.names == ["02-42-ac-11-00-02"]
    assert desk.waiting == []


async def test_the_code_is_a_matter_of_id_and_secret() -> None:
    codes = {code_of(f"pi-{n}", SECRET) for n in range(50)} | {
        code_of("pi", f"{SECRET}{n}") for n in range(50)
    }
    assert len(codes) > 95
    assert code_of("pi", SECRET) == code_of("pi", SECRET)
    assert code_of("kitchen-1", "0123456789abcdef") == "156554"


async def test_wrong_codes_let_nobody_in_and_are_few(desk: Desk) -> None:
    code = await desk.ask()
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    for _ in range(joining.WRONG_CODES):
        with pytest.raises(Invalid, match="code"):
            await desk.joining.confirm(ADMIN, "pi", Admission(wrong))
    with pytest.raises(TooManyRequests):
        await desk.joining.confirm(ADMIN, "pi", Admission(code))
    desk.now += joining.WRONG_WINDOW_S + 1
    await desk.ask()
    await desk.joining.confirm(ADMIN, "pi", Admission(code))
    assert desk.broker.names == ["pi"]


async def test_a_client_lets_in_whose_code_it_reads_into_its_own_zones_alone(desk: Desk) -> None:
    owner = Principal(role=Role.CLIENT, client_id=desk.client)
    code = await desk.ask()
    with pytest.raises(Invalid, match="zone"):
        await desk.joining.claim(owner, Admission(code))
    with pytest.raises(NotFound):
        await desk.joining.claim(owner, Admission(code, desk.foreign.zone_id))
    assert desk.broker.names == []
    spaced = f"{code[:3]} {code[3:]}"
    view = await desk.joining.claim(owner, Admission(spaced, desk.zone.zone_id))
    assert view.zone_id == desk.zone.zone_id
    for _ in range(joining.WRONG_CODES):
        with pytest.raises(NotFound):
            await desk.joining.claim(owner, Admission(code, desk.zone.zone_id))
    with pytest.raises(TooManyRequests):
        await desk.joining.claim(owner, Admission(code, desk.zone.zone_id))
    other = Principal(role=Role.CLIENT, client_id=uuid4())
    with pytest.raises(NotFound):  # one's mistakes are not another's
        await desk.joining.claim(other, Admission(code, desk.zone.zone_id))


async def test_a_client_does_not_get_what_is_anothers(desk: Desk) -> None:
    theirs = device_view(desk.foreign.client_id, desk.foreign.zone_id, "pi")
    desk.devices.by_id[theirs.id] = theirs
    code = await desk.ask()
    owner = Principal(role=Role.CLIENT, client_id=desk.client)
    with pytest.raises(NotFound):
        await desk.joining.claim(owner, Admission(code, desk.zone.zone_id))
    assert desk.broker.names == []
    assert desk.devices.by_id[theirs.id].zone_id == desk.foreign.zone_id


async def test_who_does_not_ask_any_more_is_forgotten(desk: Desk) -> None:
    await desk.ask("one")
    desk.now += joining.FORGOTTEN_AFTER_S - 10
    await desk.ask("two")
    desk.now += 20
    assert desk.waiting == ["two"]


async def test_a_rejected_one_is_not_heard_for_an_hour(desk: Desk) -> None:
    await desk.ask()
    desk.joining.reject("pi")
    with pytest.raises(NotFound):
        desk.joining.reject("pi")
    desk.now += joining.REJECTED_FOR_S - 10
    await desk.ask()
    assert desk.waiting == []
    desk.now += 20
    await desk.ask()
    assert desk.waiting == ["pi"]


async def test_places_are_few_and_a_flood_takes_none_twice(desk: Desk) -> None:
    await desk.ask("real")
    for number in range(2 * joining.MAX_PENDING):
        await desk.ask(f"flood-{number}")
    assert len(desk.waiting) == joining.MAX_PENDING
    assert desk.waiting[0] == "real"
    assert sum(desk.joining.may_ask() for _ in range(10_000)) < 200
    desk.now += 1
    assert desk.joining.may_ask()


async def test_who_asks_under_anothers_id_neither_replaces_nor_hides_it(desk: Desk) -> None:
    forged = await desk.ask("pi", "forged-by-somebody-0000")
    real = await desk.ask("pi")
    assert desk.waiting == ["pi", "pi"]
    assert forged != real
    for number in range(10):
        await desk.ask("pi", f"forged-by-somebody-{number:04}")
    assert len(desk.waiting) == 3
    await desk.joining.confirm(ADMIN, "pi", Admission(real))
    assert desk.waiting == []
    account = await desk.book.named("pi")
    assert account is not None
    assert await desk.joining.accounts.knows("pi", SECRET)

    # It has an account now: the real one is let in again by itself, another makes a person look.
    await desk.ask()
    assert desk.waiting == []
    assert desk.broker.names == ["pi", "pi"]
    await desk.ask("pi", "forged-by-somebody-0000")
    assert [one.replaces for one in desk.joining.pending()] == [True]
    assert desk.conflicts == ["pi"]
    assert await desk.book.named("pi") == account


@pytest.mark.parametrize(
    ("key", "document"),
    [
        ("pi", b"{"),
        ("pi", b"\xff\xfe"),
        ("pi", b"[]"),
        ("pi", b"x" * 20_000),
        ("pi", {"device_id": "pi"}),
        ("pi", {"device_id": "pi", "secret": "short"}),
        ("pi", {"device_id": "pi", "secret": "with blanks and\nnew lines"}),
        ("pi", {"device_id": "other", "secret": SECRET}),
        ("pi", {"device_id": "pi", "secret": SECRET, "mac": 3}),
        ("antiphon", {"device_id": "antiphon", "secret": SECRET}),
        ("enroll", {"device_id": "enroll", "secret": SECRET}),
        ("integrator", {"device_id": "integrator", "secret": SECRET}),
    ],
)
async def test_requests_that_make_no_sense_change_nothing(
    desk: Desk, key: str, document: bytes | dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    payload = document if isinstance(document, bytes) else json.dumps(document).encode()
    for _ in range(3):
        await desk.say(key, payload)
    assert desk.waiting == []
    assert len(caplog.records) == 1
    assert SECRET not in caplog.text
    await desk.ask("fine")
    assert desk.waiting == ["fine"]


async def test_an_integrators_name_is_no_loudspeakers(desk: Desk) -> None:
    account, _ = await desk.joining.accounts.add_integrator(UUID(int=1), "pi")
    code = await desk.ask(account.username)
    with pytest.raises(Exception, match="an account is called so"):
        await desk.joining.confirm(ADMIN, account.username, Admission(code))
    assert await desk.book.named(account.username) == account
