"""What to send to an operation, read out of the OpenAPI document alone."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tests.walk.rows import ids_in

Path = tuple[str | int, ...]
_JSON, _FORM = "application/json", "multipart/form-data"


@dataclass(frozen=True)
class Operation:
    """One operation of the document."""

    method: str
    path: str
    told: Mapping[str, Any]
    schemas: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_open(self) -> bool:
        return not self.told["security"]

    @property
    def reads(self) -> bool:
        return self.method == "GET"

    @property
    def is_table(self) -> bool:
        """Whether it answers with CSV: a header, then a line for each row."""
        return "text/csv" in self.told["responses"].get("200", {}).get("content", {})

    @property
    def has_id(self) -> bool:
        return "{" in self.path

    def at(self, key: object) -> str:
        """The path, with `key` for each of its parameters."""
        path = self.path
        for parameter in self.told.get("parameters", []):
            if parameter["in"] == "path":
                path = path.replace(f"{{{parameter['name']}}}", str(key))
        return path.removeprefix("/")

    def id_queries(self) -> list[str]:
        """The query parameters that are ids."""
        return [
            parameter["name"]
            for parameter in self.told.get("parameters", [])
            if parameter["in"] == "query" and _holds_id(parameter["schema"])
        ]

    def body(self) -> Any:
        """The example of its body; None where it takes none."""
        content = self._content.get(_JSON)
        return copy.deepcopy(content["example"]) if content else None

    def content(self) -> dict[str, Any]:
        """What to send: the example of its JSON, or a form where it takes nothing else."""
        takes_form_alone = _FORM in self._content and _JSON not in self._content
        return {"form": {}} if takes_form_alone else {"json": self.body()}

    @property
    def _content(self) -> Mapping[str, Any]:
        content: Mapping[str, Any] = self.told.get("requestBody", {}).get("content", {})
        return content

    def bodies_with(self, key: str) -> Iterator[Any]:
        """Bodies that name `key`, each in another place, by itself and beside the example."""
        content = self._content.get(_JSON)
        if content is None:
            return
        example, schema = content["example"], self._resolved(content["schema"])
        for place in _id_places(example):
            yield _with(example, place, key)
        needed = {name: example[name] for name in schema.get("required", ()) if name in example}
        for name, one in schema.get("properties", {}).items():
            if (value := self._with_id(one, key)) is not None:
                for beside in (example, needed) if needed != example else (example, {}):
                    yield {**copy.deepcopy(beside), name: value}

    def forms_with(self, key: str) -> Iterator[dict[str, str]]:
        """Fields of a multipart form that name `key`, each in another place."""
        if (content := self._content.get(_FORM)) is None:
            return
        for name, one in self._resolved(content["schema"]).get("properties", {}).items():
            if _holds_id(one):
                yield {name: key}

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" in schema:
            found: Mapping[str, Any] = self.schemas[schema["$ref"].rsplit("/", 1)[-1]]
            return found
        return schema

    def _with_id(self, schema: Mapping[str, Any], key: str) -> Any:
        """A value for `schema` that names `key`; None where it can not."""
        schema = self._resolved(schema)
        if schema.get("format") == "uuid":
            return key
        if schema.get("type") == "array":
            inside = self._with_id(schema.get("items", {}), key)
            return None if inside is None else [inside]
        for one in schema.get("anyOf", schema.get("oneOf", ())):
            if (value := self._with_id(one, key)) is not None:
                return value
        return None


def operations(document: Mapping[str, Any]) -> list[Operation]:
    """All operations: those that read first, those that delete last."""
    schemas = document["components"]["schemas"]
    found = [
        Operation(method.upper(), path, told, schemas)
        for path, every in document["paths"].items()
        for method, told in every.items()
    ]
    order = ("GET", "PATCH", "PUT", "POST", "DELETE")
    return sorted(found, key=lambda one: order.index(one.method))


def _holds_id(schema: Mapping[str, Any]) -> bool:
    inside = [*schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else ())]
    return schema.get("format") == "uuid" or any(map(_holds_id, inside))


def _id_places(value: Any, path: Path = ()) -> Iterator[Path]:
    if isinstance(value, str) and ids_in(value) and _is_uuid(value):
        yield path
    elif isinstance(value, dict):
        for name, inside in value.items():
            yield from _id_places(inside, (*path, name))
    elif isinstance(value, list):
        for index, inside in enumerate(value):
            yield from _id_places(inside, (*path, index))


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _with(example: Any, place: Path, key: str) -> Any:
    changed = copy.deepcopy(example)
    inside = changed
    for step in place[:-1]:
        inside = inside[step]
    inside[place[-1]] = key
    return changed
