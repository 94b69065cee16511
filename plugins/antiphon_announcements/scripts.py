"""Scripts: texts with placeholders in braces, such as "We close in {minutes} minutes"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from antiphon.errors import FieldError, Invalid
from antiphon_announcements.sources import MAX_TEXT_CHARACTERS

MAX_PLACEHOLDERS = 20
_PLACEHOLDER = re.compile(r"\{([^\W\d]\w{0,39})\}")


def placeholders(text: str) -> list[str]:
    """The names in braces, each once, in the order in which they are spoken."""
    return list(dict.fromkeys(_PLACEHOLDER.findall(text)))


def _checked(text: str) -> str:
    rest = _PLACEHOLDER.sub("", text)
    if "{" in rest or "}" in rest:
        raise ValueError("braces are for placeholders alone: one word of letters, such as {name}")
    if len(placeholders(text)) > MAX_PLACEHOLDERS:
        raise ValueError(f"has more than {MAX_PLACEHOLDERS} placeholders")
    return text


# The text of a template.
Script = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TEXT_CHARACTERS),
    AfterValidator(_checked),
]


def fill(text: str, values: Mapping[str, str], defaults: Mapping[str, str]) -> str:
    """`text` with a value for each placeholder; what a value says is never read as one.

    Raises Invalid with all values that are missing, and all that there is no place for.
    """
    names = placeholders(text)
    known = {**defaults, **values}
    wrong = [FieldError(f"values.{n}", "there is no value for it") for n in names if n not in known]
    wrong += unknown("values", values, names)
    if wrong:
        raise Invalid(wrong)
    filled = _PLACEHOLDER.sub(lambda found: known[found[1]], text)
    if len(filled) > MAX_TEXT_CHARACTERS:
        raise Invalid.field("values", f"make more than {MAX_TEXT_CHARACTERS:,} characters of it")
    return filled


def unknown(field: str, given: Mapping[str, str], names: list[str]) -> list[FieldError]:
    """What is wrong with values for placeholders that the text does not have."""
    has = f"it has {', '.join(names)}" if names else "it has none"
    return [
        FieldError(f"{field}.{name}"[:200], f"the text has no such placeholder; {has}")
        for name in given
        if name not in names
    ]
