"""The table of AI services that the server may use."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum

from tortoise import fields

from antiphon.store.base import TimestampedModel


class ProviderType(StrEnum):
    """How a service is spoken to."""

    OPENAI = "openai"
    OPENAI_COMPATIBLE = "openai_compatible"
    ANTHROPIC = "anthropic"
    ELEVENLABS = "elevenlabs"
    GOOGLE = "google"


class Feature(StrEnum):
    """What a service may be used for."""

    SPEECH = "speech"
    SCRIPTS = "scripts"


class AIProvider(TimestampedModel):
    """A service outside, its key, what it may be used for, and how much of it was used.

    `api_key` is sealed (`SecretBox`), `key_hint` is what may be shown of it. Requests count by UTC
    day (`counted_on`), costs by UTC month (`month` is its first day).
    """

    name = fields.CharField(max_length=200)
    provider_type = fields.CharEnumField(ProviderType, max_length=30)
    api_key: str | None = fields.TextField(null=True)
    key_hint = fields.CharField(max_length=10, default="")
    base_url = fields.CharField(max_length=500, default="")
    is_active = fields.BooleanField(default=True)
    features: list[str] = fields.JSONField(default=list)
    daily_request_limit: int | None = fields.IntField(null=True)
    monthly_budget_usd: Decimal | None = fields.DecimalField(
        max_digits=12, decimal_places=4, null=True
    )
    requests_count = fields.BigIntField(default=0)
    tokens_used = fields.BigIntField(default=0)
    cost_usd: Decimal = fields.DecimalField(max_digits=14, decimal_places=6, default=0)
    requests_today = fields.IntField(default=0)
    counted_on: date | None = fields.DateField(null=True)
    cost_this_month_usd: Decimal = fields.DecimalField(max_digits=14, decimal_places=6, default=0)
    month: date | None = fields.DateField(null=True)
    last_used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "ai_provider"
