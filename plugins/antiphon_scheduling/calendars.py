"""Days with names: public holidays, and the days of an uploaded file.

The one file that imports holidays, when it is first asked for some: a start need not wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

from antiphon.errors import Invalid


@dataclass(frozen=True, slots=True)
class PublicHolidays:
    """The public holidays of a country, or of a part of it."""

    title: str
    country: str
    subdivision: str | None = None

    def name_of(self, day: date) -> str | None:
        """See `Calendar.name_of`."""
        return _of_year(self.country, self.subdivision, day.year).get(day)


@dataclass(frozen=True, slots=True)
class NamedDays:
    """Days that somebody listed."""

    title: str
    days: Mapping[date, str] = field(default_factory=dict)

    def name_of(self, day: date) -> str | None:
        """See `Calendar.name_of`."""
        return self.days.get(day)


def check_country(country: str, subdivision: str | None) -> None:
    """Raises Invalid on `country` or `subdivision` where nothing is known of them."""
    import holidays

    known = holidays.list_supported_countries()
    if country not in known:
        raise Invalid.field("country", f"no holidays are known of {country!r}; use a code as DE")
    if subdivision is not None and subdivision not in known[country]:
        there = ", ".join(known[country]) or "it has none"
        raise Invalid.field("subdivision", f"{country} has no {subdivision!r}: {there}")


@lru_cache(maxsize=512)
def _of_year(country: str, subdivision: str | None, year: int) -> Mapping[date, str]:
    import holidays

    try:
        return dict(holidays.country_holidays(country, subdiv=subdivision, years=year))
    except NotImplementedError:
        return {}  # another version of the library knew it
