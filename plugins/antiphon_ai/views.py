"""What the API takes and gives for AI services."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Self
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from antiphon.plugins import ApiModel, Line, ListQuery, SortedBy, left_out
from antiphon.types import Frozen
from antiphon_ai.models import AIProvider, Feature, ProviderType

_MAX_KEY = 1_000


def _key(value: object) -> object:
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if isinstance(text, str):
        text = text.strip()
        # It goes into a header of a request.
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("a key has no spaces and no other signs than letters, digits and -_.")
        if not 1 <= len(text) <= _MAX_KEY:
            raise ValueError(f"a key has 1 to {_MAX_KEY} characters")
    return text


def _url(text: str) -> str:
    text = text.strip().rstrip("/")
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValueError("this is not a URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("should be a URL such as https://api.example.com/v1")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a key goes into api_key, not into the URL")
    if parts.query or parts.fragment or not text.isprintable() or " " in text:
        raise ValueError("should end with its path, without ? or #")
    return text


ApiKey = Annotated[SecretStr, BeforeValidator(_key), Field(examples=["sk-…"])]
BaseUrl = Annotated[str, Field(max_length=500), AfterValidator(_url)]
Requests = Annotated[int, Field(ge=0, le=2**31 - 1)]
Money = Annotated[Decimal, Field(ge=0, max_digits=10, decimal_places=2, allow_inf_nan=False)]
Features = Annotated[list[Feature], Field(max_length=len(Feature))]


class ProviderView(Frozen):
    """An AI service. The key is never told: `key_hint` is its end, for admins alone.

    `requests_today` counts from midnight UTC, `cost_this_month_usd` from the first of the month.
    """

    id: UUID
    name: str
    provider_type: ProviderType
    base_url: str
    has_key: bool
    key_hint: str | None
    is_active: bool
    features: tuple[Feature, ...]
    daily_request_limit: int | None
    monthly_budget_usd: Decimal | None
    requests_count: int
    requests_today: int
    tokens_used: int
    cost_usd: Decimal
    cost_this_month_usd: Decimal
    last_used_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: AIProvider, *, show_hint: bool) -> Self:
        """The view of a row."""
        own = {"has_key", "key_hint", "features", "requests_today", "cost_this_month_usd"}
        today = datetime.now(UTC).date()
        return cls(
            has_key=row.api_key is not None,
            key_hint=row.key_hint or None if show_hint else None,
            features=tuple(map(Feature, row.features)),
            requests_today=row.requests_today if row.counted_on == today else 0,
            cost_this_month_usd=(
                row.cost_this_month_usd if row.month == today.replace(day=1) else Decimal(0)
            ),
            **{name: getattr(row, name) for name in cls.model_fields.keys() - own},
        )


class NewProvider(ApiModel):
    """A new AI service. `base_url` is needed for `openai_compatible`; the others have their own."""

    name: Line
    provider_type: ProviderType
    api_key: ApiKey | None = None
    base_url: BaseUrl = ""
    is_active: bool = True
    features: Features = Field(default_factory=list)
    daily_request_limit: Requests | None = None
    monthly_budget_usd: Money | None = None


class ChangeProvider(ApiModel):
    """What to change; keys that are left out stay. `api_key: null` forgets the key."""

    name: Line = left_out()
    provider_type: ProviderType = left_out()
    api_key: ApiKey | None = None
    base_url: BaseUrl = left_out()
    is_active: bool = left_out()
    features: Features = left_out()
    daily_request_limit: Requests | None = None
    monthly_budget_usd: Money | None = None


class ProviderQuery(ListQuery):
    """Which AI services."""

    search: str | None = Field(default=None, max_length=200, description="A part of the name.")
    provider_type: ProviderType | None = None
    is_active: bool | None = None
    ordering: Annotated[str, SortedBy("name", "provider_type", "created_at", "cost_usd")] = "name"


class ProviderTest(Frozen):
    """What became of a request to the service. `problem` says what is wrong, and what to do."""

    works: bool
    problem: str | None = None
    url: str
    models: tuple[str, ...] = ()
    took_ms: int
