"""API tokens: what integrations log in with."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from antiphon.errors import Conflict, Invalid, NotFound
from antiphon.plugins.lists import Line, ListQuery, Page, SortedBy, ordered
from antiphon.plugins.routes import Request, Route
from antiphon.plugins.zones import ApiModel
from antiphon.tenancy.identity import API_TOKEN_PREFIX
from antiphon.tenancy.models import ApiToken
from antiphon.tenancy.scope import scoped
from antiphon.tenancy.sessions import secret_hash
from antiphon.tenancy.views import ApiTokenView
from antiphon.types import Effect

_MAX_PER_USER = 100
Scope = Literal["read", "control", "manage"]


class ApiTokenCreate(ApiModel):
    """A new API token. Each scope includes those before it: `read`, `control`, `manage`."""

    name: Line
    scopes: list[Scope] = Field(min_length=1, max_length=3)
    expires_at: AwareDatetime | None = None


class ApiTokenMade(ApiTokenView):
    """A new API token. `token` is shown this once: send it as `Authorization: Bearer …`."""

    token: str


class ApiTokenQuery(ListQuery):
    """Which of one's tokens."""

    ordering: Annotated[str, SortedBy("name", "created_at")] = "-created_at"


def api_token_routes() -> list[Route]:
    """The routes under `auth/tokens`: one's own tokens, whatever one's role."""

    async def index(request: Request[None, ApiTokenQuery]) -> Page[ApiTokenView]:
        rows = ordered(scoped(ApiToken, request.principal), request.query.ordering)
        tokens, total = await request.query.fetch(rows)
        return Page[ApiTokenView](items=tuple(map(_view, tokens)), total=total)

    async def create(request: Request[ApiTokenCreate, None]) -> ApiTokenMade:
        new, principal = request.body, request.principal
        if await scoped(ApiToken, principal).count() >= _MAX_PER_USER:
            raise Conflict(f"You have {_MAX_PER_USER} API tokens. Delete one that is not used.")
        if new.expires_at is not None and new.expires_at <= datetime.now(UTC):
            raise Invalid.field("expires_at", "this is in the past")
        token = API_TOKEN_PREFIX + secrets.token_urlsafe(32)
        row = await ApiToken.create(
            user_id=principal.user_id,
            name=new.name,
            scopes=list(dict.fromkeys(new.scopes)),
            token_hash=secret_hash(token),
            expires_at=new.expires_at,
        )
        return ApiTokenMade(token=token, **_view(row).model_dump())

    async def delete(request: Request[None, None]) -> None:
        token_id = request.path["token_id"]
        if not await scoped(ApiToken, request.principal).filter(id=token_id).delete():
            raise NotFound("API token", token_id)

    every: dict[str, Any] = {"path": "auth/tokens", "tag": "auth", "effect": Effect.ACCOUNT}
    return [
        Route(method="GET", handler=index, summary="List one's own API tokens", query=ApiTokenQuery,
              response=Page[ApiTokenView], **every),
        Route(method="POST", handler=create, summary="Make an API token", body=ApiTokenCreate,
              description="It acts as you, as far as its scopes go, until it expires or you delete "
              "it.", response=ApiTokenMade, status=201, errors=(Conflict,),
              example={"name": "Door counter", "scopes": ["control"]}, **every),
        Route(method="DELETE", path="auth/tokens/{token_id}", handler=delete, status=204,
              summary="Delete an API token, which no longer counts", tag="auth",
              effect=Effect.ACCOUNT),
    ]  # fmt: skip


def _view(row: ApiToken) -> ApiTokenView:
    values = {name: getattr(row, name) for name in ApiTokenView.model_fields}
    return ApiTokenView(**values | {"scopes": tuple(map(Effect, row.scopes))})
