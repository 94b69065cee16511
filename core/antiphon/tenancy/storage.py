"""What a client may store, counted over all its media."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from uuid import UUID

from tortoise import Tortoise
from tortoise.functions import Sum
from tortoise.models import Model

from antiphon.errors import NotFound, StorageFull
from antiphon.store import in_transaction
from antiphon.tenancy.models import Client

_NEEDED = frozenset({"client", "file_size", "deleted_at"})


async def storage_used(client_id: UUID) -> int:
    """The bytes of all files of a client, whatever plugin keeps them; not of deleted ones."""
    used = 0
    for model in _media_models():
        rows = model.filter(client_id=client_id, deleted_at__isnull=True)
        [row] = await rows.annotate(used=Sum("file_size")).values("used")
        used += int(row["used"] or 0)
    return used


@asynccontextmanager
async def storing(client_id: UUID, size: int) -> AsyncIterator[None]:
    """A transaction in which a row with a file of `size` bytes is written, or made larger by it.

    One at a time for each client, so that many at once do not slip past the limit. Raises
    NotFound, and StorageFull where the file goes beyond what the client may store.
    """
    async with in_transaction():
        client = await Client.filter(id=client_id).select_for_update().first()
        if client is None:
            raise NotFound("client", client_id)
        await check_storage(client, size)
        yield


async def check_storage(client: Client, size: int) -> None:
    """Raise StorageFull where `size` more bytes go beyond what the client may store."""
    if client.max_storage_gb is None or size <= 0:
        return
    used = await storage_used(client.id)
    if used + size > client.max_storage_gb * 1e9:
        raise StorageFull(client.max_storage_gb, used)


def _media_models() -> Iterator[type[Model]]:
    """The tables of files: those whose rows have a client, a size, and can be deleted."""
    for models in (Tortoise.apps or {}).values():
        for model in models.values():
            if model._meta.fields_map.keys() >= _NEEDED:
                yield model
