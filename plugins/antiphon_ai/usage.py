"""How much of an AI service may still be used, and what was: whoever asks a service counts here.

`take` before each request, `note` after it. Both are single statements, so that requests that come
at once do not slip past a limit.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from tortoise.expressions import F, Q

from antiphon.errors import Conflict, NotFound, TooManyRequests
from antiphon_ai.models import AIProvider, Feature


class BudgetSpent(Conflict):
    """The AI service has cost this month what it may cost."""

    code = "budget_spent"
    title = "The budget is spent"

    def __init__(self, name: str, budget_usd: Decimal) -> None:
        super().__init__(
            f"{name} has cost the {budget_usd:.2f} USD that it may cost in a month. "
            "Raise monthly_budget_usd, or wait for the next month (UTC)."
        )


async def take(provider_id: UUID, feature: Feature, now: datetime | None = None) -> AIProvider:
    """Count one request that is about to be sent; returns the service.

    Raises NotFound, Conflict where the service is off or not meant for `feature`, TooManyRequests
    after the last request of the day, BudgetSpent.
    """
    now = now or datetime.now(UTC)
    await _begin_period(provider_id, now)
    row = await AIProvider.get_or_none(id=provider_id)
    if row is None:
        raise NotFound("AI service", provider_id)
    if not row.is_active:
        raise Conflict(f"The AI service {row.name} is switched off.")
    if feature not in row.features:
        raise Conflict(f"The AI service {row.name} is not meant for {feature}.")
    budget = row.monthly_budget_usd
    if budget is not None and row.cost_this_month_usd >= budget:
        raise BudgetSpent(row.name, budget)
    rows = AIProvider.filter(id=provider_id)
    if row.daily_request_limit is not None:
        rows = rows.filter(requests_today__lt=row.daily_request_limit)
    one_more = {
        "requests_today": F("requests_today") + 1,
        "requests_count": F("requests_count") + 1,
    }
    if not await rows.update(**one_more, last_used_at=now):
        tomorrow = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        wait_s = int((tomorrow - now).total_seconds()) + 1
        raise TooManyRequests(f"requests to {row.name} today", wait_s)
    return row


async def note(
    provider_id: UUID,
    *,
    tokens: int = 0,
    cost_usd: Decimal = Decimal(0),
    now: datetime | None = None,
) -> None:
    """Note what a request used and cost. A service that is gone by now is nobody's concern."""
    await _begin_period(provider_id, now or datetime.now(UTC))
    await AIProvider.filter(id=provider_id).update(
        tokens_used=F("tokens_used") + tokens,
        cost_usd=F("cost_usd") + cost_usd,
        cost_this_month_usd=F("cost_this_month_usd") + cost_usd,
    )


async def _begin_period(provider_id: UUID, now: datetime) -> None:
    """Let the counts of the day and of the month begin anew where these are over."""
    today = now.astimezone(UTC).date()
    month = today.replace(day=1)
    rows = AIProvider.filter(id=provider_id)
    await rows.filter(Q(counted_on__isnull=True) | Q(counted_on__lt=today)).update(
        counted_on=today, requests_today=0
    )
    await rows.filter(Q(month__isnull=True) | Q(month__lt=month)).update(
        month=month, cost_this_month_usd=0
    )
