"""What is wrong with an input, told field by field."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from antiphon.errors import FieldError


def wrong_fields(error: ValidationError, model: type[BaseModel]) -> Iterator[FieldError]:
    """Every wrong field of `error`; one that is not known comes with the one that was meant."""
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        field = ".".join(str(step) for step in one["loc"])
        message = one["msg"].removeprefix("Value error, ")
        if one["type"] == "extra_forbidden":
            message = "there is no such field"
            if len(one["loc"]) == 1 and (
                near := difflib.get_close_matches(field, model.model_fields)
            ):
                message += f"; did you mean {near[0]}?"
        yield FieldError(field[:200] or "body", message)


def unstorable(value: Any, path: str = "") -> Iterator[FieldError]:
    """Strings with a NUL, which no database and no file name can hold."""
    if isinstance(value, str) and "\0" in value:
        yield FieldError(path or "body", "the character NUL is not allowed")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from unstorable(item, f"{path}.{name}".lstrip("."))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from unstorable(item, f"{path}.{index}".lstrip("."))
