"""The operations on AI services."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from antiphon.errors import Conflict, Invalid
from antiphon.plugins import Admins, Operators, Page, Request, Route, SecretUnreadable
from antiphon_ai.providers import Providers, view
from antiphon_ai.views import (
    ChangeProvider,
    NewProvider,
    ProviderQuery,
    ProviderTest,
    ProviderView,
)

_ONE = "ai-providers/{provider_id}"


def provider_routes(providers: Providers) -> Sequence[Route]:
    """All operations under `ai-providers/`."""

    async def index(request: Request[None, ProviderQuery]) -> Page[ProviderView]:
        return await providers.find(request.principal, request.query)

    async def create(request: Request[NewProvider, None]) -> ProviderView:
        return view(await providers.create(request.body), request.principal)

    async def show(request: Request[None, None]) -> ProviderView:
        return view(await providers.get(_key(request)), request.principal)

    async def change(request: Request[ChangeProvider, None]) -> ProviderView:
        return view(await providers.change(_key(request), request.body), request.principal)

    async def delete(request: Request[None, None]) -> None:
        await providers.delete(_key(request))

    async def test(request: Request[None, None]) -> ProviderTest:
        return await providers.test(_key(request))

    every: dict[str, Any] = {"path": "ai-providers", "tag": "ai providers"}
    one: dict[str, Any] = {"path": _ONE, "tag": "ai providers"}
    return [
        Route(method="GET", handler=index, summary="List AI services", roles=Operators,
              description="Keys are never told. Staff see no part of them either.",
              query=ProviderQuery, response=Page[ProviderView], **every),
        Route(method="POST", handler=create, summary="Add an AI service", roles=Admins,
              description="The key is sealed before it is stored, and never told again.",
              body=NewProvider, response=ProviderView, status=201, errors=(Conflict, Invalid),
              example={"name": "Our own model", "provider_type": "openai_compatible",
                       "base_url": "http://10.0.0.7:11434/v1", "features": ["scripts"],
                       "daily_request_limit": 500}, **every),
        Route(method="GET", handler=show, summary="See an AI service", roles=Operators,
              response=ProviderView, **one),
        Route(method="PATCH", handler=change, summary="Change an AI service", roles=Admins,
              body=ChangeProvider, response=ProviderView, errors=(Conflict, Invalid),
              example={"monthly_budget_usd": "20.00"}, **one),
        Route(method="DELETE", handler=delete, summary="Remove an AI service and its key",
              description="It can not be restored: the key is gone.", roles=Admins, status=204,
              **one),
        Route(method="POST", path=f"{_ONE}/test", handler=test, tag="ai providers",
              summary="Ask an AI service for its models", roles=Admins,
              description="A real request, which costs nothing there. The answer is 200 also "
              "where it went wrong: `problem` says what is the matter.",
              response=ProviderTest, errors=(SecretUnreadable,)),
    ]  # fmt: skip


def _key(request: Request[Any, Any]) -> UUID:
    key: UUID = request.path["provider_id"]
    return key
