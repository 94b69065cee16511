"""Holds values against a model and says in words what is wrong, where, and what was meant."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence, Set
from difflib import get_close_matches
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from antiphon.settings.sources import PREFIX


def check_section(
    model: type[BaseModel], values: Mapping[str, Any], origins: Mapping[str, str], name: str = ""
) -> tuple[BaseModel | None, list[str]]:
    """The section as an instance of its model, or None and every mistake in it.

    `name` is the section's key; `origins` maps dotted keys to where they were set. Values from
    variables are texts: lists are read as JSON or as words between commas, the rest by pydantic.
    No value is ever repeated in a mistake, since it may be a secret.
    """
    prefix = (name,) if name else ()
    try:
        return model.model_validate(_from_texts(model, values)), []
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False, include_context=False)
        return None, [_sentence(model, detail, prefix, origins) for detail in details]


def meant(wrong: str, candidates: Iterable[str]) -> str:
    """A question that names the nearest candidate, or nothing."""
    near = get_close_matches(wrong, list(candidates), n=1, cutoff=0.6)
    return f" Did you mean {near[0]}?" if near else ""


def keys_of(model: type[BaseModel], prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The path of every key of a model, those of its sections included."""
    paths: list[tuple[str, ...]] = []
    for name, info in model.model_fields.items():
        inner = submodel(info.annotation)
        paths.append((*prefix, name))
        if inner is not None:
            paths.extend(keys_of(inner, (*prefix, name)))
    return paths


def variable(path: Iterable[str]) -> str:
    """The variable that sets a key."""
    return PREFIX + "__".join(path).upper()


def submodel(annotation: object) -> type[BaseModel] | None:
    """The model that a field holds, directly or as one member of a union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, UnionType):
        inner = [found for part in get_args(annotation) if (found := submodel(part))]
        return inner[0] if len(inner) == 1 else None
    return None


def _sentence(
    model: type[BaseModel],
    detail: ErrorDetails,
    prefix: tuple[str, ...],
    origins: Mapping[str, str],
) -> str:
    path = (*prefix, *(str(part) for part in detail["loc"]))
    where = _origin(path, origins)
    key = ".".join(path)
    set_in = f" (set in {where})" if where else ""
    if detail["type"] in ("model_type", "model_attributes_type"):
        return f"{key}{set_in}: this is a section; set the keys in it."
    if detail["type"] != "extra_forbidden":
        message = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
        return f"{key or 'The settings'}{set_in}: {message[:1].lower()}{message[1:]}."
    siblings = [found for found in keys_of(model, prefix) if found[:-1] == path[:-1]]
    if where and where.startswith("the variable"):
        hint = meant(variable(path), map(variable, keys_of(model, prefix)))
    else:
        hint = meant(path[-1], (found[-1] for found in siblings))
    return f"{key}{set_in}: there is no such key.{hint}"


def _origin(path: Sequence[str], origins: Mapping[str, str]) -> str | None:
    """Where the key was set, or the nearest table around it, or anything below it."""
    for length in range(len(path), 0, -1):
        key = ".".join(path[:length])
        if key in origins:
            return origins[key]
        if below := sorted({origins[k] for k in origins if k.startswith(f"{key}.")}):
            return " and ".join(below)
    return None


def _from_texts(model: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    read = dict(values)
    for name, info in model.model_fields.items():
        value = read.get(name)
        inner = submodel(info.annotation)
        if isinstance(value, dict) and inner is not None:
            read[name] = _from_texts(inner, value)
        elif isinstance(value, str) and (inner is not None or _is_collection(info.annotation)):
            read[name] = _from_text(value)
    return read


def _is_collection(annotation: object) -> bool:
    kind = get_origin(annotation) or annotation
    if kind in (Union, UnionType):
        return any(_is_collection(part) for part in get_args(annotation))
    return (
        isinstance(kind, type)
        and issubclass(kind, (Sequence, Set, Mapping))
        and not issubclass(kind, (str, bytes))
    )


def _from_text(text: str) -> object:
    if text.lstrip().startswith(("[", "{")):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return [word for part in text.split(",") if (word := part.strip())]
