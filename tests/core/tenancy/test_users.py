from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal
from uuid import uuid4

import pytest
from argon2 import Parameters, PasswordHasher, extract_parameters

from antiphon.errors import AntiphonError, Conflict, Invalid, NotAuthenticated
from antiphon.tenancy import passwords
from antiphon.tenancy.models import User
from antiphon.tenancy.users import (
    authenticate,
    create_client,
    create_user,
    current_user,
    ensure_admin,
    principal_of,
)
from antiphon.types import Principal, Role

PASSWORD = "a long enough password"


async def test_the_first_admin_gets_a_password_once(database: None) -> None:
    generated = await ensure_admin("Boss@Shop.example ")
    assert generated is not None
    assert len(generated) >= 16
    assert await ensure_admin("boss@shop.example") is None
    admin = await authenticate("BOSS@shop.example", generated)
    assert principal_of(admin) == Principal(user_id=admin.id, role=Role.ADMIN)
    assert generated not in admin.password_hash
    assert admin.password_hash.startswith("$argon2id$")


async def test_a_given_admin_password_is_not_told_back(database: None) -> None:
    assert await ensure_admin("a@b.example", PASSWORD) is None
    assert (await authenticate("a@b.example", PASSWORD)).last_seen is not None


async def test_wrong_and_unknown_are_told_in_the_same_words(database: None) -> None:
    await ensure_admin("a@b.example", PASSWORD)
    told = set()
    for email, password in (
        ("a@b.example", "wrong wrong wrong"),
        ("a@b.example", ""),
        ("a@b.example", PASSWORD + " "),
        ("nobody@b.example", PASSWORD),
        ("\x00", "x" * 100_000),
    ):
        with pytest.raises(NotAuthenticated) as refused:
            await authenticate(email, password)
        told.add(str(refused.value))
    assert told == {"E-mail or password is wrong."}


def test_a_password_costs_whoever_guesses_what_rfc_9106_asks_for(
    full_hasher: PasswordHasher,
) -> None:
    assert (full_hasher.memory_cost, full_hasher.time_cost, full_hasher.parallelism) == (
        65_536,
        3,
        4,
    )


class CountingHasher(PasswordHasher):
    """Notes with which parameters passwords are checked: they decide how long that takes."""

    def __init__(self) -> None:
        super().__init__()
        self.checked: list[Parameters] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002
        self.checked.append(extract_parameters(str(hash)))
        return super().verify(hash, password)


async def test_whoever_is_refused_has_waited_for_one_check_of_the_same_cost(
    database: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ensure_admin("a@b.example", PASSWORD)
    await create_user("off@b.example", PASSWORD, Role.STAFF)
    await User.filter(email="off@b.example").update(is_active=False)
    hasher = CountingHasher()
    monkeypatch.setattr(passwords, "_hasher", hasher)
    for email in ("a@b.example", "nobody@b.example", "off@b.example"):
        with pytest.raises(NotAuthenticated):
            await authenticate(email, "wrong wrong wrong")
    assert len(hasher.checked) == 3
    assert len(set(map(repr, hasher.checked))) == 1


async def test_who_was_switched_off_can_not_act(database: None) -> None:
    client = await create_client("Shop", timezone="Europe/Berlin")
    user = await create_user("a@b.example", PASSWORD, Role.CLIENT, client_id=client.id)
    assert principal_of(await current_user(user.id)).client_id == client.id
    for switch, off, on in (
        (user, {"is_active": False}, {"is_active": True}),
        (user, {"deleted_at": datetime.now(UTC)}, {"deleted_at": None}),
        (client, {"is_active": False}, {"is_active": True}),
        (client, {"deleted_at": datetime.now(UTC)}, {"deleted_at": None}),
    ):
        await switch.update_from_dict(off).save()
        with pytest.raises(NotAuthenticated):
            await current_user(user.id)
        with pytest.raises(NotAuthenticated):
            await authenticate("a@b.example", PASSWORD)
        await switch.update_from_dict(on).save()
    await current_user(user.id)


@pytest.mark.parametrize(
    ("email", "password", "role", "error"),
    [
        ("not an address", PASSWORD, Role.ADMIN, Invalid),
        ("a@b\x00.example", PASSWORD, Role.ADMIN, Invalid),
        (f"{'a' * 250}@b.example", PASSWORD, Role.ADMIN, Invalid),
        ("a@b.example", "short", Role.ADMIN, Invalid),
        ("a@b.example", "x" * 201, Role.ADMIN, Invalid),
        ("a@b.example", PASSWORD, Role.CLIENT, Invalid),
        ("a@b.example", PASSWORD, Role.FLOOR_USER, Invalid),
        ("TAKEN@b.example", PASSWORD, Role.ADMIN, Conflict),
    ],
)
async def test_users_that_make_no_sense_are_refused(
    database: None, email: str, password: str, role: Role, error: type[AntiphonError]
) -> None:
    await create_user("taken@b.example", PASSWORD, Role.STAFF)
    with pytest.raises(error):
        await create_user(email, password, role)
    assert await User.all().count() == 1


async def test_a_client_needs_a_name_and_a_known_time_zone(database: None) -> None:
    with pytest.raises(Invalid, match="name"):
        await create_client("   ")
    with pytest.raises(Invalid, match="timezone"):
        await create_client("Shop", timezone="Mars/Olympus")


async def test_the_user_of_an_old_token_may_be_gone(database: None) -> None:
    with pytest.raises(NotAuthenticated):
        await current_user(uuid4())
