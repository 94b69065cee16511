"""AI services: who they are, their keys, and how much of them may be used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pydantic import SecretStr

from antiphon.errors import Conflict, Invalid, NotFound
from antiphon.plugins import Page, SecretBox, ordered
from antiphon.types import Principal, Role
from antiphon_ai.models import AIProvider
from antiphon_ai.probing import DIALECTS, probe
from antiphon_ai.views import (
    ChangeProvider,
    NewProvider,
    ProviderQuery,
    ProviderTest,
    ProviderView,
)

_SHOWN_OF_KEY = 4


class Providers:
    """All AI services. They are the server's own: whoever runs it sees them all, nobody else any.

    A key leaves here by `key_of` alone, for whoever speaks to the service.
    """

    def __init__(self, secrets: SecretBox) -> None:
        self._secrets = secrets

    async def find(self, principal: Principal, query: ProviderQuery) -> Page[ProviderView]:
        """The services that match."""
        rows = ordered(AIProvider.all(), query.ordering)
        if query.search:
            rows = rows.filter(name__icontains=query.search)
        named = {"provider_type", "is_active"}
        rows = rows.filter(**query.model_dump(include=named, exclude_none=True))
        found, total = await query.fetch(rows)
        return Page(items=tuple(view(row, principal) for row in found), total=total)

    async def get(self, provider_id: UUID) -> AIProvider:
        """One service. Raises NotFound."""
        if (found := await AIProvider.get_or_none(id=provider_id)) is None:
            raise NotFound("AI service", provider_id)
        return found

    async def create(self, new: NewProvider) -> AIProvider:
        """Add a service. Raises Conflict where the name is taken, Invalid without a base_url."""
        row = AIProvider()
        await self._set(row, new.model_dump())
        await row.save(force_create=True)
        return row

    async def change(self, provider_id: UUID, change: ChangeProvider) -> AIProvider:
        """Change a service. Raises as `create`."""
        row = await self.get(provider_id)
        await self._set(row, change.model_dump(exclude_unset=True))
        columns = {*change.model_fields_set, "key_hint", "updated_at"}
        await row.save(update_fields=columns)  # not the counters: those go on meanwhile
        return row

    async def delete(self, provider_id: UUID) -> None:
        """Remove a service and its key, for good."""
        await (await self.get(provider_id)).delete()

    async def test(self, provider_id: UUID) -> ProviderTest:
        """Ask the service itself. It costs nothing there, so it counts for nothing here."""
        row = await self.get(provider_id)
        return await probe(row.provider_type, row.base_url, self.key_of(row))

    def key_of(self, row: AIProvider) -> str | None:
        """The key to a service. Raises SecretUnreadable."""
        return None if row.api_key is None else self._secrets.open(row.api_key, str(row.id))

    async def _set(self, row: AIProvider, values: Mapping[str, Any]) -> None:
        values = dict(values)
        if "api_key" in values:
            key: SecretStr | None = values.pop("api_key")
            row.api_key = self._seal(row, key)
            row.key_hint = _hint(key)
        row.update_from_dict(values)
        if not row.base_url and not DIALECTS[row.provider_type].base_url:
            raise Invalid.field("base_url", f"a service of type {row.provider_type} needs one")
        if await AIProvider.filter(name__iexact=row.name).exclude(id=row.id).exists():
            raise Conflict(f"There is an AI service named {row.name} already.")

    def _seal(self, row: AIProvider, key: SecretStr | None) -> str | None:
        return None if key is None else self._secrets.seal(key.get_secret_value(), str(row.id))


def view(row: AIProvider, principal: Principal) -> ProviderView:
    """A service as `principal` may see it: of its key, an admin sees the end and others nothing."""
    return ProviderView.of(row, show_hint=principal.role is Role.ADMIN)


def _hint(key: SecretStr | None) -> str:
    """The end of a key, for people to know it by; of a short one it would give too much away."""
    text = key.get_secret_value() if key is not None else ""
    return f"…{text[-_SHOWN_OF_KEY:]}" if len(text) >= 4 * _SHOWN_OF_KEY else "…" * bool(text)
