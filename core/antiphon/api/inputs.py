"""Reads what a request brings: path, query and body, with all wrong fields named at once."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin
from uuid import UUID

from aiohttp import web
from multidict import MultiMapping
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from antiphon.errors import FieldError, Invalid, TooLarge, UnsupportedMedia
from antiphon.plugins.routes import Route
from antiphon.plugins.wrong import unstorable, wrong_fields

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def read_path(values: Mapping[str, str]) -> dict[str, Any]:
    """The parameters of a path; those that end in `_id` are UUIDs. Raises Invalid."""
    wrong = [
        FieldError(name, f"{value[:80]!r} is not a UUID")
        for name, value in values.items()
        if name.endswith("_id") and not _UUID.fullmatch(value)
    ]
    if wrong:
        raise Invalid(wrong, "The path")
    return {name: UUID(value) if name.endswith("_id") else value for name, value in values.items()}


def read_query(model: type[BaseModel], given: MultiMapping[str]) -> BaseModel:
    """The query parameters as `model`; a parameter repeats where its field is a list."""
    values: dict[str, Any] = {}
    wrong: list[FieldError] = []
    for name in dict.fromkeys(given):
        every = given.getall(name)
        field = model.model_fields.get(name)
        many = field is not None and _is_list(field.annotation)
        values[name] = list(every) if many else every[0]
        if len(every) > 1 and not many:
            wrong.append(FieldError(name, "is given more than once"))
    wrong += unstorable(values)
    try:
        checked = model.model_validate(values)
    except ValidationError as error:
        raise Invalid([*wrong, *wrong_fields(error, model)], "The query") from None
    if wrong:
        raise Invalid(wrong, "The query")
    return checked


async def read_body(route: Route, model: type[BaseModel], request: web.Request) -> BaseModel:
    """The JSON body as `model`, taken strictly: "5" is not 5. No body counts as {}."""
    content = await _read(request, route.max_body_bytes)
    if not content:
        content = b"{}"
    elif not _is_json(request):
        raise UnsupportedMedia("The body", f"{request.content_type} is not application/json")
    try:
        wrong = list(unstorable(from_json(content, allow_inf_nan=False)))
    except ValueError as error:
        raise Invalid.field("body", f"this is not JSON: {error}") from None
    try:
        checked = model.model_validate_json(content, strict=True)
    except ValidationError as error:
        raise Invalid([*wrong, *wrong_fields(error, model)], "The body") from None
    if wrong:
        raise Invalid(wrong, "The body")
    return checked


def _is_json(request: web.Request) -> bool:
    kind = request.content_type
    return kind == "application/json" or kind.endswith("+json")


async def _read(request: web.Request, limit: int) -> bytes:
    if (request.content_length or 0) > limit:
        raise TooLarge("The body", limit)
    content = bytearray()
    async for chunk in request.content.iter_any():
        content += chunk
        if len(content) > limit:
            raise TooLarge("The body", limit)
    return bytes(content)


def _is_list(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return any(_is_list(part) for part in get_args(annotation))
    return origin in (list, tuple, set, frozenset)
