"""What a client's subscription allows, decided here alone."""

from __future__ import annotations

from datetime import UTC, datetime

from antiphon.errors import LimitReached, PremiumNeeded, SubscriptionInactive
from antiphon.tenancy.models import Client, SubscriptionStatus, SubscriptionTier

MULTI_FLOOR = "multi_floor"


def why_inactive(client: Client, now: datetime | None = None) -> str | None:
    """Why `client` may read but not change or play, as the end of a sentence; None if it may."""
    now = now or datetime.now(UTC)
    trial_ends, ends = client.trial_ends_at, client.subscription_end
    match client.subscription_status:
        case SubscriptionStatus.SUSPENDED:
            return "is suspended"
        case SubscriptionStatus.CANCELLED:
            return "was cancelled"
        case SubscriptionStatus.TRIAL if trial_ends and trial_ends <= now:
            return f"was on trial until {trial_ends:%Y-%m-%d}"
        case SubscriptionStatus.ACTIVE if ends and ends <= now:
            return f"ended on {ends:%Y-%m-%d}"
    return None


def require_active(client: Client) -> None:
    """Raise SubscriptionInactive where `client` may not change or play anything now."""
    if reason := why_inactive(client):
        raise SubscriptionInactive(
            f"The subscription of {client.name} {reason}: everything can be read, nothing changed "
            "or played. Ask the people who run this server."
        )


def has_feature(client: Client, feature: str) -> bool:
    """Whether a premium feature is included: as it is set, or by the tier."""
    given = client.premium_features.get(feature)
    return client.subscription_tier is SubscriptionTier.ENTERPRISE if given is None else bool(given)


def check_floors(client: Client, count: int) -> None:
    """Raise LimitReached or PremiumNeeded where a client with `count` floors may add none."""
    if count >= 1 and not has_feature(client, MULTI_FLOOR):
        raise PremiumNeeded(client.name, MULTI_FLOOR, "the first floor is free, this is another")
    if client.max_floors is not None and count >= client.max_floors:
        raise LimitReached(client.name, "floors", client.max_floors, "max_floors")


def check_devices(client: Client, count: int) -> None:
    """Raise LimitReached where a client with `count` devices may adopt none."""
    if client.max_devices is not None and count >= client.max_devices:
        raise LimitReached(client.name, "devices", client.max_devices, "max_devices")
