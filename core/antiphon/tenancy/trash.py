"""Things that were deleted and may come back: the same for the core and all plugins.

A list shows them with `deleted=true` (`scoped(…, deleted=True)`), `POST …/restore` brings one back.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from antiphon.errors import NotFound, RestoreRefused
from antiphon.store import IntegrityError, SoftDeleteModel
from antiphon.tenancy.scope import scoped
from antiphon.types import Principal

D_ = TypeVar("D_", bound=SoftDeleteModel)


async def deleted_row(model: type[D_], what: str, principal: Principal, identity: UUID) -> D_:
    """A row that was deleted. Raises NotFound where `principal` does not reach one."""
    if (found := await scoped(model, principal, deleted=True).get_or_none(id=identity)) is None:
        raise NotFound(f"deleted {what}", identity)
    return found


async def bring_back(row: D_, name: str, taken: str = "its name is taken") -> D_:
    """Write a deleted row as one that is there. Check first whether it still fits.

    Raises RestoreRefused with the reason `taken` where the database knows better.
    """
    row.deleted_at = None
    try:
        await row.save()
    except IntegrityError as error:
        raise RestoreRefused(name, taken) from error
    return row


async def put_away(row: SoftDeleteModel, *columns: str) -> None:
    """Delete a row, which keeps its data; `columns` have been changed with it."""
    row.deleted_at = datetime.now(UTC)
    await row.save(update_fields=[*columns, "deleted_at", "updated_at"])
