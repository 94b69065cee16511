"""Lists of the API, and text that people type: the same shape for core and plugins."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema
from tortoise.models import Model
from tortoise.queryset import QuerySet

from antiphon.store import total
from antiphon.text import UNSEEN
from antiphon.types import Frozen

T = TypeVar("T")
V_ = TypeVar("V_", bound=BaseModel)
M_ = TypeVar("M_", bound=Model)

_FAR = 1_000


class ListQuery(BaseModel):
    """The query parameters of every list; derive from it to add filters."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    limit: int = Field(default=50, ge=1, le=200, description="How many items at most.")
    offset: int = Field(default=0, ge=0, le=2**31, description="How many items to pass over.")

    def cut(self, items: Sequence[V_]) -> Sequence[V_]:
        """This page's part of `items`."""
        return items[self.offset : self.offset + self.limit]

    async def fetch(self, rows: QuerySet[M_]) -> tuple[list[M_], int]:
        """This page's rows of an ordered query, and how many there are in all.

        Without what `rows` would fetch along with them, or annotate.
        """
        if self.offset < _FAR:
            found = await rows.offset(self.offset).limit(self.limit)
        else:
            # The rows in front of a page far behind are passed over in an index, not looked at;
            # asked with the conditions again, databases look through all rows for these few.
            key = rows.model._meta.pk_attr
            keys = await rows.offset(self.offset).limit(self.limit).values_list(key, flat=True)
            by_key = {row.pk: row for row in await rows.model.filter(**{f"{key}__in": keys})}
            found = [by_key[one] for one in keys if one in by_key]
        if len(found) < self.limit and (found or self.offset == 0):
            return found, self.offset + len(found)  # the last page: there are no more to count
        return found, await total(rows)


class DeletableQuery(ListQuery):
    """The same for things that can be restored: `deleted` asks for those that were deleted."""

    deleted: bool = Field(default=False, description="Those that were deleted, and no others.")


class SortedBy:
    """By which fields a list can be sorted, each also downwards with a minus before its name.

    `ordering: Annotated[str, SortedBy("name", "created_at")] = "name"` in a query. Name fields
    that are never null: databases do not agree on where those come.
    """

    def __init__(self, *names: str) -> None:
        self._choices = [*names, *(f"-{name}" for name in names)]

    def __get_pydantic_core_schema__(self, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.literal_schema(self._choices)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        described = handler(schema)
        described["description"] = "What the list is sorted by; a minus turns it round."
        return described


def ordered(rows: QuerySet[M_], ordering: str, *then: str) -> QuerySet[M_]:
    """Sort `rows` by a name of `SortedBy`, then by the fields `then` and by id.

    All go in one direction and each comes once, as an index has them: else the database would
    have to sort all rows for each page.
    """
    sign = "-" if ordering.startswith("-") else ""
    names = dict.fromkeys((ordering.removeprefix("-"), *then, "id"))
    return rows.order_by(*(f"{sign}{name}" for name in names))


def ordered_items(items: Iterable[T], ordering: str) -> list[T]:
    """Sort a list in memory by a name of `SortedBy`; equals stay as they are. Case is nothing."""

    def key(item: T) -> Any:
        value = attrgetter(ordering.removeprefix("-"))(item)
        return value.casefold() if isinstance(value, str) else value

    return sorted(items, key=key, reverse=ordering.startswith("-"))


class Page(Frozen, Generic[V_]):
    """A part of a list, and how many items there are in all: `Page[ZoneView]`."""

    items: tuple[V_, ...]
    total: int

    @classmethod
    def of(cls, items: Sequence[V_], query: ListQuery) -> Self:
        """The page that `query` asks for out of a list in memory."""
        return cls(items=tuple(query.cut(items)), total=len(items))


def _printable(text: str) -> str:
    text = unicodedata.normalize("NFC", text)
    kinds = [unicodedata.category(sign) for sign in text]
    if any(kind in UNSEEN for kind in kinds):
        raise ValueError("control characters are not allowed")
    if all(kind[0] in "CZ" for kind in kinds):
        raise ValueError("at least one visible character is needed")
    return text


# One line, such as a name: trimmed, not empty, in one Unicode form, without control characters.
Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_printable),
]


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


def left_out(**constraints: Any) -> Any:
    """The default of a field that may be left out of a change, but may not be null.

    Read such a model by `model_dump(exclude_unset=True)`.
    """
    return Field(default=None, json_schema_extra=_without_default, **constraints)
