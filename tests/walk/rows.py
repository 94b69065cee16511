"""Two clients with a row in every table, of the core and of every plugin, and what the tables hold.

A new model gets its rows without anybody's doing: by the kinds of its fields. Where that makes no
sense of a column, `COLUMNS` says what to write.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from tests.fakes.database import Tenant, make_tenant
from tortoise import Tortoise, fields
from tortoise.fields.data import CharEnumFieldInstance
from tortoise.fields.relational import ForeignKeyFieldInstance
from tortoise.models import Model

from antiphon.tenancy.models import User
from antiphon.types import Role

_INTERVAL = {"kind": "interval", "every_min": 60, "announcements": [str(UUID(int=9))]}
# What a row can not do without, by table and column.
COLUMNS: dict[str, dict[str, Any]] = {
    "schedule": {"kind": "interval", "config": _INTERVAL, "enabled": False},
    "music_file": {"measured_at": datetime(2026, 1, 1, tzinfo=UTC)},
    "api_token": {"scopes": ["read"]},
}
Rows = dict[tuple[str, str], dict[str, Any]]
_VOLATILE = frozenset({"updated_at", "last_seen", "last_used_at", "settled_until"})
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass
class House:
    """A tenant, its people and all its rows by table."""

    marker: str
    tenant: Tenant
    owner: User
    cellar_user: User
    rows: dict[str, Model] = field(default_factory=dict)
    calls: tuple[str, ...] = ()


def all_models() -> dict[str, type[Model]]:
    """Every table, by its name with its app's."""
    assert Tortoise.apps is not None
    return {
        model._meta.full_name: model
        for models in Tortoise.apps.values()
        for model in models.values()
    }


async def make_user(email: str, role: Role, tenant: Tenant | None = None, **more: Any) -> User:
    client = tenant.client if tenant else None
    return await User.create(
        email=email, name=email, role=role, client=client, password_hash="-", **more
    )


async def make_house(marker: str) -> House:
    """A client whose names all hold `marker`."""
    tenant = await make_tenant(marker)
    for row in (tenant.shop_floor, tenant.cellar, tenant.shop, tenant.bar, tenant.speaker):
        row.name = f"{row.name} {marker}"
        await row.save()
    owner = await make_user(f"owner@{marker}.example", Role.CLIENT, tenant)
    cellar_user = await make_user(
        f"cellar@{marker}.example", Role.FLOOR_USER, tenant, floor_id=tenant.cellar.id
    )
    house = House(marker, tenant, owner, cellar_user)
    made = (tenant.client, owner, tenant.shop_floor, tenant.shop, tenant.speaker)
    house.rows = {row._meta.full_name: row for row in made}
    for model in all_models().values():
        await _row(house, model)
    return house


async def _row(house: House, model: type[Model]) -> Model:
    name = model._meta.full_name
    if name not in house.rows:
        values: dict[str, Any] = {}
        for key, one in model._meta.fields_map.items():
            if isinstance(one, ForeignKeyFieldInstance):
                if one.related_model is not model:
                    values[key] = await _row(house, one.related_model)
            elif _must_be_given(one):
                values[key] = _value(house, one)
        values |= COLUMNS.get(str(model._meta.db_table), {})
        house.rows[name] = await model.create(**values)
    return house.rows[name]


def _must_be_given(one: fields.Field[Any]) -> bool:
    made_elsewhere = one.pk or one.reference is not None or not one.has_db_field
    stamped = getattr(one, "auto_now", False) or getattr(one, "auto_now_add", False)
    return not (made_elsewhere or stamped or one.null or one.default is not None)


def _value(house: House, one: fields.Field[Any]) -> Any:
    match one:
        case CharEnumFieldInstance():
            return next(iter(one.enum_type))
        case fields.CharField() | fields.TextField():
            unique = uuid4().hex if one.unique else ""
            return f"{house.marker}{unique}"[: getattr(one, "max_length", None)]
        case fields.UUIDField():
            return uuid4()
        case fields.BooleanField():
            return False
        case fields.IntField() | fields.BigIntField() | fields.SmallIntField():
            return 1
        case fields.DatetimeField():
            return datetime.now(UTC)
        case fields.JSONField():
            return {}
    return 1.0


class Ledger:
    """Reads all tables, beside the server, from the file of the database."""

    def __init__(self, file: Path) -> None:
        self._file = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        self._file.row_factory = sqlite3.Row
        names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'tortoise%'"
        self._tables = [
            row["name"]
            for row in self._file.execute(names)
            if "id" in {column["name"] for column in self._columns(row["name"])}
        ]
        self._version = -1
        self._rows: Rows = {}
        self._named: dict[tuple[str, str], tuple[dict[str, Any], frozenset[str]]] = {}

    def _columns(self, table: str) -> list[sqlite3.Row]:
        return list(self._file.execute(f'PRAGMA table_info("{table}")'))

    def close(self) -> None:
        self._file.close()

    def rows(self, but: str = "") -> Rows:
        """All rows by table and key, but for a table and for what changes by itself."""
        # Another one as soon as somebody else has written anything; most requests write nothing.
        version = self._file.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            self._rows = {
                (table, str(row["id"])): {k: row[k] for k in row.keys() if k not in _VOLATILE}  # noqa: SIM118  a Row is no dict
                for table in self._tables
                for row in self._file.execute(f'SELECT * FROM "{table}"')
            }
            self._version = version
        return {key: row for key, row in self._rows.items() if key[0] != but}

    def about(self, ids: frozenset[str]) -> Rows:
        """The rows that have or name one of `ids`: nobody without a right to them may change it."""
        return {key: row for key, row in self.rows().items() if ids & self._ids(key, row)}

    def _ids(self, key: tuple[str, str], row: dict[str, Any]) -> frozenset[str]:
        """The ids in a row; looked for again only when it is another one than last time."""
        if key not in self._named or self._named[key][0] != row:
            self._named[key] = (row, ids_in(str(row)))
        return self._named[key][1]

    def is_over(self, call_id: str, zones: int) -> bool:
        """Whether the receipts of a call are final, in all of its zones, and it is struck off."""
        rows = self.rows()
        events = [row for (table, _), row in rows.items() if table == "play_event"]
        ours = [row for row in events if row["call_id"] == call_id and row["device_id"] is None]
        are_final = all(row["completed_at"] or row["error_message"] for row in ours)
        return len(ours) == zones and are_final and ("open_call", call_id) not in rows

    def token_version(self, user: User) -> int:
        found = self._file.execute(
            'SELECT token_version FROM "user" WHERE id = ?', (str(user.id),)
        ).fetchone()
        return int(found["token_version"])


def ids_in(text: str) -> frozenset[str]:
    """All UUIDs in a text."""
    return frozenset(_UUID.findall(text.lower()))
